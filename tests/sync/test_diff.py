"""`diff` over real directories: its events, its exit codes, and that it changes nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from aefsync.core.silent import Silent
from aefsync.core.view import View
from aefsync.disk.replica import FEW_BYTES
from aefsync.errors import GuardError, RootError
from aefsync.sync.diff import diff
from aefsync.sync.events import Differs, Event, Notice, Started, State, Summary, Troubled
from aefsync.sync.request import DiffRequest, Request
from tests.disk.ground import pass_the_step
from tests.support.trees import link, survey, tree, write
from tests.sync.joined import Threads, threads


@pytest.fixture
def engine() -> Iterator[Threads]:
    with threads() as started:
        yield started


@pytest.fixture
def roots(tmp_path: Path) -> list[Path]:
    """One of each sort of difference."""
    for name in "ab":
        tree(tmp_path / name, {"same": "same", "d/same": "same"})
    a, b = tmp_path / "a", tmp_path / "b"
    write(a / "only-a", b"x")
    write(b / "only-b", b"x")
    write(a / "content", b"x", mtime_ns=1)
    write(b / "content", b"y", mtime_ns=2)
    write(a / "size", b"x")
    write(b / "size", b"xx")
    write(a / "mode", b"x", mode=0o600)
    write(b / "mode", b"x")
    write(a / "kind", b"x")
    link(b / "kind", b"x")
    write(a / "suspect", b"x")
    write(b / "suspect", b"y")
    return [a, b]


def run(roots: Sequence[Path], *, quick: bool = False, brief: bool = False, **common: object) -> list[Event]:
    request = DiffRequest(Request(tuple(map(str, roots)), **common), quick, brief)  # type: ignore[arg-type]
    return list(diff(request, Silent()))


def differences(events: Sequence[Event]) -> dict[bytes, State]:
    return {bytes(each.difference.path): each.state for each in events if isinstance(each, Differs)}


def summary(events: Sequence[Event]) -> Summary:
    assert isinstance(events[-1], Summary)
    return events[-1]


def test_every_difference_is_told_with_its_state(engine: Threads, roots: list[Path]) -> None:
    events = run(roots)
    assert events[0] == Started("diff", tuple(map(str, roots)))
    assert differences(events) == {
        b"content": State.CONTENT,
        b"kind": State.KIND,
        b"mode": State.METADATA,
        b"only-a": State.ONLY_A,
        b"only-b": State.ONLY_B,
        b"size": State.CONTENT,
        b"suspect": State.CONTENT,
    }
    assert list(differences(events)) == sorted(differences(events))
    assert [each.difference.path for each in events if isinstance(each, Differs) and each.same_stat] == [b"suspect"]
    end = summary(events)
    assert (end.exit_code, end.causes, end.equal) == (1, ("differences",), False)
    assert (end.differences, end.suspects, end.problems, end.verified) == (7, 1, 0, True)


def test_files_of_one_side_or_of_different_size_are_not_read(
    engine: Threads, roots: list[Path], tmp_path: Path
) -> None:
    large = b"x" * (FEW_BYTES + 1)  # a little is read by the scan
    write(roots[0] / "large-a", large)
    write(roots[0] / "larger", large + b"!")
    write(roots[1] / "larger", large)
    pass_the_step()
    run(roots, cache_dir=str(tmp_path / "cache"))
    for number in range(2):
        assert engine.replicas[number].calls["read_unread"] == 1
    assert [replica._unread for replica in engine.replicas] == [2, 1]


def test_equal_trees(engine: Threads, tmp_path: Path) -> None:
    for name in "ab":
        tree(tmp_path / name, {"f": "x", "d/": None})
    end = summary(run([tmp_path / "a", tmp_path / "b"]))
    assert (end.exit_code, end.causes, end.equal, end.differences) == (0, (), True, 0)
    assert end.roots[0] == end.roots[1] != b""
    assert end.entries == (2, 2)


def test_nothing_is_read_the_second_time(engine: Threads, tmp_path: Path) -> None:
    for name in "ab":
        tree(tmp_path / name, {"f": "x", "d/g": "y"})
    roots, cache = [tmp_path / "a", tmp_path / "b"], str(tmp_path / "cache")
    pass_the_step()
    run(roots, cache_dir=cache)
    end = summary(run(roots, cache_dir=cache))
    assert [replica.calls["read_unread"] for replica in engine.replicas] == [0, 0]
    assert end.round_trips <= 3
    run(roots, cache_dir=cache, checksum=True)
    assert [replica.files_read for replica in engine.replicas] == [2, 2]


def test_quick_sees_what_the_stat_shows(engine: Threads, roots: list[Path]) -> None:
    events = run(roots, quick=True)
    assert Notice("contents not read (--quick)") in events
    assert b"suspect" not in differences(events)
    assert {b"content", b"size", b"mode", b"kind", b"only-a"} <= differences(events).keys()
    assert all(each.view is View.QUICK for each in events if isinstance(each, Differs))
    assert (summary(events).roots, summary(events).verified) == ((), False)
    assert [replica.files_read for replica in engine.replicas] == [0, 0]


def test_brief_ends_with_the_first(engine: Threads, roots: list[Path]) -> None:
    events = run(roots, brief=True)
    assert list(differences(events)) == [b"content"]
    assert summary(events).exit_code == 1


def test_of_three_replicas_what_one_lacks_is_missing(engine: Threads, tmp_path: Path) -> None:
    for name in "abc":
        tree(tmp_path / name, {"f": "x"})
    write(tmp_path / "b" / "g", b"x")
    assert differences(run([tmp_path / name for name in "abc"])) == {b"g": State.MISSING}


def test_nothing_in_a_replica_is_touched(engine: Threads, roots: list[Path], tmp_path: Path) -> None:
    before = [survey(root, exact=True) for root in roots]
    stats = [os.stat(root).st_mtime_ns for root in roots]
    run(roots, cache_dir=str(tmp_path / "cache"))
    assert [survey(root, exact=True) for root in roots] == before
    assert [os.stat(root).st_mtime_ns for root in roots] == stats
    assert not any((root / ".aefsync").exists() for root in roots)


def test_ignore_files_and_rules_hold_for_both(engine: Threads, roots: list[Path]) -> None:
    write(roots[0] / ".aefsyncignore", b"only-b\n")
    write(roots[1] / ".aefsyncignore", b"only-b\n")
    found = differences(run(roots, rules=("only-a", "s*")))
    assert found.keys() == {b"content", b"kind", b"mode"}


def test_filters_that_leave_nothing_are_refused(engine: Threads, roots: list[Path]) -> None:
    with pytest.raises(GuardError, match="leave nothing"):
        run(roots, rules=("*",))


def test_specials_are_skipped_with_one_notice(engine: Threads, roots: list[Path]) -> None:
    for root in roots:
        os.mkfifo(root / "fifo")
    assert Notice("2 devices, FIFOs and sockets skipped") in run(roots)


def test_a_missing_root_is_refused_and_not_made(engine: Threads, roots: list[Path], tmp_path: Path) -> None:
    with pytest.raises(RootError, match="no such directory"):
        run([roots[0], tmp_path / "missing"])
    assert not (tmp_path / "missing").exists()


def test_a_name_that_is_refused_is_trouble_and_no_difference(engine: Threads, roots: list[Path]) -> None:
    write(roots[0] / "d" / ".AEFSYNC", b"x")
    events = run(roots)
    troubles = [each for each in events if isinstance(each, Troubled)]
    assert [(each.replica, each.problem.path) for each in troubles] == [(0, b"d/.AEFSYNC")]
    assert b"d/.AEFSYNC" not in differences(events)
    assert (summary(events).exit_code, summary(events).problems) == (2, 1)
    assert summary(events).causes == ("differences", "problems")
