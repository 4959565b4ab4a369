"""Replicas that are lost on the way, read-only, or whose clocks are off: what becomes of the run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aefsync.core.policy import Policies
from aefsync.core.ports import Open, Opened
from aefsync.core.silent import Silent
from aefsync.disk.replica import LocalReplica
from aefsync.errors import UnreachableError
from aefsync.sync.events import Acted, Event, LeftUndone, Notice, Summary
from aefsync.sync.repair import repair
from aefsync.sync.request import RepairRequest, Request
from aefsync.wire.serve import _ClientGone
from tests.support.trees import judge, survey, tree
from tests.sync.joined import threads


def leave(_: object) -> None:
    raise _ClientGone("the serving thread ends, and with it the stream")


@pytest.fixture
def roots(tmp_path: Path) -> list[Path]:
    made = [tmp_path / name for name in "abc"]
    tree(made[0], {"shared": "x", "from a": "1", "d/deep": "2"})
    tree(made[1], {"shared": "x"})
    tree(made[2], {"shared": "x", "from c": "3"})
    return made


def run(roots: list[Path], **options: object) -> list[Event]:
    asked = RepairRequest(Request(tuple(map(str, roots))), **options)  # type: ignore[arg-type]
    return list(repair(asked, Silent()))


def ended(events: list[Event]) -> Summary:
    assert isinstance(events[-1], Summary)
    return events[-1]


@pytest.mark.parametrize("method", ["stage", "apply", "record"])
def test_the_others_are_done_when_one_is_lost(roots: list[Path], method: str) -> None:
    with threads({(1, method): leave}):
        events = run(roots)
    end = ended(events)
    assert (end.exit_code, end.equal) == (7, False)
    assert "lost" in end.causes
    notices = [event for event in events if isinstance(event, Notice)]
    assert [notice.text for notice in notices] == [
        f"{roots[1]}: connection lost: the other side has closed; the others are done"
    ]
    assert judge(roots[0], roots[2]) == []
    with threads():
        assert ended(run(roots)).exit_code == 0
    assert judge(roots[0], roots[1]) == []


def test_what_only_the_lost_one_has_waits_for_the_next_run(roots: list[Path]) -> None:
    with threads({(0, "learn"): leave, (0, "apply"): leave}):
        assert ended(run(roots)).exit_code == 7
    assert (roots[1] / "from c").read_text() == "3"


def test_one_that_is_lost_before_anything_is_decided_ends_the_run(roots: list[Path]) -> None:
    before = survey(roots[0].parent)
    with threads({(1, "scan"): leave}), pytest.raises(UnreachableError, match="connection lost"):
        run(roots)
    assert survey(roots[0].parent) == before


def second_is(kind: type[LocalReplica], monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the replicas that are started from now on, the second is of this kind."""
    kinds = iter([LocalReplica, kind, LocalReplica])

    def start(**more: Any) -> LocalReplica:
        return next(kinds)(**more)

    monkeypatch.setattr("tests.sync.joined.LocalReplica", start)


class ReadOnly(LocalReplica):
    """As an agent that lets nothing be changed."""

    def hello(self, request: Open) -> Opened:
        return super().hello(request._replace(access=type(request.access).READ))._replace(read_only=True)


@pytest.mark.parametrize("dry_run", [False, True])
def test_what_is_read_only_is_listed_and_left(
    roots: list[Path], monkeypatch: pytest.MonkeyPatch, dry_run: bool
) -> None:
    tree(roots[1], {"from b": "4"})
    before = survey(roots[1], exact=True)
    second_is(ReadOnly, monkeypatch)
    with threads():
        events = run(roots, dry_run=dry_run)
    end = ended(events)
    assert (end.exit_code, end.causes) == (1, ("read-only",))
    undone = [(each.action, each.path) for each in events if isinstance(each, LeftUndone)]
    assert undone == [("mkdir", b"d"), ("create", b"d/deep"), ("create", b"from a"), ("create", b"from c")]
    assert {each.to for each in events if isinstance(each, Acted) and each.path == b"from b"} == {(0, 2)}
    assert survey(roots[1], exact=True) == before
    if not dry_run:
        assert judge(roots[0], roots[2]) == []


@pytest.mark.parametrize("dry_run", [True, False])
def test_what_is_only_to_be_deleted_or_moved_there_is_left_as_well(
    roots: list[Path], monkeypatch: pytest.MonkeyPatch, dry_run: bool
) -> None:
    with threads():
        run(roots, policies=Policies())
    (roots[0] / "from c").unlink()
    (roots[0] / "d").rename(roots[0] / "e")
    second_is(ReadOnly, monkeypatch)
    with threads():
        events = run(roots, policies=Policies(), dry_run=dry_run, max_delete="100%")
    assert (ended(events).exit_code, ended(events).causes) == (1, ("read-only",))
    assert (roots[1] / "from c").exists()


@pytest.mark.parametrize(("seconds", "words"), [(60, "60 s ahead"), (-60, "60 s behind"), (4, None)])
def test_a_clock_that_is_off_is_told_of_and_allowed_for(
    roots: list[Path], monkeypatch: pytest.MonkeyPatch, seconds: int, words: str | None
) -> None:
    class Skewed(LocalReplica):
        def hello(self, request: Open) -> Opened:
            opened = super().hello(request)
            return opened._replace(clock_ns=opened.clock_ns + seconds * 10**9)

    second_is(Skewed, monkeypatch)
    with threads():
        events = run(roots)
    texts = [event.text for event in events if isinstance(event, Notice)]
    assert len(texts) == (words is not None)
    assert words is None or texts[0] in {
        f"{roots[1]}: its clock is {words}",
        f"{roots[1]}: its clock is 59 s {words[5:]}",
    }
    assert ended(events).exit_code == 0
