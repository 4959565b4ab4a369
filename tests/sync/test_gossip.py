"""`gossip` over real directories: whom a round meets, whom it skips, and what all of it comes to."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from aefsync.core.policy import Policies, Policy, PolicyKind
from aefsync.core.ports import Access, Open
from aefsync.core.silent import Silent
from aefsync.errors import AefsyncError, GuardError, LockedError, UnreachableError
from aefsync.sync.attempts import Attempts
from aefsync.sync.contacts import Contacts
from aefsync.sync.events import Conflicted, Event, Notice, Started, Summary
from aefsync.sync.gossip import gossip
from aefsync.sync.hooks import Hooks
from aefsync.sync.init import init
from aefsync.sync.members import add_member, leave
from aefsync.sync.request import GossipRequest, RepairRequest, Request
from aefsync.sync.surroundings import Surroundings
from aefsync.sync.toll import Toll
from tests.cli.scripted import summary
from tests.support.trees import tree, write
from tests.sync.joined import Threads, threads


@pytest.fixture
def engine() -> Iterator[Threads]:
    with threads() as started:
        yield started


class Group:
    """A, which reaches B and C; of several peers it takes the one not tried for longest, and of those the first."""

    def __init__(self, home: Path) -> None:
        self.state = str(home / "state")
        self.roots = {name: tree(home / name, {"f": "same"}) for name in "ABC"}
        self.now_s = 0.0
        list(init(self.request(*"ABC"), list("ABC"), Silent()))
        for name in "BC":
            list(add_member(self.request("A"), name, str(self.roots[name]), Silent()))

    def request(self, *names: str) -> Request:
        return Request(tuple(str(self.roots[name]) for name in names), state_dir=self.state)

    def events(self, around: Surroundings | None = None, **options: Any) -> Iterator[Event]:
        repair = RepairRequest(self.request("A"), policies=options.pop("policies", Policies()))
        repair = repair._replace(dry_run=options.pop("dry_run", False), away_s=options.pop("away_s", None))
        around = around or Surroundings(chance=lambda: 0.0)
        return gossip(GossipRequest(repair, **options), Silent(), Hooks(), None, around, self._tick)

    def gossip(self, **options: Any) -> list[Event]:
        return list(self.events(**options))

    def _tick(self) -> float:
        self.now_s += 1
        return self.now_s


@pytest.fixture
def group(engine: Threads, tmp_path: Path) -> Group:
    return Group(tmp_path)


def met(events: Sequence[Event]) -> str:
    """With whom there was a session, one after the other."""
    return "".join(each.names[1] for each in events if isinstance(each, Started) and each.names)


def end(events: Sequence[Event]) -> Summary:
    assert isinstance(events[-1], Summary)
    return events[-1]


def warnings(events: Sequence[Event]) -> list[str]:
    return [each.text for each in events if isinstance(each, Notice) and each.warning]


def busy(*roots: Path) -> Callable[[Open], None]:
    """Somebody else is at work on these roots."""

    def hook(request: Open) -> None:
        if request.access is Access.WRITE and request.root in {bytes(root) for root in roots}:
            raise LockedError("another run is at work")

    return hook


def test_every_round_meets_one_peer_and_news_goes_both_ways(group: Group) -> None:
    write(group.roots["A"] / "a", b"from A")
    events = group.gossip()
    assert [each.command for each in events if isinstance(each, Started)] == ["gossip"] * 2
    assert (end(events).exit_code, end(events).equal, end(events).copied_files) == (0, True, 1)
    first = met(events)
    assert (group.roots[first] / "a").read_bytes() == b"from A"
    assert f"B is {first} ({group.roots[first]})" in [each.text for each in events if isinstance(each, Notice)]
    (other,) = {"B", "C"} - {first}
    write(group.roots[other] / "b", b"from the other")
    again = group.gossip()
    assert (met(again), end(again).copied_files) == (other, 2)
    assert met(group.gossip()) == first
    assert (group.roots["A"] / "b").read_bytes() == b"from the other"


def test_a_round_without_news_says_nothing(group: Group) -> None:
    group.gossip(fanout=2)
    events = group.gossip(fanout=2)
    assert [type(each) for each in events] == [Started, Started, Summary, Started, Summary]
    assert set(met(events)) == {"B", "C"}


def test_who_cannot_be_had_is_skipped(group: Group) -> None:
    group.gossip(fanout=2)
    group.roots["B"].rename(group.roots["B"].with_name("gone"))
    events = group.gossip(fanout=2)
    assert (end(events).exit_code, end(events).causes) == (5, ("guard",))
    assert set(met(events)) == {"B", "C"}
    assert len(warnings(events)) == 1
    assert warnings(events)[0].startswith(f"B ({group.roots['B']}): expected the replica of the last run")
    assert warnings(events)[0].endswith(": skipped")


def test_nobody_there_is_no_error(group: Group, engine: Threads) -> None:
    def away(_: Open) -> None:
        raise UnreachableError("no route to host")

    engine.hooks[1, "hello"] = away
    events = group.gossip()
    assert (end(events).exit_code, end(events).causes, end(events).equal) == (7, ("unreachable",), False)
    assert sorted(text[:1] for text in warnings(events)) == ["B", "C"]
    assert met(events) in ("BC", "CB")


def test_that_a_peer_is_away_may_be_expected(group: Group, engine: Threads) -> None:
    def away(_: Open) -> None:
        raise UnreachableError("no route to host")

    def code(away_s: float) -> int:
        engine.hooks[1, "hello"] = away
        events = group.gossip(away_s=away_s)
        assert len(warnings(events)) == 2
        return end(events).exit_code

    assert [code(math.inf), code(86_400)] == [0, 7]  # they never met
    engine.hooks.clear()
    group.gossip(fanout=2)
    assert code(86_400) == 0


def test_who_is_busy_gets_the_news_there(group: Group, engine: Threads) -> None:
    engine.hooks[1, "hello"] = busy(group.roots["B"])
    both = group.gossip(rounds=2)
    assert (end(both).exit_code, met(both).replace("BC", "C")) == (0, "CC")
    assert {text.split()[0] for text in warnings(both)} == {"B"}
    nobody = group.gossip(fanout=2)
    assert (end(nobody).exit_code, end(nobody).causes) == (6, ("locked",))


def test_what_is_wrong_with_the_replica_itself_ends_it(group: Group, engine: Threads) -> None:
    engine.hooks[0, "hello"] = busy(group.roots["A"])
    with pytest.raises(LockedError, match=f"^{group.roots['A']}: another run is at work"):
        group.gossip()
    list(leave(Request((str(group.roots["B"]),), state_dir=group.state), Silent()))
    for name, words in (("B", "has left its group"), ("C", "no other member is reached from here")):
        group.roots["A"] = group.roots[name]
        with pytest.raises(AefsyncError, match=words):
            group.gossip()


def test_rounds_without_end_outlast_trouble(group: Group, engine: Threads) -> None:
    clock_s, slept, due = [0.0], list[float](), list[float]()

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock_s[0] += seconds

    around = Surroundings(due.append, lambda: clock_s[0], sleep, lambda: 0.25)
    with closing(group.events(around, every_s=300, rounds=None, tick_s=100)) as events:  # type: ignore[type-var]
        assert isinstance(first(events, Summary), Summary)
        assert not slept
        engine.hooks[0, "hello"] = busy(group.roots["A"])
        text = first(events, Notice, "trying again").text
        assert text == f"{group.roots['A']}: another run is at work: trying again"
        assert (slept, due) == ([100, 100, 62.5], [262.5, 162.5, 62.5])
        del engine.hooks[0, "hello"]
        group.roots["C"].rename(group.roots["C"].with_name("gone"))
        # Of two peers the one that is gone is that which was not tried for longest, in the second round at the latest.
        assert 5 in [first(events, Summary).exit_code for _ in range(2)]


def first(events: Iterator[Event], kind: type[Any], text: str = "") -> Any:
    return next(each for each in events if isinstance(each, kind) and text in str(each))


def test_a_rehearsal_leaves_nothing(group: Group) -> None:
    write(group.roots["A"] / "a", b"from A")
    events = group.gossip(dry_run=True)
    assert (end(events).dry_run, end(events).copied_files, end(events).exit_code) == (True, 1, 0)
    assert met(group.gossip(dry_run=True)) == met(events)


def test_whose_word_counts_is_waited_for(group: Group) -> None:
    group.gossip(fanout=2)
    write(group.roots["A"] / "f", b"A has this")
    write(group.roots["B"] / "f", b"B's own")
    write(group.roots["C"] / "f", b"this is C's")
    events = group.gossip(fanout=2, policies=Policies(Policy(PolicyKind.PREFER, "C")))
    standing = [each for each in events if isinstance(each, Conflicted)]
    assert [(each.kept_as, each.policy) for each in standing] == [(None, "skip")]
    assert (end(events).exit_code, end(events).causes[0]) == (1, "left standing")
    assert {(group.roots[name] / "f").read_bytes() for name in "AC"} == {b"this is C's"}


def test_places_of_a_session_are_known_to_all_of_it(group: Group) -> None:
    group.gossip(fanout=2)
    ids = {name: (root / ".aefsync" / "id").read_text().strip() for name, root in group.roots.items()}
    assert Contacts(group.state).of(ids["B"]) == {ids["A"]: str(group.roots["A"])}
    assert set(Attempts(group.state).of(ids["A"])) == {ids["B"], ids["C"]}


def test_the_gravest_code_is_that_of_the_whole() -> None:
    started, toll = Started("gossip", ("/a",)), Toll(dry_run=False)
    toll.add(GuardError.exit_code, "guard")
    events = [started, summary(1, ("conflicts",)), started, summary(4, ("problems", "conflicts")), started]
    found = list(toll.summed_up(iter(events)))
    codes = [(each.exit_code, each.causes) for each in found if isinstance(each, Summary)]
    assert codes == [(1, ("conflicts",)), (4, ("problems", "conflicts")), (5, ("guard", "conflicts", "problems"))]
    assert not end(found).run
