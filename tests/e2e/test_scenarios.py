"""What becomes of people's files in sessions by versions, one story a test, told by the real program (groups that
change: `test_groups`)."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.e2e.program import Program
from tests.e2e.replicas import Replicas
from tests.support.trees import BASE_NS, survey, tree


@pytest.fixture
def pair(aefsync: Program, tmp_path: Path) -> Replicas:
    """Two that agree."""
    pair = Replicas(aefsync, tmp_path, 2)
    for path in ("a.txt", "d/x", "d/y", "e/other"):
        pair.everywhere(path, path[-1])
    pair.meet()
    return pair


LEFT = {"a.txt": "t", "d/": "", "d/x": "x", "d/y": "y", "e/": "", "e/other": "r"}


def test_first_contact_of_equal_trees(aefsync: Program, tmp_path: Path) -> None:
    pair = Replicas(aefsync, tmp_path, 2)
    pair.everywhere("a.txt", "a")
    pair.everywhere("d/x", "x")
    before = [survey(root, exact=True) for root in pair.roots]
    met = pair.meet()
    assert (met.actions, met.conflicts, met.summary["literal_bytes"], met.summary["equal"]) == ([], [], 0, True)
    assert [survey(root, exact=True) for root in pair.roots] == before
    pair.quiet()


def test_the_same_edit_on_both_sides(pair: Replicas) -> None:
    pair.everywhere("a.txt", "edited alike")
    pair.everywhere("new/file", "made alike")
    pair.quiet()
    pair.write(0, "a.txt", "and on")
    assert pair.meet().conflicts == []
    assert pair.agreed()["a.txt"] == "and on"


def test_touching_every_file_moves_no_content(pair: Replicas) -> None:
    for path in pair.roots[0].rglob("*"):
        if ".aefsync" not in path.parts:
            os.utime(path, ns=(BASE_NS, BASE_NS))
    met = pair.meet()
    assert {action for action, _ in met.actions} == {"metadata"}
    assert (met.summary["literal_bytes"], met.summary["reused_bytes"], met.summary["copied_files"]) == (0, 0, 0)
    pair.agreed()
    pair.quiet()


def test_a_tree_deleted_here_and_edited_inside_there(pair: Replicas) -> None:
    pair.delete(0, "d")
    pair.delete(0, "e")
    pair.write(1, "d/x", "edited")
    assert pair.meet().conflicts == []
    assert pair.agreed() == {"a.txt": "t", "d/": "", "d/x": "edited"}
    pair.quiet()


def test_a_file_replaced_by_a_directory_and_the_reverse(pair: Replicas) -> None:
    pair.delete(0, "a.txt")
    pair.write(0, "a.txt/inside", "1")
    pair.delete(0, "d")
    pair.write(0, "d", "a file now")
    assert pair.meet().conflicts == []
    assert pair.agreed() == {"a.txt/": "", "a.txt/inside": "1", "d": "a file now", "e/": "", "e/other": "r"}
    pair.quiet()


def test_a_file_replaced_by_a_directory_here_and_edited_there_and_the_reverse(pair: Replicas) -> None:
    pair.delete(0, "a.txt")
    pair.write(0, "a.txt/inside", "1")
    pair.write(1, "a.txt", "edited there")
    pair.delete(1, "d")
    pair.write(1, "d", "a file there")
    pair.write(0, "d/x", "edited here")
    assert sorted(pair.meet(code=1).conflicts) == ["a.txt", "d"]
    agreed = pair.agreed()
    assert (agreed["a.txt/inside"], agreed["d/x"]) == ("1", "edited here")
    assert {"edited there", "a file there"} < set(agreed.values())
    assert "d/y" not in agreed
    pair.quiet()


FOLDING = """
import os, runpy, sys
from aefsync.sync import child
spawn = child.spawn_entry
def poor(module, words, descriptors, *, before=(), asks=False):
    return spawn(module, words, descriptors, before=(*before, {patch!r}), asks=asks)
