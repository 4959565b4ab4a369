"""`repair --mirror` and the guards: the first replica is the truth, is never written, and cannot empty the others."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.e2e.conftest import Pair
from tests.e2e.program import ORDINARY, Program
from tests.support.trees import BASE_NS, judge, link, odd_tree, survey, tree, write


def many(root: Path, count: int, prefix: str = "file") -> Path:
    return tree(root, {f"{prefix}-{number}": f"{prefix} {number}" for number in range(count)})


def all_of(root: Path) -> list[object]:
    return [survey(root, exact=True), os.stat(root).st_mtime_ns, (root / ".aefsync").exists()]


def test_the_first_is_the_truth(aefsync: Program, pair: Pair) -> None:
    tree(pair.a, {"x": "truth", "kind": "file", "new/y": "1", "was-file/z": "2"})
    tree(pair.b, {"x": "later, and still wrong", "kind/inside": "1", "extra/deep/f": "2", "was-file": "3"})
    write(pair.b / "x", b"later, and still wrong", mtime_ns=BASE_NS * 11 // 10)
    write(pair.b / "same-stat", b"baad")
    write(pair.a / "same-stat", b"good")
    before = all_of(pair.a)
    done = aefsync("repair", "--mirror", *pair).expect(0)
    assert all_of(pair.a) == before, "nothing at all is written on A"
    assert judge(*pair) == []
    assert not (pair.b / "extra").exists()
    trash = (path for path in (pair.b / ".aefsync" / "trash").rglob("*") if path.is_file() and path.name != ".bytes")
    # What was in `kind` and in `was-file` is moved where A has that content.
    assert sorted(path.read_bytes() for path in trash) == sorted([b"later, and still wrong", b"2", b"3", b"baad"])
    assert str(pair.a).encode() in done.out + done.err, "the direction is always printed"


def test_again_does_nothing(aefsync: Program, pair: Pair) -> None:
    odd_tree(pair.a)
    tree(pair.b, {"extra": "1"})
    aefsync("repair", "--mirror", *pair).expect(0)
    assert judge(*pair) == []
    before = survey(pair.b, exact=True)
    summary = aefsync("repair", "--mirror", "--json", *pair).expect(0).summary
    assert survey(pair.b, exact=True) == before
    assert (summary["equal"], summary["deleted"], summary["copied_files"]) == (True, 0, 0)


def test_every_other_replica_follows(aefsync: Program, tmp_path: Path) -> None:
    roots = [tree(tmp_path / name, {"x": name, name: "own"}) for name in "ABC"]
    aefsync("repair", "--mirror", *roots).expect(0)
    assert judge(roots[0], roots[1]) == judge(roots[0], roots[2]) == []
    assert sorted(os.listdir(roots[0])) == ["A", "x"]


def test_itemize_lists_deletes(aefsync: Program, pair: Pair) -> None:
    tree(pair.a, {"keep": "1"})
    tree(pair.b, {"keep": "1", "extra": "2"})
    before = all_of(pair.b)
    assert ">B delete extra" in aefsync("repair", "--mirror", "-n", *pair).expect(0).lines
    assert all_of(pair.b) == before
    actions = [each for each in aefsync("repair", "--mirror", "--json", *pair).events if each["event"] == "action"]
    assert [(each["action"], each["path"], each["to"]) for each in actions] == [("delete", "extra", [1])]


@pytest.mark.parametrize("options", [["--resolve", "lww"], ["--conflicts", "newest"]])
def test_mirror_goes_with_no_policy(aefsync: Program, pair: Pair, options: list[str]) -> None:
    for root in pair:
        tree(root, {"x": root.name})
    aefsync("repair", "--mirror", *options, *pair).expect(2)


def test_an_emptied_source_stops_the_run(aefsync: Program, pair: Pair) -> None:
    tree(pair.a, {})
    many(pair.b, 3)
    before = all_of(pair.b)
    for options in ([], ["-n"], ["--max-delete", "100%"]):
        done = aefsync("repair", "--mirror", *options, *pair).expect(5)
        assert all_of(pair.b) == before
    assert str(pair.a).encode() in done.err
    assert b"--allow-empty-root" in done.err
    aefsync("repair", "--mirror", "--allow-empty-root", "--max-delete", "100%", *pair).expect(0)
    assert survey(pair.b) == {}


def test_a_missing_source_is_never_taken_for_an_empty_one(aefsync: Program, pair: Pair) -> None:
    many(pair.b, 3)
    before = all_of(pair.b)
    aefsync("repair", "--mirror", "--allow-empty-root", "--max-delete", "100%", *pair).expect(3, 5)
    assert all_of(pair.b) == before
    assert not pair.a.exists()


@pytest.mark.parametrize(("options", "code"), [([], 5), (["--max-delete", "29"], 5), (["--max-delete", "70%"], 5),
                                               (["--max-delete", "30"], 0), (["--max-delete", "80%"], 0)])  # fmt: skip
def test_deletes_above_the_limit_stop_the_run(aefsync: Program, pair: Pair, options: list[str], code: int) -> None:
    many(pair.a, 10)
    many(pair.b, 40)
    before = all_of(pair.b)
    done = aefsync("repair", "--mirror", *options, *pair).expect(code)
    if code:
        assert all_of(pair.b) == before
        assert b"--max-delete" in done.err
        assert str(pair.b).encode() in done.err
        assert b"30" in done.err, "how many there would be"
    else:
        assert judge(*pair) == []


def test_few_deletes_are_always_fine(aefsync: Program, pair: Pair) -> None:
    many(pair.a, 1)
    many(pair.b, 10)
    aefsync("repair", "--mirror", *pair).expect(0)
    assert judge(*pair) == []


@pytest.mark.parametrize("options", [["--mirror"], ["--mirror", "--max-delete", "100%"], []])
def test_unrelated_trees_stop_the_run(aefsync: Program, pair: Pair, options: list[str]) -> None:
    many(pair.a, 120, "one")
    many(pair.b, 120, "other")
    before = all_of(pair.b)
    done = aefsync("repair", *options, *pair).expect(5)
    assert all_of(pair.b) == before
    if options != ["--mirror"]:
        assert b"--allow-unrelated-roots" in done.err
    aefsync("repair", *options, "--max-delete", "100%", "--allow-unrelated-roots", *pair).expect(0)
    assert judge(*pair) == []


def test_what_cannot_be_read_is_not_deleted_elsewhere(aefsync: Program, pair: Pair) -> None:
    for root in pair:
        tree(root, {"shut/inside": "1", "open": "1"})
    (pair.a / "shut").chmod(0)
    aefsync.under(*ORDINARY)("repair", "--mirror", "--max-delete", "100%", *pair).expect(4)
    (pair.a / "shut").chmod(0o755)
    assert (pair.b / "shut" / "inside").exists()


def test_links_in_the_way_are_not_followed(aefsync: Program, pair: Pair, tmp_path: Path) -> None:
    outside = tree(tmp_path / "outside", {"dir/file": "keep"})
    tree(pair.a, {"link/dir/file": "truth"})
    tree(pair.b, {})
    link(pair.b / "link", os.fsencode(outside))
    aefsync("repair", "--mirror", *pair).expect(0)
    assert judge(*pair) == []
    assert (outside / "dir" / "file").read_text() == "keep"


def test_the_message_of_a_guard_is_one_line(aefsync: Program, pair: Pair) -> None:
    tree(pair.a, {})
    many(pair.b, 3)
    done = aefsync("repair", "--mirror", *pair).expect(5)
    assert len([line for line in done.err.splitlines() if re.search(rb"--allow-empty-root", line)]) == 1
