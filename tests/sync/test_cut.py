"""The connection is cut at each message of a session, on either side: what is said, what stands, what the next run does."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from aefsync.core.conflict_name import conflict_name
from aefsync.core.copies import Take, Way
from aefsync.core.past import TrashQuery
from aefsync.core.policy import Policies
from aefsync.core.silent import Silent
from aefsync.errors import UnreachableError
from aefsync.sync.conflicts import resolve_conflicts
from aefsync.sync.diff import diff
from aefsync.sync.events import Acted, Conflicted, Event, Notice, Started, Summary
from aefsync.sync.repair import repair
from aefsync.sync.request import DiffRequest, RepairRequest, Request
from aefsync.sync.scrub import ScrubRequest, scrub
from aefsync.sync.trash import restore_trash
from aefsync.sync.undo import undo
from aefsync.wire.login import Link
from tests.support.far import Hosts, hosts
from tests.support.trees import survey, tree, write
from tests.sync.joined import threads

NOISE = random.Random(5).randbytes(300_000)
HERE = {"new here": b"1" * 5000, "d/deep": b"2", "both": NOISE}
THERE = {"new there": b"3" * 5000, "e/deep": b"4", "both": NOISE[:150_000] + b"older" + NOISE[150_005:]}


class Pair:
    """A here, and B on another host; a new one each time."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.number = 0

    def fresh(self, retries: int = 0) -> RepairRequest:
        self.number += 1
        base = self.home / str(self.number)
        self.a, self.b = tree(base / "A", HERE), tree(base / "B", THERE, mtime_ns=1)
        link = Link(retries=retries)
        locations = (str(self.a), f"box:{self.b}")
        return RepairRequest(Request(locations, cache_dir=str(base / "cache"), link=link), allow_unrelated_roots=True)


@pytest.fixture
def pair(home: Path, monkeypatch: pytest.MonkeyPatch) -> Pair:
    monkeypatch.setattr("aefsync.sync.reconnecting.FIRST_S", 0.0)
    return Pair(home)


@pytest.fixture
def far() -> Iterator[Hosts]:
    with hosts() as there, threads():
        yield there


class FirstContact(Pair):
    """A, and an empty B on another host, which are to remember what they do."""

    def fresh(self, retries: int = 0) -> RepairRequest:
        self.number += 1
        base = self.home / str(self.number)
        self.a, self.b = tree(base / "A", HERE), tree(base / "B", {})
        common = Request((str(self.a), f"box:{self.b}"), cache_dir=str(base / "cache"), state_dir=str(base / "state"))
        return RepairRequest(common._replace(link=Link(retries=retries)), policies=Policies())


def events_of(request: RepairRequest) -> tuple[list[Event], UnreachableError | None]:
    events: list[Event] = []
    try:
        events += repair(request, Silent())
    except UnreachableError as error:
        return events, error
    return events, None


def ended(events: list[Event]) -> Summary:
    assert isinstance(events[-1], Summary)
    return events[-1]


def cuts(pair: Pair, far: Hosts) -> list[tuple[int | None, int | None]]:
    """Every place where a session can be cut: before each message of the coordinator, and before each of the agent."""
    line = far.line("box")
    assert ended(events_of(pair.fresh())[0]).exit_code == 0
    assert line.writes > 10
    return [*((k, None) for k in range(line.writes)), *((None, k) for k in range(line.replies))]


def files(root: Path) -> set[tuple[bytes, bytes]]:
    """What is below a root: paths, and what they hold."""
    return {(path, bytes(row[3])) for path, row in survey(root).items()}  # type: ignore[arg-type]


def test_a_session_that_is_cut_ends_clearly_and_the_next_goes_on(pair: Pair, far: Hosts) -> None:
    line, number = far.line("box"), 0
    for place in cuts(pair, far):
        request = pair.fresh()
        location, allowed = request.common.locations[1], files(pair.a) | files(pair.b)
        line.begin(*place)
        events, error = events_of(request)
        if not line.was_cut:  # it was over already: there was less progress to be told of
            continue
        number += 1
        if error is not None:
            assert (error.message, error.exit_code) == (f"{location}: connection lost", 7)
            assert all(isinstance(event, Started) for event in events)
        else:
            assert (ended(events).exit_code, ended(events).causes[-1:]) == (7, ("lost",))
            (said,) = (event.text for event in events if isinstance(event, Notice))
            assert said.startswith(f"{location}: connection lost; the others are done")
        assert files(pair.a) | files(pair.b) <= allowed
        far.rest()
        line.begin()
        again, _ = events_of(request)
        assert (ended(again).exit_code, ended(again).equal) == (0, True)
        assert files(pair.a) == files(pair.b)
        assert list((pair.b / ".aefsync" / "tmp").iterdir()) == []
    assert number > 20


