"""`repair`, last write wins: who wins, what is kept, what is printed, and that a second one does nothing."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

import pytest

from tests.e2e.conftest import Pair
from tests.e2e.program import ORDINARY, Program
from tests.support.trees import BASE_NS, SECOND, judge, link, survey, tree, write

pytestmark = pytest.mark.usefixtures("last_write_wins")

LATER = BASE_NS + 60 * SECOND


def trashed(root: Path) -> list[bytes]:
    """The contents of all files in a root's trash."""
    files = (path for path in (root / ".aefsync" / "trash").rglob("*") if path.is_file())
    return sorted(path.read_bytes() for path in files if path.name != ".bytes")


def untouched(roots: Pair) -> list[object]:
    return [survey(root, exact=True) for root in roots]


def test_the_newest_wins_and_nothing_is_deleted(aefsync: Program, pair: Pair) -> None:
    tree(pair.a, {"new-in-a": "from A", "both": "same", "only/a": "1"})
    tree(pair.b, {"new-in-b": "from B", "both": "same", "only/b": "2", "empty/": None})
    write(pair.a / "new-in-b", b"old", mtime_ns=BASE_NS - 1)
    write(pair.b / "new-in-a", b"old!", mtime_ns=BASE_NS - 1)
    aefsync("repair", *pair).expect(0)
    for root in pair:
        assert {str(path.relative_to(root)): path.read_text() for path in root.glob("*-in-*")} == {
            "new-in-a": "from A",
            "new-in-b": "from B",
        }
        assert (root / "only" / "a").exists()
        assert (root / "only" / "b").exists()
        assert (root / "empty").is_dir()
    assert judge(*pair) == []
    assert b"old" in trashed(pair.a)
    assert b"old!" in trashed(pair.b)
    assert aefsync("diff", *pair).expect(0).out == b""


def test_a_run_that_replaced_ends_with_one_line(aefsync: Program, pair: Pair) -> None:
    tree(pair.a, {"x": "newer"}, mtime_ns=LATER)
    tree(pair.b, {"x": "old"})
    first = aefsync("repair", *pair).expect(0)
    assert b"1" in first.out + first.err
    assert aefsync("repair", *pair).expect(0).out == b""


def test_metadata_follows_the_newest(aefsync: Program, pair: Pair) -> None:
    for root in pair:
        tree(root, {"time": "x", "mode": "y", "dir/f": "z"})
    os.utime(pair.b / "time", ns=(LATER, LATER))
    os.chmod(pair.b / "mode", 0o600)
    os.chmod(pair.b / "dir", 0o700)
    inodes = [os.stat(pair.a / name).st_ino for name in ("time", "mode")]
    aefsync("repair", *pair).expect(0)
    assert judge(*pair) == []
    assert os.stat(pair.a / "time").st_mtime_ns == LATER
    assert os.stat(pair.a / "mode").st_mode & 0o777 == 0o600, "the later change of mode"
    assert [os.stat(pair.a / name).st_ino for name in ("time", "mode")] == inodes, "contents stay where they are"
    assert trashed(pair.a) == []


def test_links_are_links(aefsync: Program, pair: Pair, tmp_path: Path) -> None:
    tree(tmp_path / "outside", {"secret": "keep"})
    tree(pair.a, {})
    tree(pair.b, {"to-dir/inside": "1"})
    link(pair.a / "absolute", os.fsencode(tmp_path / "outside"))
    link(pair.a / "changed", b"new", mtime_ns=LATER)
    link(pair.b / "changed", b"old")
    link(pair.a / "to-file", b"x")
    write(pair.b / "to-file", b"older file", mtime_ns=BASE_NS - 1)
    aefsync("repair", *pair).expect(0)
    assert os.readlink(pair.b / "absolute") == str(tmp_path / "outside")
    assert os.readlink(pair.b / "changed") == "new"
    assert os.readlink(pair.b / "to-file") == "x"
    assert b"older file" in trashed(pair.b)
    assert judge(*pair) == []
    assert [each.name for each in (tmp_path / "outside").iterdir()] == ["secret"]


def test_a_second_repair_does_nothing_at_all(aefsync: Program, pair: Pair) -> None:
    tree(pair.a, {"x": "1", "d/y": "2"}, mtime_ns=LATER)
    tree(pair.b, {"x": "0", "e/z": "3"})
    aefsync("repair", *pair).expect(0)
    before = untouched(pair)
    done = aefsync("repair", "--json", *pair).expect(0)
    assert untouched(pair) == before
    assert [each for each in done.events if each["event"] == "action"] == []
    summary = done.summary
    assert summary["equal"] is True
    assert summary["copied_files"] == summary["deleted"] == summary["literal_bytes"] == 0
    assert summary["root"][0] == summary["root"][1]


