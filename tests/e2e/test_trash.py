"""`trash`: what a repair replaced or deleted is listed, and comes back."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.e2e.conftest import Pair
from tests.e2e.program import Program
from tests.support.trees import BASE_NS, SECOND, link, survey, tree, write

LATER = BASE_NS + SECOND


@pytest.fixture
def used(aefsync: Program, pair: Pair) -> Pair:
    """A pair after a mirror run that replaced and deleted things on B."""
    tree(pair.a, {"changed": "new", "dir/keep": "1"}, mtime_ns=LATER)
    tree(pair.b, {"changed": "old", "dir/keep": "1", "dir/gone": "deleted", "tree/x": "1", "tree/y/z": "2"})
    write(pair.b / "dir" / "keep", b"1", mtime_ns=LATER)
    write(os.fsencode(pair.b) + b"/odd\n\xff", b"odd", mode=0o600)
    link(pair.b / "link", b"nowhere")
    aefsync("repair", "--mirror", *pair).expect(0)
    return pair


def lines_for(aefsync: Program, *args: str | Path) -> list[str]:
    return aefsync("trash", *args).expect(0).lines


def test_list(aefsync: Program, used: Pair) -> None:
    lines = lines_for(aefsync, used.b, "list")
    for path, why in (("changed", "replaced"), ("dir/gone", "deleted"), ("tree", "deleted"), ("link", "deleted")):
        assert any(why in line and path in line for line in lines), (path, lines)
    assert lines_for(aefsync, *used, "list")
    assert all("dir" in line for line in lines_for(aefsync, used.b, "list", "dir"))
    assert lines_for(aefsync, used.a, "list") == []
    events = aefsync("trash", used.b, "list", "--json").expect(0).events
    assert {"changed", "dir/gone"} <= {each.get("path") for each in events}
    assert events[-1]["event"] == "summary"


def test_listing_writes_nothing(aefsync: Program, used: Pair) -> None:
    before = [survey(root, exact=True) for root in used]
    aefsync("trash", *used, "list").expect(0)
    assert [survey(root, exact=True) for root in used] == before
    assert not (used.a / ".aefsync").exists()


def test_restore_swaps_with_what_is_there(aefsync: Program, used: Pair) -> None:
    aefsync("trash", used.b, "restore", "changed").expect(0)
    assert (used.b / "changed").read_text() == "old"
    assert os.stat(used.b / "changed").st_mtime_ns == BASE_NS
    aefsync("trash", used.b, "restore", "changed").expect(0)
    assert (used.b / "changed").read_text() == "new"


def test_restore_what_was_deleted(aefsync: Program, used: Pair) -> None:
    aefsync("trash", used.b, "restore", "dir/gone").expect(0)
    assert (used.b / "dir" / "gone").read_text() == "deleted"
    aefsync("trash", used.b, "restore", "tree").expect(0)
    assert (used.b / "tree" / "x").read_text() == "1"
    assert (used.b / "tree" / "y" / "z").read_text() == "2"
    aefsync("trash", used.b, "restore", "link").expect(0)
    assert os.readlink(used.b / "link") == "nowhere"
    aefsync("trash", used.b, "restore", b"odd\n\xff").expect(0)
    assert os.stat(os.fsencode(used.b) + b"/odd\n\xff").st_mode & 0o777 == 0o600
    aefsync("diff", *used).expect(1)


def test_restore_to_another_place(aefsync: Program, used: Pair, tmp_path: Path) -> None:
    before = survey(used.b, exact=True)
    aefsync("trash", used.b, "restore", "dir/gone", "--to", tmp_path / "elsewhere").expect(0)
    assert [path.read_text() for path in (tmp_path / "elsewhere").rglob("*") if path.is_file()] == ["deleted"]
    assert survey(used.b, exact=True) == before


def test_restore_of_what_is_not_there(aefsync: Program, used: Pair) -> None:
    before = survey(used.b, exact=True)
    done = aefsync("trash", used.b, "restore", "never/was").expect(1, 2, 3)
    assert b"never/was" in done.err + done.out
    for path in ("../outside", "/etc/passwd", ".aefsync/lock"):
        aefsync("trash", used.b, "restore", path).expect(1, 2, 3)
    assert survey(used.b, exact=True) == before


def test_purge(aefsync: Program, used: Pair) -> None:
    aefsync("trash", used.b, "purge", "--older-than", "1d").expect(0)
    assert lines_for(aefsync, used.b, "list")
    aefsync("trash", used.b, "purge", "--older-than", "0s").expect(0)
    assert lines_for(aefsync, used.b, "list") == []
    aefsync("trash", used.b, "purge", "--older-than", "soon").expect(2)


def test_selection_by_run_and_age(aefsync: Program, used: Pair) -> None:
    assert lines_for(aefsync, used.b, "list", "--since", "2d")
    (run,) = [path.name for path in (used.b / ".aefsync" / "trash").iterdir()]
    assert lines_for(aefsync, used.b, "list", "--run", run) == lines_for(aefsync, used.b, "list")
    assert lines_for(aefsync, used.b, "list", "--run", "20000101T000000Z-0000") == []


@pytest.mark.usefixtures("last_write_wins")
def test_every_version_is_kept(aefsync: Program, pair: Pair) -> None:
    for root in pair:
        tree(root, {"x": "v0"})
    for number in (1, 2, 3):
        write(pair.a / "x", b"v%d" % number, mtime_ns=BASE_NS + number * SECOND)
        aefsync("repair", *pair).expect(0)
    kept = sorted(path.read_text() for path in (pair.b / ".aefsync" / "trash").rglob("x"))
    assert kept == ["v0", "v1", "v2"]


def test_what_was_a_file_and_a_directory_comes_back_as_what_it_was_last(aefsync: Program, pair: Pair) -> None:
    write(pair.b / "x", b"file")
    tree(pair.a, {"other": "1"})
    aefsync("repair", "--mirror", *pair).expect(0)
    tree(pair.b, {"x/in": "1"})
    aefsync("repair", "--mirror", *pair).expect(0)
    aefsync("trash", pair.b, "restore", "x").expect(0)
    assert (pair.b / "x/in").read_text() == "1"
    aefsync("trash", pair.b, "restore", "x", "--at", "2001-01-01").expect(0)
    assert (pair.b / "x").read_text() == "file"