def test_what_is_edited_after_a_first_contact_that_was_cut_is_no_conflict(pair: Pair, far: Hosts) -> None:
    pair, line, arrived = FirstContact(pair.home), far.line("box"), 0
    # Only the later half: before that nothing has arrived.
    for place in [each for each in cuts(pair, far) if max(n for n in each if n is not None) * 2 > line.writes]:
        request = pair.fresh()
        line.begin(*place)
        events_of(request)
        arrived += (pair.b / "new here").exists()
        for name in HERE:
            write(pair.a / name, b"edited " + name.encode())
        far.rest()
        line.begin()
        again, _ = events_of(request)
        assert [event for event in again if isinstance(event, Conflicted)] == []
        assert ended(again).equal and (pair.b / "new here").read_bytes() == b"edited new here"
    assert arrived > 2


def test_a_run_whose_connection_is_cut_anywhere_goes_on_by_itself(pair: Pair, far: Hosts) -> None:
    line, anew = far.line("box"), 0
    # Nothing is waited for here between two attempts, and who was cut off holds its root until it has noticed.
    far.in_turn = True
    for place in cuts(pair, far)[::3]:
        request = pair.fresh(retries=2)
        line.begin(*place)
        events, error = events_of(request)
        assert error is None
        assert (ended(events).exit_code, ended(events).equal) == (0, True)
        assert files(pair.a) == files(pair.b)
        anew += sum(isinstance(event, Notice) and event.text.endswith("; beginning anew") for event in events)
        done = [event for event in events if isinstance(event, Acted)]
        assert len({(event.path, event.to) for event in done}) == len(done)
    assert anew > 5


def test_what_had_arrived_is_not_sent_again(pair: Pair, far: Hosts) -> None:
    request = pair.fresh()
    large = random.Random(9).randbytes(24 << 20)
    tree(pair.a, {"large": large})
    line = far.line("box")
    line.begin(cut_sent=16 << 20)
    events, _ = events_of(request)
    (said,) = (event.text for event in events if isinstance(event, Notice))
    assert "of what was on its way" in said
    far.rest()
    line.begin()
    again, _ = events_of(request)
    assert (ended(again).exit_code, ended(again).equal) == (0, True)
    assert line.sent_bytes < 17 << 20


def test_the_receiver_keeps_what_had_arrived_from_one_that_is_lost(pair: Pair, far: Hosts) -> None:
    request = pair.fresh()
    tree(pair.b, {"large": random.Random(9).randbytes(24 << 20)})
    line = far.line("box")
    line.begin(cut_received=16 << 20)
    assert ended(events_of(request)[0]).exit_code == 7
    far.rest()
    line.begin()
    assert ended(events_of(request)[0]).exit_code == 0
    assert line.received_bytes < 13 << 20
    assert list((pair.a / ".aefsync" / "tmp").iterdir()) == []


def test_a_comparison_that_is_cut_begins_anew(pair: Pair, far: Hosts) -> None:
    line, common = far.line("box"), pair.fresh(retries=1).common
    line.begin(2)
    events = list(diff(DiffRequest(common), Silent()))
    assert ended(events).differences == 7
    assert [event.text for event in events if isinstance(event, Notice)] == [
        f"{common.locations[1]}: connection lost; beginning anew"
    ]
    line.begin(2, heals=False)
    with pytest.raises(UnreachableError, match="connection lost"):
        list(diff(DiffRequest(common), Silent()))


COPY = os.fsdecode(conflict_name(b"keep", b"", 10**18, bytes(32)))
ONE_BY_ONE: dict[str, Callable[[Request, str], Iterator[Event]]] = {
    "scrub": lambda common, _: scrub(ScrubRequest(common), Silent()),
    "trash restore": lambda common, _: restore_trash(common, TrashQuery(b"gone"), None, Silent(), at=False),
    "undo": lambda common, run: undo(common, run, Silent(), dry_run=False),
    "conflicts resolve": lambda common, _: resolve_conflicts(common, (), Take(Way.COPY), Silent()),
}


@pytest.mark.parametrize("command", ONE_BY_ONE)
def test_where_one_is_lost_in_its_turn_the_others_are_done(home: Path, far: Hosts, command: str) -> None:
    line, lost, places = far.line("box"), 0, list[int | None]([None])
    for place in places:
        base = home / str(place)
        truth, first, other = (tree(base / name, {"keep": "1"}) for name in "ABC")
        for root in (first, other):
            tree(root, {"gone": "1"})
        locations = tuple(map(str, (truth, first, other)))
        run = ended(list(repair(RepairRequest(Request(locations), mirror=True, max_delete="100%"), Silent()))).run
        for root in (first, other):
            tree(root, {COPY: "loser"} if command == "conflicts resolve" else {})
        line.begin(place)
        try:
            done = ended(list(ONE_BY_ONE[command](Request((f"box:{first}", str(other)), link=Link(retries=0)), run)))
        except UnreachableError:
            done = None
        if done is not None:
            lost += "lost" in done.causes
            assert done.exit_code == (7 if done.causes else 0)
            assert [name for name in ("keep", "gone") if (other / name).exists()] == (
                ["keep", "gone"] if command in ("trash restore", "undo") else ["keep"]
            )
            assert (other / "keep").read_text() == ("loser" if command == "conflicts resolve" else "1")
            assert done.verified_files >= (command == "scrub")
        far.rest()
        places += range(line.writes // 2, line.writes, 2) if place is None else []
    assert lost
