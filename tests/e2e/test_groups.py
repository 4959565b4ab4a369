"""Groups that change, one story a test, told by the real program: replicas that are restored, copied, away for long, new;
many that meet in any order; conflicts that several settle (what becomes of one pair's files: `test_scenarios`)."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.e2e.program import Program
from tests.e2e.replicas import Replicas
from tests.support.trees import texts

A_YEAR_S = 366 * 86_400
LATER = """
import runpy, sys, time
now, now_ns = time.time, time.time_ns
time.time = lambda: now() + {later_s}
time.time_ns = lambda: now_ns() + {later_s} * 10**9
sys.argv = sys.argv[3:]
runpy.run_module("aefsync", run_name="__main__", alter_sys=True)
"""
"""Runs the program with another clock."""


@pytest.fixture
def three(aefsync: Program, tmp_path: Path) -> Replicas:
    """Three that agree."""
    three = Replicas(aefsync, tmp_path, 3)
    for path in ("a.txt", "d/x", "d/y"):
        three.everywhere(path, path[-1])
    three.meet()
    return three


def test_a_replica_restored_from_a_backup_of_last_week(three: Replicas) -> None:
    backup = three.set_aside(0)
    three.write(0, "a.txt", "of this week")
    three.write(0, "new", "of this week, too")
    three.delete(0, "d/x")
    three.meet()
    three.restore(0, backup)
    met = three.meet(0, 1)
    assert met.conflicts == []
    left = {"a.txt": "of this week", "d/": "", "d/y": "y", "new": "of this week, too"}
    assert three.agreed() == left
    # Each of those who know what was lost with the disk finds out for itself.
    assert three.meet().actions == []
    three.quiet()
    three.write(0, "a.txt", "and on")
    assert three.meet(0, 2).conflicts == three.meet(1, 2).conflicts == []
    assert three.agreed() == left | {"a.txt": "and on"}


def test_a_counter_that_had_caught_up_before_the_restore_was_noticed(three: Replicas) -> None:
    three.write(0, "first", "1")
    three.meet(0, 1)
    backup = three.set_aside(0)
    for number in range(3):
        three.write(0, "a.txt", f"lost with the disk {number}")
        three.write(0, f"lost {number}", "kept by others only")
        three.meet(0, 1)
    three.restore(0, backup)
    for number in range(4):
        three.write(0, "a.txt", f"edited after the restore {number}")
        three.write(0, f"own {number}", "made after the restore")
        # Who was not there in between notices nothing, and the counter goes on.
        three.meet(0, 2)
    three.meet(0, 1, code=1)
    three.meet()
    agreed = three.agreed()
    assert {"lost with the disk 2", "edited after the restore 3"} < set(agreed.values())
    assert {f"lost {number}" for number in range(3)} | {f"own {number}" for number in range(4)} < set(agreed)
    three.quiet()


def test_a_replica_copied_with_its_sidecar(three: Replicas, tmp_path: Path) -> None:
    subprocess.run(["cp", "-a", three.roots[0], tmp_path / "d"], check=True)
    three.roots.append(tmp_path / "d")
    three.write(3, "a.txt", "by the copy")
    three.write(0, "d/x", "by the original")
    met = three.meet(0, 3)
    assert met.conflicts == []
    assert [each["text"] for each in met.events if "a copy of" in each.get("text", "")]
    three.delete(3, "d/y")
    assert three.meet(3, 1).conflicts == []
    assert three.meet().conflicts == []
    assert three.agreed() == {"a.txt": "by the copy", "d/": "", "d/x": "by the original"}
    assert len({(root / ".aefsync/id").read_text() for root in three.roots}) == 4
    three.quiet()


@pytest.mark.parametrize("first", [(), ("--exclude", "x"), ("--no-delete",)])
def test_a_replica_absent_for_a_year(three: Replicas, first: Sequence[str]) -> None:
    """Whatever it leaves out when it comes back, that does not come back to the others later."""
    three.write(2, "made while away", "1")
    three.delete(0, "d/x")
    three.write(0, "a.txt", "edited meanwhile")
    three.meet(0, 1)
    later = three.aefsync.under(sys.executable, "-c", LATER.format(later_s=A_YEAR_S))
    for number in range(3):
        three.write(number % 2, "at work", str(number))
        three.meet(0, 1, by=later)
    if first:
        three.meet(1, 2, options=first, by=later)
        assert (three.roots[2] / "d" / "x").exists()
    met = three.meet(1, 2, by=later)
    assert (met.conflicts, (three.roots[2] / "d" / "x").exists()) == ([], False)
    assert three.meet(by=later).conflicts == []
    assert three.agreed() == {
        "a.txt": "edited meanwhile", "at work": "2", "d/": "", "d/y": "y", "made while away": "1"
    }  # fmt: skip
    assert [each.name for each in three.roots[2].glob(".aefsync/*/**/x")] == ["x"], "nothing is gone without a trace"
    assert three.meet(by=later).actions == []


def test_an_empty_disk_joins(three: Replicas, tmp_path: Path) -> None:
    three.delete(0, "d/x")
    three.meet()
    (tmp_path / "d").mkdir()
    three.roots.append(tmp_path / "d")
    assert three.meet(3, 1).summary["deleted"] == 0
    assert three.agreed() == {"a.txt": "t", "d/": "", "d/y": "y"}
    three.quiet()


ORDERS = {
    "ring": [(i % 5, (i + 1) % 5) for i in range(9)],
    "star": [(0, i % 4 + 1) for i in range(8)],
    "random": [(3, 1), (4, 0), (2, 3), (0, 3), (1, 4), (2, 0), (3, 4), (1, 2), (0, 1), (4, 2), (3, 0), (1, 0)],
}


@pytest.mark.parametrize("order", ORDERS)
def test_five_replicas(aefsync: Program, tmp_path: Path, order: str) -> None:
    five = Replicas(aefsync, tmp_path, 5)
    five.everywhere("shared", "shared")
    five.everywhere("gone", "gone")
    five.meet()
    for number in range(5):
        five.write(number, f"own{number}", f"of {number}")
    five.write(0, "shared", "edited by the first")
    five.delete(4, "gone")
    five.rename(2, "own2", "renamed")
    assert [five.meet(*each).conflicts for each in ORDERS[order]] == [[]] * len(ORDERS[order])
    own = {f"own{number}": f"of {number}" for number in (0, 1, 3, 4)}
    assert five.agreed() == {"shared": "edited by the first", "renamed": "of 2", **own}
    five.quiet()


def test_a_file_in_conflict_on_three_at_once(three: Replicas) -> None:
    edits = [f"edit of number {'x' * number}" for number in range(3)]
    for number, edit in enumerate(edits):
        three.write(number, "a.txt", edit)
    assert three.meet(code=1).conflicts == ["a.txt", "a.txt"]
    agreed = three.agreed()
    assert agreed["a.txt"] == edits[-1]
    assert sorted(text for path, text in agreed.items() if path.startswith("a.")) == edits
    three.quiet()
    listed = three.aefsync("conflicts", *three.roots).expect(0).lines
    assert [line[0] for line in listed] == ["A", "A", "B", "B", "C", "C"]
    three.aefsync("conflicts", three.roots[1], "resolve", "a.txt", "--take", "current").expect(0)
    assert three.meet().conflicts == []
    assert three.agreed() == {"a.txt": edits[-1], "d/": "", "d/x": "x", "d/y": "y"}


def edited_apart(aefsync: Program, tmp_path: Path) -> Replicas:
    """Four, of which two have one edit of a file, and two another one."""
    four = Replicas(aefsync, tmp_path, 4)
    four.everywhere("a.txt", "a")
    four.meet()
    four.write(0, "a.txt", "first edit")
    four.write(1, "a.txt", "second, longer edit")
    four.meet(0, 2)
    four.meet(1, 3)
    return four


def test_the_same_conflict_apart_is_the_same_in_the_end(aefsync: Program, tmp_path: Path) -> None:
    four = edited_apart(aefsync, tmp_path)
    # Settled apart, by pairs that know nothing of each other.
    four.meet(0, 3, code=1)
    four.meet(1, 2, code=1)
    four.quiet()
    assert len(four.agreed()) == 2


def test_a_conflict_settled_with_newest_here_and_prefer_there(aefsync: Program, tmp_path: Path) -> None:
    four = edited_apart(aefsync, tmp_path)
    four.meet(0, 1, options=["--conflicts", "newest"])
    assert texts(four.roots[0]) == {"a.txt": "second, longer edit"}
    four.meet(2, 3, options=["--conflicts", "prefer:A"])
    assert texts(four.roots[3]) == {"a.txt": "first edit"}
    # To prefer is an edit made of both, so it follows what the order had settled.
    assert four.meet().conflicts == []
    assert four.agreed() == {"a.txt": "first edit"}
    four.quiet()


def test_a_conflict_edited_again_on_both_sides_before_it_is_resolved(three: Replicas) -> None:
    three.write(0, "a.txt", "one")
    three.write(1, "a.txt", "two, longer")
    three.meet(0, 1, code=1)
    (copy,) = three.roots[0].glob("a.conflict-*")
    three.write(0, "a.txt", "one again....")
    three.write(1, "a.txt", "two again, longer still")
    three.write(0, copy.name, "the copy, edited here")
    three.write(1, copy.name, "the copy, edited there")
    assert sorted(three.meet(0, 1, code=1).conflicts) == [copy.name, "a.txt"]
    contents = set(texts(three.roots[0]).values())
    assert contents > {"one again....", "two again, longer still", "the copy, edited here", "the copy, edited there"}
    assert three.meet().conflicts == []
    three.agreed()
    three.quiet()
