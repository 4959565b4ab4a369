"""Things that change under a run: files that vanish or change while they are read, targets edited in the meantime."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.e2e.conftest import Pair
from tests.e2e.freeze import frozen, held
from tests.e2e.program import Program
from tests.support.trees import BASE_NS, SECOND, judge, survey, tree, write

pytestmark = pytest.mark.usefixtures("last_write_wins")

LATER = BASE_NS + 60 * SECOND
OPEN = "openat,openat2"
HOT = "hot-file"


def everything(root: Path) -> list[bytes]:
    """All contents below a root, the trash included."""
    return [path.read_bytes() for path in root.rglob("*") if path.is_file()]


def test_a_file_that_vanishes_before_it_is_read(aefsync: Program, pair: Pair, tmp_path: Path) -> None:
    for root in pair:
        tree(root, {HOT: "1", "other": "2"})
    with held(aefsync, tmp_path / "log", f"{OPEN}:when=1", (HOT, pair.a / HOT), "diff", *pair) as run:
        (pair.a / HOT).unlink()
        done = run.go_on().expect(0, 1)
    assert not done.out or done.lines == [f"> {HOT}"]


@pytest.mark.parametrize("grows", [True, False])
def test_a_file_that_changes_while_it_is_read(aefsync: Program, pair: Pair, tmp_path: Path, grows: bool) -> None:
    """Stopped right after the open, which comes after the scan's stat: what is read is not what was seen."""
    for root in pair:
        tree(root, {HOT: "old", "other": "2"})
    with frozen(aefsync, tmp_path / "log", f"{OPEN}:when=1", (HOT, pair.a / HOT), "diff", *pair) as run:
        with (pair.a / HOT).open("r+b") as file:
            file.write(b"newer" if grows else b"new")
        done = run.go_on()
    done.expect(0, 1, 2)
    assert aefsync("diff", *pair).expect(1).lines == [f"* {HOT}"], "nothing false is in the index"


def test_a_source_that_changes_while_it_is_copied(aefsync: Program, pair: Pair, tmp_path: Path) -> None:
    tree(pair.a, {HOT: "first version", "other": "x"}, mtime_ns=LATER)
    tree(pair.b, {"other": "y!"})
    with frozen(aefsync, tmp_path / "log", f"{OPEN}:when=1", (HOT, pair.a / HOT), "repair", *pair) as run:
        write(pair.a / HOT, b"second", mtime_ns=LATER + 1)
        run.go_on().expect(0, 1, 4)
    assert (pair.b / "other").read_bytes() == b"x"
    if (pair.b / HOT).exists():
        assert (pair.b / HOT).read_bytes() in {b"first version", b"second"}, "never a mixture"
    aefsync("repair", *pair).expect(0)
    assert judge(*pair) == []


def test_a_source_that_vanishes_before_it_is_copied(aefsync: Program, pair: Pair, tmp_path: Path) -> None:
    tree(pair.a, {HOT: "first version", "other": "x"}, mtime_ns=LATER)
    tree(pair.b, {"other": "y!"})
    with held(aefsync, tmp_path / "log", f"{OPEN}:when=1", (HOT, pair.a / HOT), "repair", *pair) as run:
        (pair.a / HOT).unlink()
        run.go_on().expect(0, 1, 4)
    assert not (pair.b / HOT).exists()
    assert (pair.b / "other").read_bytes() == b"x"
    aefsync("repair", *pair).expect(0)
    assert judge(*pair) == []


@pytest.mark.parametrize("how", ["in place", "by rename", "deleted", "made a directory", "made a link"])
def test_a_target_edited_between_scan_and_apply(aefsync: Program, pair: Pair, tmp_path: Path, how: str) -> None:
    """Stopped as the source is opened: the target has been seen by then."""
    outside = tree(tmp_path / "outside", {"secret": "keep"})
    tree(pair.a, {HOT: "the newer one"}, mtime_ns=LATER)
    tree(pair.b, {HOT: "old"})
    with frozen(aefsync, tmp_path / "log", f"{OPEN}:when=1", (HOT, pair.a / HOT), "repair", *pair) as run:
        edit(pair.b / HOT, how, outside)
        after = survey(pair.b, exact=True)
        done = run.go_on().expect(0, 1, 4)
    if done.code:
        assert HOT.encode() in done.out + done.err
        assert survey(pair.b, exact=True).items() >= after.items(), "what was edited is not overwritten by this run"
    else:
        assert judge(*pair) == [], "seen in time"
    assert [path.read_text() for path in outside.iterdir()] == ["keep"]
    aefsync("repair", *pair).expect(0, 1)
    assert judge(*pair) == []
    if how in {"in place", "by rename"}:
        assert b"edited" in everything(pair.b), "at its path, in a conflict copy or in the trash"