def test_dry_run_changes_nothing_and_prints_the_plan(aefsync: Program, pair: Pair) -> None:
    tree(pair.a, {"x": "newer", "new/y": "1"}, mtime_ns=LATER)
    tree(pair.b, {"x": "old", "z": "1"})
    before = untouched(pair)
    dry = aefsync("repair", "-n", *pair).expect(0)
    assert untouched(pair) == before
    assert not any((root / ".aefsync").exists() for root in pair)
    assert aefsync("repair", "--dry-run", *pair).expect(0).lines == dry.lines
    assert "A>B copy x" in dry.lines
    real = aefsync("repair", "-i", *pair).expect(0)
    assert [line for line in real.lines if re.match(r"\w?>\w ", line)] == [
        line for line in dry.lines if re.match(r"\w?>\w ", line)
    ]


def test_itemize_says_who_gives_to_whom(aefsync: Program, pair: Pair) -> None:
    for root in pair:
        write(root / "mode", b"", mode=0o600 if root is pair.a else 0o644)
    tree(pair.a, {"changed": "newer", "dir/": None}, mtime_ns=LATER)
    tree(pair.b, {"changed": "old", "created": "1"})
    link(pair.a / "link", b"x")
    lines = aefsync("repair", "--itemize-changes", *pair).expect(0).lines
    assert {"A>B copy changed", "B>A create created", "A>B mkdir dir/", "A>B link link"} <= set(lines) | {
        f"{line}/" for line in lines
    }
    assert any(re.fullmatch(r"[AB]>[AB] metadata mode.*", line) for line in lines)


def test_json_of_repair(aefsync: Program, pair: Pair) -> None:
    tree(pair.a, {"x": "newer"}, mtime_ns=LATER)
    tree(pair.b, {"x": "old", "y": "12345"})
    done = aefsync("repair", "--json", *pair).expect(0)
    actions = {each["path"]: each for each in done.events if each["event"] == "action"}
    assert (actions["x"]["action"], actions["x"]["from"], actions["x"]["to"]) == ("copy", 0, [1])
    assert (actions["y"]["action"], actions["y"]["from"], actions["y"]["to"]) == ("create", 1, [0])
    assert actions["y"]["bytes"] == 5
    summary = done.summary
    assert (summary["exit_code"], summary["equal"], summary["causes"]) == (0, True, [])
    assert (summary["copied_files"], summary["entries"], summary["verified"]) == (2, [2, 2], True)


@pytest.mark.parametrize("content", [(b"good", b"baad"), (b"x" * 200_000, b"y" * 200_000)])
def test_same_stat_and_other_bytes_is_left_standing(aefsync: Program, pair: Pair, content: tuple[bytes, bytes]) -> None:
    for root, data in zip(pair, content, strict=True):
        tree(root, {"other": "x"})
        write(root / "file", data)
    before = untouched(pair)
    done = aefsync("repair", *pair).expect(1)
    assert untouched(pair) == before
    assert b"file" in done.out + done.err
    summary = aefsync("repair", "--json", *pair).expect(1).summary
    assert summary["suspects"] == 1
    assert summary["equal"] is False
    assert aefsync("diff", *pair).expect(1).lines == ["? file"]


def test_two_of_three_decide_which_copy_is_damaged(aefsync: Program, tmp_path: Path) -> None:
    roots = [tree(tmp_path / name, {"file": "good"}) for name in "ABC"]
    write(roots[1] / "file", b"baad")
    aefsync("repair", *roots).expect(0)
    assert [(root / "file").read_bytes() for root in roots] == [b"good"] * 3
    assert trashed(roots[1]) == [b"baad"]


@pytest.mark.parametrize("swap", [False, True])
def test_a_file_against_a_directory_keeps_both(aefsync: Program, pair: Pair, swap: bool) -> None:
    first, second = (pair.b, pair.a) if swap else (pair.a, pair.b)
    tree(first, {"x.txt": "the file"}, mtime_ns=LATER)
    tree(second, {"x.txt/inside": "1"})
    done = aefsync("repair", *pair).expect(1)
    assert judge(*pair) == []
    for root in pair:
        assert (root / "x.txt" / "inside").read_text() == "1"
        copies = [
            path for path in root.iterdir() if re.fullmatch(r"x\.conflict-\d{8}T\d{6}Z-[0-9a-f]{8}\.txt", path.name)
        ]
        assert [path.read_text() for path in copies] == ["the file"]
    assert b"conflict" in done.out + done.err
    again = untouched(pair)
    aefsync("repair", *pair).expect(0)
    assert untouched(pair) == again


def test_a_file_from_the_future_is_left_standing(aefsync: Program, pair: Pair) -> None:
    future = time.time_ns() + 86_400 * SECOND
    tree(pair.a, {"x": "future"}, mtime_ns=future)
    tree(pair.b, {"x": "old"})
    before = untouched(pair)
    aefsync("repair", *pair).expect(1)
    assert untouched(pair) == before


def test_equal_mtime_and_other_size_ends_the_same_whoever_asks(aefsync: Program, tmp_path: Path) -> None:
    results = []
    for order in ("AB", "BA"):
        for name, data in (("A", "short"), ("B", "longer")):
            tree(tmp_path / order / name, {"x": data})
        aefsync("repair", *(tmp_path / order / name for name in order)).expect(0)
        results += [(tmp_path / order / name / "x").read_text() for name in order]
    assert len(set(results)) == 1


