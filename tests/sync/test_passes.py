"""Passes over windows: what comes before what, what is remembered between them, and that nobody can tell where the
windows are cut."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import partial

import pytest

from aefsync.core.action import Act, Action
from aefsync.core.differences import Differences
from aefsync.core.path import RelPath
from aefsync.core.ports import Phase
from aefsync.core.problem import Problem
from aefsync.core.silent import Silent
from aefsync.core.step import Pass, Transfer
from aefsync.core.view import View
from aefsync.sync.attending import Attending
from aefsync.sync.deadline import Deadline
from aefsync.sync.decide import decide
from aefsync.sync.passes import BATCH, Outcome, batches, carry_out, rehearse
from aefsync.sync.request import RepairRequest, Request
from aefsync.sync.session import Session
from aefsync.sync.survey import survey
from aefsync.sync.telling import told as told_of
from aefsync.sync.transfer import Transferred, transfer
from tests.support.memory import MemoryTree
from tests.sync.joined import Watched, in_memory, joined

LWW = RepairRequest(Request(("A", "B")), allow_unrelated_roots=True)
MIRROR = LWW._replace(mirror=True, max_delete="100%")


@pytest.fixture(params=[1, 2, 3, 4096], autouse=True)
def block(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Differences in a window."""
    monkeypatch.setattr("aefsync.sync.decide.Differences", partial(Differences, block=request.param))
    return int(request.param)


class Noting:
    """A monitor that remembers how far replicas have said to be."""

    def __init__(self) -> None:
        self.seen: dict[tuple[int, Phase], list[tuple[int, int]]] = {}

    def progress(self, replica: int, phase: Phase, done: int, total: int) -> None:
        self.seen.setdefault((replica, phase), []).append((done, total))

    def heard(self, replica: int, line: str) -> None:
        raise AssertionError(line)


def run(replicas: list[Watched], request: RepairRequest = LWW, monitor: Noting | Silent | None = None) -> list[Outcome]:
    with joined(*replicas) as session:
        decided = decide(session, survey(session, request.common, View.FULL), request)
        return list(carry_out(Attending(session), decided, monitor or Silent(), Deadline()))


def applied(replica: Watched) -> list[Action]:
    return [action for _, method, actions in replica.log if method == "apply" for action in actions]


def mixed() -> list[MemoryTree]:
    """Something for every pass, on both sides."""
    a, b = MemoryTree(), MemoryTree()
    for name in (b"a.txt", b"m", b"z.txt"):
        a.write_file(name, name)
        b.make_directory(name)
        b.write_file(name + b"/in", name)
    b.make_directory(b"closed", 0o500)
    b.write_file(b"closed/f", b"f")
    a.write_file(b"new", b"new", mtime_ns=5)
    a.write_file(b"old", b"new", mtime_ns=5)
    b.write_file(b"old", b"old!", mtime_ns=4)
    return [a, b]


def listing(tree: MemoryTree) -> dict[RelPath, tuple[object, ...]]:
    return {path: (node.kind, node.mode, node.mtime_ns, node.data) for path, node in tree.nodes.items()}


def test_each_pass_goes_over_everything_before_the_next_begins() -> None:
    trees = mixed()
    replicas = in_memory(*trees)
    outcomes = run(replicas)
    steps = [outcome.step for outcome in outcomes]
    assert steps == sorted(steps)
    acts = [action.act for action in applied(replicas[0]) if action.act is Act.MOVE or action.act is Act.MKDIR]
    assert acts == [Act.MOVE] * 3 + [Act.MKDIR] * 4
    assert listing(trees[0]) == listing(trees[1])
    assert applied(replicas[0])[-1].path == b"closed"
    assert not any(outcome.problems or outcome.skipped for outcome in outcomes)


def test_what_is_deleted_goes_children_first_wherever_the_windows_are() -> None:
    a, b = MemoryTree(), MemoryTree()
    for each in (a, b):
        each.write_file(b"kept", b"")
    for number in range(5):
        b.make_directory(b"/".join([b"d"] * (number + 1)))
    replicas = in_memory(a, b)
    run(replicas, MIRROR)
    assert [len(action.path) for action in applied(replicas[1])] == [9, 7, 5, 3, 1]
    assert listing(b) == listing(a)


@pytest.mark.parametrize("request_", [LWW, MIRROR])
def test_a_rehearsal_tells_the_same(request_: RepairRequest) -> None:
    replicas = in_memory(*mixed())
    with joined(*replicas) as session:
        decided = decide(session, survey(session, request_.common, View.FULL), request_)
        rehearsed = [event for outcome in rehearse(decided, frozenset()) for event in told_of(outcome, frozenset())]
        assert not applied(replicas[0]) + applied(replicas[1])
        passes = carry_out(Attending(session), decided, Silent(), Deadline())
        told = [event for outcome in passes for event in told_of(outcome, frozenset())]
    assert told == rehearsed
    paths = [event.path.key for event in told if hasattr(event, "action")]
    assert len(paths) > 9
    assert paths == sorted(paths)


