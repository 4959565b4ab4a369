"""Processes that may have hardly any descriptors: what cannot be opened is trouble and no absence, here and over there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.e2e.test_ssh import Far, far
from tests.support.trees import judge, survey, tree

__all__ = ["far"]


@pytest.mark.parametrize("most", [9, 12, 14, 16, 18])
@pytest.mark.parametrize("place", ["here", "far"])
def test_whatever_could_not_be_done_is_done_with_some_more(far: Far, tmp_path: Path, place: str, most: int) -> None:
    paths = {f"d{number % 4}/e/{number}": f"{number}" for number in range(40)}
    a, b = tree(tmp_path / "A", paths), far.home / "B"
    tree(b, {"own/b": "b", **dict(list(paths.items())[:20])})
    limited = ["sh", "-c", f'ulimit -n {most}; exec "$@"', "sh"]
    if place == "here":
        done = far.program.under(*limited)("repair", a, b)
    else:
        done = far("repair", a, "box:B", "--remote-command", f"ulimit -n {most}; aefsync")
    done.expect(0, 1, 3, 4, 7, 8)
    assert b"internal error" not in done.err
    assert done.code == 0 or done.err
    aefsync, words = far.program, ("repair", a, b)
    aefsync(*words).expect(0)
    assert judge(a, b) == []
    assert survey(b).keys() >= {os.fsencode(path) for path in (*paths, "own/b")}
