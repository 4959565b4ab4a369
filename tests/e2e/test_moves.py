"""Renames and copies: found by content and carried out without copying any, with the real program."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Pair
from tests.e2e.freeze import strace
from tests.e2e.program import ORDINARY, Outcome, Program, wait_until
from tests.support.trees import judge, survey, tree, write

pytestmark = pytest.mark.usefixtures("last_write_wins")


def paired(aefsync: Program, pair: Pair, files: dict[str, bytes | str | None]) -> None:
    """Two equal trees, known to the program."""
    tree(pair.a, files)
    aefsync("repair", *pair).expect(0)


def mirror(aefsync: Program, pair: Pair, *options: str) -> Outcome:
    done = aefsync("repair", "--mirror", "--max-delete", "0", "--json", *options, *pair).expect(0)
    assert judge(*pair) == []
    assert (done.summary["deleted"], done.summary["literal_bytes"]) == (0, 0)
    return done


def moves(done: Outcome) -> list[tuple[str, str]]:
    return [(each["old"], each["path"]) for each in done.events if each.get("action") == "move"]


def others(done: Outcome) -> list[tuple[str, str]]:
    found = [each for each in done.events if each["event"] == "action" and each["action"] != "move"]
    return [(each["action"], each["path"]) for each in found]


def inodes(root: Path) -> dict[bytes, int]:
    return {path: int(row[4]) for path, row in survey(root, exact=True).items()}


MANY = {f"old/{number % 40}/{number}": str(number) for number in range(3000)}


def test_a_directory_of_thousands_is_one_rename(aefsync: Program, pair: Pair) -> None:
    paired(aefsync, pair, {**MANY, "beside": "x"})
    before = inodes(pair.b)
    os.rename(pair.a / "old", pair.a / "new")
    done = mirror(aefsync, pair)
    assert (moves(done), others(done), done.summary["moved"]) == ([("old", "new")], [], 1)
    after = inodes(pair.b)
    assert {path.replace(b"old", b"new", 1): inode for path, inode in before.items()} == after


def test_with_changes_in_it(aefsync: Program, pair: Pair) -> None:
    paired(aefsync, pair, MANY)
    os.rename(pair.a / "old", pair.a / "new")
    write(pair.a / "new/1/1", b"changed")
    write(pair.a / "new/1/added", b"added")
    os.chmod(pair.a / "new/2", 0o555)
    os.chmod(pair.a / "new", 0o700)
    os.unlink(pair.a / "new/3/3")
    done = aefsync("repair", "--mirror", "--json", *pair).expect(0)
    assert judge(*pair) == []
    assert moves(done) == [("old", "new")]
    assert sorted(others(done)) == [
        ("copy", "new/1/1"),
        ("create", "new/1/added"),
        ("delete", "new/3/3"),
        ("metadata", "new"),
        ("metadata", "new/2"),
    ]
    assert (done.summary["deleted"], done.summary["literal_bytes"]) == (1, 12)


def test_a_mirror_whose_only_directory_was_renamed_is_no_unrelated_tree(aefsync: Program, pair: Pair) -> None:
    tree(pair.a, {f"old/{number}": str(number) for number in range(150)})
    aefsync("repair", "--mirror", *pair).expect(0)
    os.rename(pair.a / "old", pair.a / "new")
    assert moves(mirror(aefsync, pair)) == [("old", "new")]


def rename(root: Path, *pairs: tuple[str, str]) -> None:
    for old, new in pairs:
        (root / new).parent.mkdir(parents=True, exist_ok=True)
        os.rename(root / old, root / new)


FILES: dict[str, bytes | str | None] = {"a": "1", "b": "22", "c": "333", "d/x": "4444", "d/y": "55555", "e/": None}
EDITS: dict[str, tuple[list[tuple[str, str]], list[tuple[str, str]]]] = {
    "a file": ([("a", "z")], [("a", "z")]),
    "a chain": ([("c", "z"), ("b", "c"), ("a", "b")], [("a", "b"), ("b", "c"), ("c", "z")]),
    "a swap": ([("a", "t"), ("b", "a"), ("t", "b")], [("a", "b"), ("b", "a")]),
    "a circle": ([("a", "t"), ("b", "a"), ("c", "b"), ("t", "c")], [("a", "c"), ("b", "a"), ("c", "b")]),
    "over another": ([("a", "b")], [("a", "b")]),
    "into a new directory": ([("a", "n/m/a")], [("a", "n/m/a")]),
    "a directory into a new one": ([("d", "n/d")], [("d", "n/d")]),
    "out of a directory": ([("d/x", "x")], [("d/x", "x")]),
    "a directory into its sibling": ([("d", "e/d")], [("d", "e/d")]),
    "an empty directory": ([("e", "f")], [("e", "f")]),
}


@pytest.mark.parametrize("name", EDITS)
def test_edits(aefsync: Program, pair: Pair, name: str) -> None:
    paired(aefsync, pair, FILES)
    edits, expected = EDITS[name]
    rename(pair.a, *edits)
    foretold = aefsync("repair", "--mirror", "--json", "-n", *pair).expect(0)
    done = mirror(aefsync, pair)
    assert sorted(moves(done)) == sorted(moves(foretold)) == expected
    assert done.summary["moved"] == len(expected)
    assert {each for each, _ in others(done)} <= {"mkdir"}
    again = mirror(aefsync, pair).summary
    assert (again["differences"], again["moved"]) == (0, 0)


def test_as_people_see_it(aefsync: Program, pair: Pair) -> None:
    paired(aefsync, pair, FILES)
    rename(pair.a, ("a", "z"), ("d", "n"))
    done = aefsync("repair", "--mirror", "-i", *pair).expect(0)
    assert done.lines[:2] == ["A>B move d/ -> n/", "A>B move a -> z"]
    assert "2 moved" in done.lines[2]


def test_every_other_replica_moves_what_it_has(aefsync: Program, tmp_path: Path) -> None:
    roots = [tmp_path / name for name in "ABC"]
    tree(roots[0], FILES)
    aefsync("repair", *roots).expect(0)
    rename(roots[0], ("a", "z"), ("d", "n"))
    os.unlink(roots[2] / "a")
    done = aefsync("repair", "--mirror", "--json", *roots).expect(0)
    assert judge(roots[0], roots[1]) == judge(roots[0], roots[2]) == []
    told = [(each["action"], each["path"], each["to"]) for each in done.events if each["event"] == "action"]
    assert told == [("move", "n", [1, 2]), ("move", "z", [1]), ("create", "z", [2])]
    assert (done.summary["moved"], done.summary["deleted"]) == (3, 0)


def reused(aefsync: Program, *roots: Path) -> dict[str, Any]:
    summary = aefsync("repair", "--json", *roots).expect(0).summary
    assert all(judge(roots[0], other) == [] for other in roots[1:])
    assert summary["literal_bytes"] == 0
    return summary


def test_without_a_mirror_both_names_are_everywhere_and_nothing_travels(aefsync: Program, tmp_path: Path) -> None:
    roots = [tmp_path / name for name in "ABC"]
    big = random.Random(1).randbytes(1 << 20)
    tree(roots[0], {"old/big": big, "old/small": "x", "f": "yy"})
    aefsync("repair", *roots).expect(0)
    rename(roots[0], ("old", "new"), ("f", "g"))
    summary = reused(aefsync, *roots)
    assert (summary["copied_files"], summary["reused_bytes"]) == (9, 3 * ((1 << 20) + 3))
    stats = [os.stat(roots[1] / name) for name in ("old/big", "new/big")]
    assert [each.st_nlink for each in stats] == [1, 1]
    assert stats[0].st_mtime_ns == stats[1].st_mtime_ns


def test_a_copy_that_was_made_on_both_sides_apart(aefsync: Program, pair: Pair) -> None:
    paired(aefsync, pair, {"f": "x"})
    write(pair.a / "copy", b"content")
    write(pair.b / "other", b"content")
    assert reused(aefsync, *pair)["reused_bytes"] == 14


def test_what_filters_leave_out_is_moved_for_nobody(aefsync: Program, pair: Pair) -> None:
    paired(aefsync, pair, {"old/deep/f": "1", "old/g": "22"})
    tree(pair.b, {"old/x.tmp": "mine"})
    rename(pair.a, ("old", "new"))
    done = aefsync("repair", "--mirror", "--json", "--exclude", "*.tmp", *pair).expect(0)
    assert moves(done) == [("old/deep", "new/deep"), ("old/g", "new/g")]
    assert [path.name for path in (pair.b / "old").iterdir()] == ["x.tmp"]
    assert done.summary["literal_bytes"] == 0


@pytest.mark.skipif(not ORDINARY and os.geteuid() == 0, reason="permissions do not bind here")
def test_directories_that_their_owner_may_not_write(aefsync: Program, pair: Pair) -> None:
    paired(aefsync, pair, {"p/old/f": "1", "q/keep": "2"})
    rename(pair.a, ("p/old", "q/new"))
    for root, paths in ((pair.a, ("q/new", "q", "p")), (pair.b, ("p/old", "q", "p"))):
        for path in paths:
            os.chmod(root / path, 0o555)
    done = aefsync.under(*ORDINARY)("repair", "--mirror", "--json", *pair).expect(0)
    assert moves(done) == [("p/old", "q/new")]
    assert judge(*pair) == []


def test_a_file_that_was_edited_and_put_back_in_time_is_read(aefsync: Program, pair: Pair) -> None:
    """A rename and an edit that restores size and mtime look the same but for the bytes."""
    paired(aefsync, pair, {"f": "good"})
    seen = os.stat(pair.a / "f")
    rename(pair.a, ("f", "g"))
    (pair.a / "g").write_bytes(b"evil")
    os.utime(pair.a / "g", ns=(seen.st_atime_ns, seen.st_mtime_ns))
    done = aefsync("repair", "--mirror", "--json", *pair).expect(0)
    assert judge(*pair) == []
    assert moves(done) == []


@pytest.mark.parametrize("nth", range(1, 7))
def test_killed_midway_the_next_run_converges(aefsync: Program, pair: Pair, tmp_path: Path, nth: int) -> None:
    paired(aefsync, pair, {**FILES, **{f"dir/{number}": f"content {number}" for number in range(30)}})
    contents = {path.read_bytes() for path in pair.b.rglob("*") if path.is_file() and ".aefsync" not in path.parts}
    rename(pair.a, ("a", "t"), ("b", "a"), ("c", "b"), ("t", "c"), ("dir", "n/dir"), ("d/x", "n/dir/x"), ("d", "d2"))
    write(pair.a / "n/dir/3", b"changed")
    log = tmp_path / "log"
    killed = aefsync.under(*strace(log, f"renameat2:when={nth}:signal=SIGKILL"))("repair", "--mirror", *pair)
    assert killed.code != 0
    assert "killed by SIGKILL" in log.read_text(), "the call was made"
    wait_until(lambda: not aefsync.processes(), "the other processes to end")
    assert contents <= {path.read_bytes() for path in pair.b.rglob("*") if path.is_file()}
    aefsync("repair", "--mirror", *pair).expect(0)
    assert judge(*pair) == []


def test_undo_moves_it_all_back(aefsync: Program, pair: Pair) -> None:
    paired(aefsync, pair, {**FILES, "f": "6"})
    before = survey(pair.b)
    rename(pair.a, ("a", "t"), ("b", "a"), ("t", "b"), ("d", "n/d"), ("c", "f"))
    write(pair.a / "a", (pair.a / "a").read_bytes(), mode=0o600)
    aefsync("repair", "--mirror", *pair).expect(0)
    assert survey(pair.b) != before
    aefsync("undo", pair.b, "last").expect(0)
    assert survey(pair.b) == before