def test_read_only_directories_are_written_into_and_put_back(aefsync: Program, pair: Pair) -> None:
    for root in pair:
        tree(root, {"ro/below/old": "x", "ro/changed": "old"})
    write(pair.a / "ro" / "below" / "new", b"new")
    write(pair.a / "ro" / "changed", b"newer", mtime_ns=LATER)
    for root in pair:
        (root / "ro" / "below").chmod(0o555)
        (root / "ro").chmod(0o555)
    aefsync.under(*ORDINARY)("repair", *pair).expect(0)
    assert (pair.b / "ro" / "below" / "new").read_text() == "new"
    assert (pair.b / "ro" / "changed").read_text() == "newer"
    assert judge(*pair) == []
    for root in pair:
        assert [os.stat(root / part).st_mode & 0o777 for part in ("ro", "ro/below")] == [0o555] * 2


def test_unreadable_things_are_reported_and_the_rest_is_done(aefsync: Program, pair: Pair) -> None:
    for root in pair:
        tree(root, {"shut/inside": "1", "file": "x"})
    tree(pair.a, {"new": "1"})
    (pair.b / "shut").chmod(0)
    done = aefsync.under(*ORDINARY)("repair", *pair).expect(4)
    (pair.b / "shut").chmod(0o755)
    assert b"shut" in done.out + done.err
    assert (pair.b / "new").exists()
    assert (pair.a / "shut" / "inside").exists(), "unknown is not absent"
    aefsync("repair", *pair).expect(0)
    assert judge(*pair) == []


def test_what_a_fifo_is_in_the_place_of_is_told_as_such(aefsync: Program, pair: Pair) -> None:
    tree(pair.a, {"file": "x", "new": "1", "d/in": "2"})
    tree(pair.b, {"other": "3"})
    for name in ("file", "d"):
        os.mkfifo(pair.b / name)
    done = aefsync("repair", *pair).expect(4)
    told = done.out + done.err
    for name in (b"file", b"d"):
        assert b"! B %s: a device, pipe or socket is in its place" % name in told
    assert b"since the scan" not in told
    assert ((pair.b / "new").exists(), (pair.a / "other").exists()) == (True, True)
    for name in ("file", "d"):
        (pair.b / name).unlink()
    aefsync("repair", *pair).expect(0)
    assert judge(*pair) == []


def test_an_unreadable_source_is_reported_and_the_rest_is_done(aefsync: Program, pair: Pair) -> None:
    tree(pair.a, {"locked": "secret", "new": "1"})
    tree(pair.b, {})
    (pair.a / "locked").chmod(0)
    done = aefsync.under(*ORDINARY)("repair", *pair).expect(4)
    assert b"locked" in done.out + done.err
    assert (pair.b / "new").read_text() == "1"
    assert not (pair.b / "locked").exists()


def test_special_bits_are_dropped_and_specials_skipped(aefsync: Program, pair: Pair) -> None:
    tree(pair.a, {"setuid": "x", "dir/": None, "plain": "y"})
    tree(pair.b, {})
    (pair.a / "setuid").chmod(0o6755)
    (pair.a / "dir").chmod(0o3777)
    os.mkfifo(pair.a / "fifo")
    done = aefsync("repair", *pair).expect(0)
    assert os.stat(pair.b / "setuid").st_mode & 0o7777 == 0o755
    assert os.stat(pair.b / "dir").st_mode & 0o7777 == 0o777
    assert not (pair.b / "fifo").exists()
    assert len([line for line in done.err.splitlines() if b"FIFO" in line]) == 1, "one notice"
    aefsync("diff", *pair).expect(0)


def test_hard_links_of_the_user_are_not_written_through(aefsync: Program, pair: Pair) -> None:
    tree(pair.a, {"x": "newer"}, mtime_ns=LATER)
    tree(pair.b, {"x": "old"})
    os.link(pair.b / "x", pair.b / "y")
    aefsync("repair", *pair).expect(0)
    assert (pair.b / "y").read_text() == "old"
    assert (pair.b / "x").read_text() == "newer"


def test_three_replicas_agree_after_one_run(aefsync: Program, tmp_path: Path) -> None:
    roots = [tree(tmp_path / name, {"same": "x", f"only-{name}": name}) for name in "ABC"]
    write(roots[1] / "same", b"newest", mtime_ns=LATER)
    aefsync("repair", *roots).expect(0)
    assert judge(roots[0], roots[1]) == judge(roots[1], roots[2]) == []
    assert (roots[2] / "same").read_text() == "newest"
    assert (roots[2] / "only-A").exists()


def test_aefsync_directories_are_never_part_of_the_tree(aefsync: Program, pair: Pair) -> None:
    tree(pair.a, {"x": "1", "deep/.aefsync/id": "foreign"})
    tree(pair.b, {})
    aefsync("repair", *pair)
    assert (pair.b / "x").exists()
    assert not (pair.b / "deep" / ".aefsync").exists()
    assert os.stat(pair.b / ".aefsync").st_mode & 0o777 == 0o700
    assert (pair.b / ".aefsync" / ".gitignore").read_text().strip() == "*"
    assert list((pair.b / ".aefsync" / "tmp").glob("*")) == []