def test_a_conflict_copy_that_did_not_arrive_is_left_out() -> None:
    trees = mixed()
    replicas = in_memory(*trees)
    stage = replicas[1].stage

    def fail(files: list[object], peer: int | None) -> object:
        staged = stage(files, peer)
        bad = [b"conflict" in file.path and file.path[:1] == b"m" for file in files]  # type: ignore[attr-defined]
        contents = tuple(b"" if each else content for each, content in zip(bad, staged.contents, strict=True))
        problems = (Problem(b"m", "disk full"),) if any(bad) else ()
        return staged._replace(contents=contents, problems=problems)

    replicas[1].stage = fail
    outcomes = run(replicas)
    assert [problem for outcome in outcomes for problem in outcome.problems] == [(0, Problem(b"m", "disk full"))]
    assert sum(outcome.skipped for outcome in outcomes) == 1
    lacking = trees[0].nodes.keys() - trees[1].nodes.keys()
    assert [path[:10] for path in lacking] == [b"m.conflict"]
    told = [
        event
        for outcome in outcomes
        for event in told_of(outcome, frozenset())
        if getattr(event, "path", b"") in lacking
    ]
    # It was renamed where it was, and that is what is said.
    assert [event.to for event in told if hasattr(event, "to")] == [(0,)]


def test_what_was_refused_is_not_claimed() -> None:
    a, b = MemoryTree(), MemoryTree()
    for each in (a, b):
        each.write_file(b"kept", b"")
    for name in (b"x", b"y"):
        b.write_file(name, name)
    replicas = in_memory(a, b)
    replicas[1].hooks["apply"] = lambda _: b.nodes.pop(RelPath(b"x"), None)
    outcomes = run(replicas, MIRROR)
    told = [event.path for outcome in outcomes for event in told_of(outcome, frozenset()) if hasattr(event, "action")]
    assert told == [b"y"]
    assert {step: sum(o.skipped for o in outcomes if o.step is step) for step in Pass} == {
        Pass.MOVE: 0,
        Pass.DELETE: 1,
        Pass.PUT: 0,
        Pass.CLOSE: 0,
    }


def test_files_are_brought_while_those_of_the_last_window_are_put_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = MemoryTree(), MemoryTree()
    for path in (b"x", b"y", b"z"):
        a.write_file(path, path)
    replicas = in_memory(a, b)
    is_begun, waited = threading.Event(), list[bool]()

    def bring(session: Session, transfers: Sequence[Transfer], deadline: Deadline) -> Transferred:
        if not {b"y", b"z"}.isdisjoint(each.file.path for each in transfers):
            is_begun.set()
        return transfer(session, transfers, deadline)

    monkeypatch.setattr("aefsync.sync.attending.transfer", bring)
    replicas[1].hooks["apply"] = lambda actions: waited.append(is_begun.wait(100))
    run(replicas)
    assert waited
    assert all(waited)
    assert b.nodes.keys() == a.nodes.keys()


def test_progress_goes_on_from_window_to_window() -> None:
    a = MemoryTree()
    for number in range(5):
        a.write_file(b"%d" % number, b"x" * 10)
    monitor = Noting()
    run(in_memory(a, MemoryTree()), monitor=monitor)
    assert {total for _, total in monitor.seen[1, Phase.APPLY]} == {5}
    done = [done for done, _ in monitor.seen[1, Phase.APPLY]]
    assert done == sorted(done)
    assert done[-1] == 5
    assert not any(total for (replica, _), said in monitor.seen.items() if replica == 0 for _, total in said)


def test_requests_are_bounded() -> None:
    def deletes(*names: bytes) -> list[Action]:
        return [Action(Act.DELETE, RelPath(name), None, None) for name in names]

    assert [len(each) for each in batches(deletes(*[b"a"] * (BATCH + 1)))] == [BATCH, 1]
    long = b"/".join([b"n" * 200] * 300)
    assert [len(each) for each in batches(deletes(*[long] * 100))] == [69, 31]
    assert list(batches([])) == []


def test_when_the_time_is_up_nothing_further_is_begun() -> None:
    trees = mixed()
    before = [listing(each) for each in trees]
    with joined(*in_memory(*trees)) as session:
        decided = decide(session, survey(session, LWW.common, View.FULL), LWW)
        deadline = Deadline(0)
        assert list(carry_out(Attending(session), decided, Silent(), deadline)) == []
    assert deadline.late
    assert [listing(each) for each in trees] == before


def test_the_run_after_one_whose_time_was_up_does_the_rest(block: int) -> None:
    trees, whole = mixed(), mixed()
    run(in_memory(*whole))
    for seconds in range(40):
        times = iter(range(1000))
        with joined(*in_memory(*trees)) as session:
            decided = decide(session, survey(session, LWW.common, View.FULL), LWW)
            deadline = Deadline(seconds, clock=lambda times=times: next(times))  # type: ignore[misc]
            for _ in carry_out(Attending(session), decided, Silent(), deadline):
                pass
            session.each(lambda _, replica: replica.record())
        if not deadline.late:
            break
    assert not deadline.late
    assert [sorted(each.nodes) for each in trees] == [sorted(each.nodes) for each in whole]


def test_a_time_that_nothing_was_left_for_was_long_enough() -> None:
    with joined(*in_memory(MemoryTree(), MemoryTree())) as session:
        deadline = Deadline(0)
        decided = decide(session, survey(session, LWW.common, View.FULL), LWW)
        assert list(carry_out(Attending(session), decided, Silent(), deadline)) == []
    assert not deadline.late
