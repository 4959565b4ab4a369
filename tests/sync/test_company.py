"""A repair of which some replicas cannot be reached as it begins: the others are done."""

from __future__ import annotations

import itertools
import math
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from aefsync.core.path import RelPath
from aefsync.core.policy import Policies, Policy, PolicyKind, parse_policy, parse_rule
from aefsync.core.silent import Silent
from aefsync.errors import GuardError, UnreachableError
from aefsync.sync.company import company
from aefsync.sync.events import Acted, Event, Notice, Summary
from aefsync.sync.meetings import Meetings
from aefsync.sync.present import AbsentError
from aefsync.sync.repair import repair
from aefsync.sync.request import RepairRequest, Request
from aefsync.wire.login import Link
from aefsync.wire.stream import SocketStream, Stream
from tests.support.far import hosts
from tests.support.trees import tree
from tests.sync.joined import Threads, threads

GONE = UnreachableError("h:/p: gone")
PATH = RelPath(b"x")
THREE = RepairRequest(Request(("h:/p", "/a", "/b"), names=("far", "", "")))


@pytest.mark.parametrize(
    ("request_", "gone"),
    [
        (THREE, (0, 1)),
        (THREE._replace(mirror=True), (0,)),
        (RepairRequest(Request(("h:/p", "/a"))), (0,)),
        (THREE, (2,)),
    ],
    ids=["one is left", "the truth is away", "of two", "a process of this machine"],
)
def test_nothing_can_be_done(request_: RepairRequest, gone: tuple[int, ...]) -> None:
    with pytest.raises(AbsentError):
        company(request_).without(AbsentError(dict.fromkeys(gone, GONE)))


def test_a_conflict_that_waits_for_the_word_of_one_who_is_away_is_left_standing() -> None:
    policies = Policies(parse_policy("prefer:A"), (parse_rule("*.a", "prefer:C"), parse_rule("*.b", "prefer:A")))
    request = THREE._replace(policies=policies, preferred=(("A", 0), ("C", 2)))
    left = company(request).without(AbsentError({0: GONE})).request
    assert left.policies is not None
    assert left.preferred == (("C", 1),)
    skip = Policy(PolicyKind.SKIP)
    assert (left.policies.default, *(rule.policy for rule in left.policies.rules)) == (
        skip,
        parse_policy("prefer:C"),
        skip,
    )


# runs


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Threads]:
    """Replicas here are served by threads; whoever is called on another host hangs up."""

    def dial(*_: object) -> Stream:
        here, there = socket.socketpair()
        there.close()
        return SocketStream(here)

    monkeypatch.setattr("aefsync.sync.connecting.dial", dial)
    with threads() as started:
        yield started


def run(tmp_path: Path, *locations: Path | str, **options: object) -> list[Event]:
    common = Request(tuple(map(str, locations)), state_dir=str(tmp_path / "state"), link=Link(retries=0))
    return list(repair(RepairRequest(common, policies=Policies(), **options), Silent()))  # type: ignore[arg-type]


def test_the_others_are_done(engine: Threads, tmp_path: Path) -> None:
    a, b = tree(tmp_path / "a", {"f": "from a"}), tree(tmp_path / "b", {})
    events = run(tmp_path, "host:/p", a, b)
    assert (b / "f").read_text() == "from a"
    assert [(each.source, each.to) for each in events if isinstance(each, Acted)] == [(1, (2,))]
    end, told = events[-1], [each.text for each in events if isinstance(each, Notice)]
    assert isinstance(end, Summary)
    assert (end.exit_code, end.causes, end.equal, end.absent) == (7, ("unreachable",), False, (0,))
    assert (end.entries, end.roots[0], len(set(end.roots[1:]))) == ((None, 1, 1), b"", 1)
    assert told[-1].startswith("host:/p: ") and told[-1].endswith("; the others are done")


def test_it_may_be_expected_that_one_is_away(engine: Threads, tmp_path: Path) -> None:
    a, b = tree(tmp_path / "a", {"f": "from a"}), tree(tmp_path / "b", {})
    met = Meetings(str(tmp_path / "state"))

    def code(*others: Path, away_s: float) -> int:
        end = run(tmp_path, "host:/p", *others, away_s=away_s)[-1]
        assert isinstance(end, Summary)
        return end.exit_code

    assert [code(a, b, away_s=math.inf), code(a, b, away_s=86_400)] == [0, 7]
    met.note(["host:/p"], 4e9)
    assert [code(a, b, away_s=86_400), code(a, away_s=86_400)] == [0, 0]
    met.note(["host:/p"], 0)
    assert code(a, b, away_s=86_400) == 7
    with pytest.raises(UnreachableError):
        code(a, away_s=86_400)


@pytest.mark.parametrize("gone", ["B", "C"])
def test_one_that_is_lost_and_not_there_again_in_the_next_attempt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gone: str
) -> None:
    """It is cut off after each of its answers in turn, at last when it has got something, and is not reached any more."""
    monkeypatch.setattr("aefsync.sync.reconnecting.FIRST_S", 0.0)
    found = []
    for replies in itertools.count(1):
        roots = {name: tree(tmp_path / str(replies) / name, {}) for name in "ABC"}
        tree(roots["A"], {"f": "from a"})
        places = (str(roots["A"]), f"B:{roots['B']}", f"C:{roots['C']}")
        common = Request(places, state_dir=str(tmp_path / str(replies) / "state"), link=Link(retries=1))
        with threads(), hosts() as far:
            far.in_turn = True
            far.line(gone).begin(replies=replies, heals=False)
            end = list(repair(RepairRequest(common, policies=Policies()), Silent()))[-1]
        if not far.line(gone).was_cut:
            break
        assert isinstance(end, Summary)
        found.append((end.exit_code, end.causes, end.absent))
        assert (roots["C" if gone == "B" else "B"] / "f").read_text() == "from a"
    assert len(found) > 8
    assert set(found) == {(7, ("unreachable",), ("ABC".index(gone),))}


def test_what_stops_the_others_is_not_the_only_thing_that_went_wrong(engine: Threads, tmp_path: Path) -> None:
    a, b = tree(tmp_path / "a", {"f": "from a"}), tree(tmp_path / "b", {})
    run(tmp_path, a, b)
    (a / "f").unlink()
    common = Request(("host:/p", str(a), str(b)), state_dir=str(tmp_path / "state"), link=Link(retries=0))
    for away_s, beside in ((None, ("unreachable",)), (math.inf, ())):
        told: list[Event] = []
        with pytest.raises(GuardError) as caught:
            told.extend(repair(RepairRequest(common, policies=Policies(), away_s=away_s), Silent()))
        assert (caught.value.beside, (b / "f").read_text()) == (beside, "from a")
