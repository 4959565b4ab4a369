"""Replicas that remember, though no agent serves them: what a user sees."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.e2e.test_sftp import Far, far
from tests.support.trees import judge, tree

__all__ = ["far"]


def test_deletions_travel_and_conflicts_are_kept(far: Far, tmp_path: Path) -> None:
    a, b = tmp_path / "A", far.home / "B"
    tree(a, {"both": "same", "gone": "x"})
    far("repair", a, far.at("B")).expect(0)
    (a / "gone").unlink()
    (a / "both").write_text("edited here")
    (b / "both").write_text("and there")
    summary = far("repair", a, far.at("B"), "--json").expect(1).summary
    assert (summary["deleted"], summary["conflicts"], summary["equal"]) == (1, 1, True)
    assert not judge(a, b)
    assert not (b / "gone").exists()
    assert {(b / "both").read_text(), next(b.glob("both.conflict-*")).read_text()} == {"edited here", "and there"}


def test_what_else_there_is_to_do_is_done_where_something_was_merged(far: Far, tmp_path: Path) -> None:
    a, b = tmp_path / "A", far.home / "B"
    tree(a, {"log": "", "x": "x", "y": "y"})
    far("repair", a, far.at("B")).expect(0)
    (a / "log").write_text("by A\n")
    (a / "x").write_text("edited here")
    (b / "log").write_text("by B, later\n")
    os.utime(a / "log", (10**9, 10**9))
    merge = "merge:sh -c 'cat \"$@\" >{out}' merge {b} {a}"
    far("repair", a, far.at("B"), "--conflicts", merge).expect(0)
    assert not judge(a, b)
    assert ((b / "log").read_text(), (b / "x").read_text()) == ("by A\nby B, later\n", "edited here")


@pytest.mark.slow
def test_whoever_is_at_work_there_is_waited_for_and_an_agent_goes_on_later(far: Far, tmp_path: Path) -> None:
    a, b = tmp_path / "A", far.home / "B"
    tree(a, {"gone": "x", "d/f": "y"})
    far("repair", a, far.at("B")).expect(0)
    (a / "gone").unlink()
    lease, sidecar = b / ".aefsync" / "lease", b / ".aefsync" / "sidecar.db"
    lease.write_text("box pid 1, run 20260101T000000Z-0000 0000\n")
    before = sidecar.read_bytes()
    assert b"another run is at work on this root (box pid 1" in far("repair", a, far.at("B")).expect(6).err
    assert (sidecar.read_bytes(), (b / "gone").exists()) == (before, True)
    os.utime(lease, (1, 1))
    far("repair", a, far.at("B")).expect(0)
    assert not lease.exists()
    assert not (b / "gone").exists()

    far.server.far(far.home)
    (b / "d" / "f").unlink()
    summary = far("repair", a, f"box:{b}", "--transport", "paramiko", "--json").expect(0).summary
    assert (summary["deleted"], summary["conflicts"], summary["copied_files"], summary["equal"]) == (1, 0, 0, True)
    assert not (a / "d" / "f").exists()