def edit(path: Path, how: str, outside: Path) -> None:
    if how == "by rename":
        write(path.with_name("x.tmp"), b"edited", mtime_ns=BASE_NS + SECOND)
        path.with_name("x.tmp").rename(path)
        return
    if how == "in place":
        with path.open("r+b") as file:
            file.write(b"edited")
        return
    path.unlink()
    if how == "made a directory":
        tree(path, {"inside": "1"})
    elif how == "made a link":
        path.symlink_to(outside / "secret")


def test_an_edit_at_the_last_moment_survives(aefsync: Program, pair: Pair, tmp_path: Path) -> None:
    """Stopped at the very rename that replaces the target, after the last look at it."""
    tree(pair.a, {HOT: "the newer one"}, mtime_ns=LATER)
    tree(pair.b, {HOT: "old"})
    with held(aefsync, tmp_path / "log", "renameat2:when=1", (HOT, pair.b / HOT), "repair", *pair) as run:
        edit(pair.b / HOT, "by rename", pair.b)
        run.go_on().expect(0, 1, 4)
    assert b"edited" in everything(pair.b)
    assert not any(
        b"edited" in path.read_bytes() for path in (pair.b / ".aefsync" / "tmp").rglob("*") if path.is_file()
    )
    aefsync("repair", *pair).expect(0, 1)
    assert judge(*pair) == []


def test_a_file_created_at_the_last_moment_survives(aefsync: Program, pair: Pair, tmp_path: Path) -> None:
    tree(pair.a, {HOT: "from A", "other": "x"})
    tree(pair.b, {"other": "x"})
    with held(aefsync, tmp_path / "log", "renameat2:when=1", (HOT, pair.b / HOT), "repair", *pair) as run:
        write(pair.b / HOT, b"edited", mtime_ns=LATER)
        run.go_on().expect(1, 4)
    assert (pair.b / HOT).read_bytes() == b"edited"
    aefsync("repair", *pair).expect(0)
    assert (pair.a / HOT).read_bytes() == b"edited"


def test_a_delete_does_not_take_an_edit_with_it(aefsync: Program, pair: Pair, tmp_path: Path) -> None:
    tree(pair.a, {"other": "x"})
    tree(pair.b, {"other": "x", HOT: "extra"})
    call = "renameat2,renameat,rename:when=1"
    with held(aefsync, tmp_path / "log", call, (HOT, pair.b / HOT), "repair", "--mirror", *pair) as run:
        write(pair.b / HOT, b"edited, and longer", mtime_ns=LATER)
        run.go_on().expect(0, 1, 4)
    assert b"edited, and longer" in everything(pair.b)


def test_a_directory_swapped_for_a_link_is_not_followed(aefsync: Program, pair: Pair, tmp_path: Path) -> None:
    outside = tree(tmp_path / "outside", {"deep/keep": "keep"})
    tree(pair.a, {f"dir/deep/{HOT}": "new", "dir/deep/x": "1"}, mtime_ns=LATER)
    tree(pair.b, {"dir/deep/x": "1"}, mtime_ns=LATER)
    source = (HOT, pair.a / "dir" / "deep" / HOT)
    with frozen(aefsync, tmp_path / "log", f"{OPEN}:when=1", source, "repair", *pair) as run:
        (pair.b / "dir").rename(pair.b / "moved")
        os.symlink(outside, pair.b / "dir")
        run.go_on().expect(1, 4)
    assert [path.name for path in (outside / "deep").iterdir()] == ["keep"], "nothing is written outside the root"