child.spawn_entry = poor
sys.argv = sys.argv[3:]
runpy.run_module("aefsync", run_name="__main__", alter_sys=True)
"""
"""Runs the program with processes of replicas that are told something else of a file system."""
PATCH = (
    "import os; from aefsync.core.stores import Folding; from aefsync.disk import opening; told = opening.stores_of; "
    "opening.stores_of = lambda fd, home, **tries: told(fd, home, **tries)._replace(folding=(Folding.CASE | Folding.FORMS) "
    "* (os.fstat(fd).st_ino == {inode}))"
)


def test_names_that_a_target_folds_are_reported_and_neither_is_written(aefsync: Program, tmp_path: Path) -> None:
    pair = Replicas(aefsync, tmp_path, 2)
    pair.write(0, "plain", "plain")
    pair.meet()
    for name in ("Case", "case", "caf\u00e9", "cafe\u0301", "Straße/x"):
        pair.write(0, name, f"content of {name}")
    pair.write(0, "beside", "beside")
    patch = PATCH.format(inode=os.stat(pair.roots[1]).st_ino)
    folding = aefsync.under(sys.executable, "-c", FOLDING.format(patch=patch))
    for _ in range(2):
        met = pair.meet(by=folding, code=1)
        told = {each["path"]: each["reason"] for each in met.events if each["event"] == "problem"}
        assert set(told) == {"Case", "case", "caf\u00e9", "cafe\u0301"}
        assert sorted(os.listdir(pair.roots[1])) == [".aefsync", "Straße", "beside", "plain"]
    pair.delete(0, "case")
    pair.delete(0, "cafe\u0301")
    pair.meet(by=folding)
    assert set(pair.agreed()) == {"plain", "beside", "Case", "caf\u00e9", "Straße/", "Straße/x"}


def test_a_rename_here_and_an_edit_there(pair: Replicas) -> None:
    pair.rename(0, "a.txt", "b.txt")
    pair.write(1, "a.txt", "edited")
    assert pair.meet().conflicts == []
    assert pair.agreed() == {**LEFT, "a.txt": "edited", "b.txt": "t"}
    pair.quiet()


def test_both_rename_the_same_file_differently(pair: Replicas) -> None:
    pair.rename(0, "a.txt", "b.txt")
    pair.rename(1, "a.txt", "c.txt")
    met = pair.meet()
    assert (met.conflicts, met.summary["literal_bytes"]) == ([], 0)
    left = {path: text for path, text in LEFT.items() if path != "a.txt"}
    assert pair.agreed() == {**left, "b.txt": "t", "c.txt": "t"}
    pair.quiet()


def test_names_swapped(pair: Replicas) -> None:
    for old, new in (("d/x", "z"), ("d/y", "d/x"), ("z", "d/y"), ("d", "z"), ("e", "d"), ("z", "e")):
        pair.rename(0, old, new)
    met = pair.meet()
    assert (met.conflicts, met.summary["literal_bytes"], met.summary["deleted"]) == ([], 0, 0)
    assert pair.agreed() == {"a.txt": "t", "d/": "", "d/other": "r", "e/": "", "e/x": "y", "e/y": "x"}
    pair.quiet()


def test_a_directory_moved_into_its_sibling(pair: Replicas) -> None:
    pair.rename(0, "d", "e/d")
    pair.write(1, "d/x", "edited there")
    met = pair.meet()
    assert met.conflicts == []
    agreed = pair.agreed()
    assert (agreed["e/d/y"], agreed["d/x"]) == ("y", "edited there")
    assert "d/y" not in agreed
    pair.quiet()


def test_a_directory_alone_is_one_move(pair: Replicas) -> None:
    pair.rename(0, "d", "e/d")
    assert pair.meet().actions == [("move", "e/d")]
    assert pair.agreed() == {"a.txt": "t", "e/": "", "e/d/": "", "e/d/x": "x", "e/d/y": "y", "e/other": "r"}
    pair.quiet()


def test_more_than_half_of_the_files_renamed_are_no_deletions(aefsync: Program, tmp_path: Path) -> None:
    pair = Replicas(aefsync, tmp_path, 2)
    for root in pair.roots:
        tree(root, {f"f{number}": f"content {number}" for number in range(40)})
    pair.meet()
    for number in range(30):
        pair.rename(0, f"f{number}", f"g{number}")
    met = pair.meet()
    assert (met.summary["deleted"], met.summary["moved"], met.summary["literal_bytes"]) == (0, 30, 0)
    assert len(pair.agreed()) == 40
    pair.quiet()


def test_the_sidecar_of_one_side_deleted(pair: Replicas) -> None:
    for place in (pair.roots[0] / ".aefsync").glob("sidecar.db*"):
        place.unlink()
    pair.write(1, "a.txt", "edited since")
    pair.write(0, "d/x", "edited here, too")
    pair.delete(1, "e/other")
    met = pair.meet(code=1)
    # What is not as others know it may be an edit: nothing tells any more; what was deleted comes back.
    assert met.conflicts == ["d/x"]
    agreed = pair.agreed()
    assert agreed["a.txt"] == "edited since"
    assert {"edited here, too", "x"} < set(agreed.values())
    pair.quiet()


def test_filters_that_change_are_no_deletions(pair: Replicas) -> None:
    pair.meet(options=["--exclude", "d"])
    pair.delete(0, "a.txt")
    pair.write(1, "d/x", "edited where nobody looked")
    pair.meet(options=["--exclude", "d"])
    assert not (pair.roots[1] / "a.txt").exists()
    pair.meet(options=["--path", "e"])
    (pair.roots[1] / ".aefsyncignore").write_text("e\n")
    pair.delete(0, "e/other")
    pair.meet()
    assert (pair.roots[1] / "e/other").exists()
    for root in pair.roots:
        (root / ".aefsyncignore").write_text("")
    pair.meet()
    assert pair.agreed() == {".aefsyncignore": "", "d/": "", "d/x": "edited where nobody looked", "d/y": "y", "e/": ""}
    pair.quiet()
