from __future__ import annotations

import pytest

from aefsync.__main__ import _replicas_here

GUESSES = [
    ("", 0),
    ("diff", 0),
    ("diff --help", 0),
    ("diff a b", 2),
    ("repair -n a b", 2),
    ("sync a b c", 2),
    ("repair a host:b", 1),
    ("repair host:a host:b", 1),
    ("digest a", 1),
    ("digest host:a", 0),
    ("runs a", 1),
    ("runs", 0),
    ("trash a list", 0),
    ("--json diff a b", 0),
]


@pytest.mark.parametrize(("line", "number"), GUESSES)
def test_how_many_replicas_of_this_machine_a_line_seems_to_be_about(line: str, number: int) -> None:
    assert _replicas_here(line.split()) == number
