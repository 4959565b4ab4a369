"""What the command of `merge:CMD` is given: files of ours, whose names say nothing to a shell, whatever the path is."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from aefsync.sync.merging import _suffix, words_of

ENDS = (b";touch x", b"$(id)", b"`id`", b"|sh", b"&", b" x", b"'", b'"', b"\n", b"{b}", b"\xff", b"\x1b[2J", b"y" * 240)


@pytest.mark.parametrize("end", ENDS)
def test_nothing_of_a_name_reaches_a_shell(end: bytes) -> None:
    names = {word: Path("/tmp/m") / f"{word}{_suffix(b'report.' + end)}" for word in ("a", "b", "base", "out")}
    words = words_of('sh -c "cat {a} {b} > {out}"', names)
    assert words == ["sh", "-c", "cat /tmp/m/a /tmp/m/b > /tmp/m/out"]
    assert all(shlex.quote(str(place)) == str(place) for place in names.values())


def test_what_tools_go_by_is_kept() -> None:
    assert [_suffix(name) for name in (b"a.txt", b"a.tar.gz", b"a", b".hidden", b"a.c++", b"a.")] == [
        *(".txt", ".gz", "", "", ".c++", ""),
    ]
