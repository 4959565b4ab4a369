"""Relocated: what is left to be done once every replica has made its moves.

The moves of each replica are found in the decisions about it.  Where all shall be as the first one is, the differences
are then taken as they will be, and decided on anew; where versions count, the decisions stand, and only what the
replicas have is taken as it will be.  Either way what follows the moves is a plan like any other.
"""

from __future__ import annotations

import heapq
import itertools
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import TypeVar

from aefsync.core.action import Act
from aefsync.core.candidates import SKETCH, head
from aefsync.core.compare import Difference
from aefsync.core.differences import FEW, Differences
from aefsync.core.entry import Entry, Kind
from aefsync.core.fate import Fate
from aefsync.core.finished import decided, finished
from aefsync.core.metadata import Aspects
from aefsync.core.moves import Moves
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.one_sided import OneSided
from aefsync.core.path import END, RelPath, is_within, parents
from aefsync.core.plan import Plan
from aefsync.core.reconcile import Decisions
from aefsync.core.sketch import Sketch
from aefsync.core.step import Pass, Place, Step
from aefsync.core.verdict import Decision, KeepBoth, Remove, Stand, Take, Versions, at
from aefsync.core.view import View

_MKDIR, _MOVE, _FILE, _DIRECTORY = Act.MKDIR.value, Act.MOVE.value, Kind.FILE, Kind.DIRECTORY
_CACHED = FEW
T = TypeVar("T")


class OwnFates:
    """The fates of the paths of one replica that the decisions change, a window at a time, but for those in directories
    that come `late`."""

    def __init__(self, decisions: Decisions, replica: int, late: Collection[bytes] = ()) -> None:
        self._decisions = decisions
        self._replica = replica
        self._late = late
        self._cached: dict[int, list[Fate]] = {}

    def between(self, low: bytes, high: bytes) -> Iterator[Fate]:
        """Those with keys `low <= key < high`, in key order."""
        firsts = self._decisions.firsts
        for number in range(max(0, bisect_right(firsts, low) - 1), bisect_left(firsts, high)):
            fates = self._window(number)
            begin, end = (bisect_left(fates, key, key=_key) for key in (low, high))
            yield from itertools.islice(fates, begin, end)

    def _window(self, number: int) -> list[Fate]:
        if number not in self._cached:
            if len(self._cached) == _CACHED:
                del self._cached[next(iter(self._cached))]
            aspects = self._decisions.aspects
            fates = (_fate(decision, self._replica, aspects) for decision in self._decisions.window(number))
            found = [fate for fate in fates if fate is not None]
            late = self._late
            self._cached[number] = [fate for fate in found if not is_within(fate.path, late)] if late else found
        return self._cached[number]


def _key(fate: Fate) -> bytes:
    return fate.path.key


def _fate(decision: Decision, replica: int, aspects: Aspects) -> Fate | None:
    """What becomes of a path on one replica; `None` where it stays as it is."""
    found, verdict = decision.entries[replica], decision.verdict
    if found is not None and found.path != decision.path:
        return None  # it is to be renamed already, to its conflict copy
    if isinstance(verdict, Take) and replica != verdict.winner:
        wanted = at(decision.entries, verdict.winner)
        is_same = found is not None and found.same_content(wanted) and found.same_metadata(wanted, aspects)
        return None if is_same else Fate(decision.path, found, wanted)
    if isinstance(verdict, Remove) and found is not None:
        return Fate(decision.path, found, None, verdict.version)
    return None


class Outlook(NamedTuple):
    """What must be known before moves are looked for: the replicas which may `move` something, as something goes there and
    something comes whose contents are known and may be the same, the directories that are `barred` because something
    below them is left standing or is not known, and by replica those that come `late`: a conflict has to be settled
    first, as something else stands there, or does elsewhere."""

    move: frozenset[int]
    barred: frozenset[bytes]
    late: Mapping[int, Collection[bytes]]


def outlook(decisions: Decisions, unknown: Iterable[Collection[bytes]]) -> Outlook:
    """Look through all decisions once; of what only one replica has, all of which is taken, nothing goes nor stands."""
    barred = {each for own in unknown for path in own for each in (path, *parents(path))}
    going: defaultdict[int, Sketch] = defaultdict(partial(Sketch, SKETCH))
    coming: defaultdict[int, Sketch] = defaultdict(partial(Sketch, SKETCH))
    late: defaultdict[int, set[bytes]] = defaultdict(set)
    singly = (number for number in range(decisions.windows) if not decisions.is_one_sided(number))
    for decision in itertools.chain.from_iterable(map(decisions.window, singly)):
        if isinstance(decision.verdict, Stand):
            barred.update((decision.path, *parents(decision.path)))
        elif isinstance(decision.verdict, KeepBoth):
            kinds = [None if entry is None else entry.kind for entry in decision.entries]
            if kinds[decision.verdict.winner] is _DIRECTORY:
                for replica in (number for number, kind in enumerate(kinds) if kind is not _DIRECTORY):
                    late[replica].add(decision.path)
        for replica in range(len(decision.entries)):
            fate = _fate(decision, replica, decisions.aspects)
            if fate is None or fate.stays:
                continue
            if fate.found is not None and fate.found.is_read:
                going[replica].add(head(fate.found.content))
            if fate.wanted is not None and fate.wanted.is_read:
                coming[replica].add(head(fate.wanted.content))
    move = (replica for replica in going.keys() & coming.keys() if going[replica].meets(coming[replica]))
    return Outlook(frozenset(move), frozenset(barred), late)


def relocated(decisions: Decisions, moves: Mapping[int, Moves], replicas: int, view: View) -> Differences:
    """The differences after these moves, of replicas that all shall be as the first one is."""
    standing = (each for each in decisions if isinstance(each.verdict, Stand))
    streams: list[Iterator[tuple[bytes, int, Decision | Fate]]] = [((each.path.key, 0, each) for each in standing)]
    for number in range(1, replicas):
        own = moves[number].left() if number in moves else OwnFates(decisions, number).between(b"", END)
        streams.append(_numbered(own, number))
    found = Differences()
    moved = {number: own.sources for number, own in moves.items()} if decisions.aspects.links else {}
    for _, group in itertools.groupby(heapq.merge(*streams, key=lambda item: item[:2]), key=lambda item: item[0]):
        difference = _difference([(number, each) for _, number, each in group], replicas)
        if decisions.aspects.links:
            difference = _without_moved_leaders(difference, moved)
        if not view.same(difference.entries, decisions.aspects):
            found.append(difference)
    return found


def _numbered(fates: Iterable[Fate], number: int) -> Iterator[tuple[bytes, int, Decision | Fate]]:
    return ((fate.path.key, number, fate) for fate in fates)


def _difference(members: Sequence[tuple[int, Decision | Fate]], replicas: int) -> Difference:
    """What all replicas have at a path; one with no fate there has what is wanted."""
    first = members[0][1]
    if isinstance(first, Decision):
        return Difference(first.path, first.entries)
    found = {number: fate.found for number, fate in members if isinstance(fate, Fate)}
    return Difference(first.path, tuple(found.get(number, first.wanted) for number in range(replicas)))


class AfterMoves:
    """The same decisions on replicas that have made their moves, but for those that are carried out with that."""

    def __init__(self, decisions: Decisions, moves: Mapping[int, Moves], replicas: int) -> None:
        self._decisions = decisions
        self._replicas = replicas
        self._finished = finished(decisions, moves)
        self._buried = {number: own.buried for number, own in moves.items()}
        self._left = {
            number: Differences(Difference(fate.path, (fate.found, fate.wanted)) for fate in own.left(self._finished))
            for number, own in moves.items()
        }
        paths = (path for own in moves.values() for action in own.actions for path in (action.path, action.source))
        self._touched = sorted({path.key for path in paths if path is not None})

    @property
    def windows(self) -> int:
        """How many there are: those of the decisions."""
        return self._decisions.windows

    def one_sided(self, number: int) -> OneSided | None:
        """The growth that a window is about, where nothing was moved there, away from there, or together with a directory
        above: what one replica has alone, and another had under another name, is in place already."""
        low, high = self._bounds(number)
        is_touched = bisect_left(self._touched, low) < bisect_left(self._touched, high)
        return None if is_touched or self._is_below_touched(low) else self._decisions.one_sided(number)

    def _bounds(self, number: int) -> tuple[bytes, bytes]:
        """The keys between which a window lies."""
        firsts = self._decisions.firsts
        return firsts[number] if number else b"", firsts[number + 1] if number + 1 < len(firsts) else END

    def _is_below_touched(self, key: bytes) -> bool:
        above = (key[:end] for end, byte in enumerate(key) if not byte)
        return any(self._touched[at : at + 1] == [each] for each in above for at in [bisect_left(self._touched, each)])

    def __iter__(self) -> Iterator[Decision]:
        for number in range(self.windows):
            yield from self.window(number)

    def window(self, number: int) -> list[Decision]:
        """The decisions of one window, in key order, those on what a directory brought along among them."""
        low, high = self._bounds(number)
        decisions = {each.path: each for each in self._decisions.window(number) if each.path not in self._finished}
        for replica, left in self._left.items():
            found = {each.path: each.entries for each in left.between(low, high)}
            for path, decision in decisions.items():
                # A directory may bring along what is buried here: nothing stood there that had a fate.
                if path in found or _fate(decision, replica, self._decisions.aspects) is not None:
                    here = found[path][0] if path in found else None
                    entries, tombstone = _put(decision.entries, replica, here), self._buried[replica].get(path)
                    tombstones = (
                        decision.tombstones if tombstone is None else _put(decision.tombstones, replica, tombstone)
                    )
                    decisions[path] = decision._replace(entries=entries, tombstones=tombstones)
            for path, (here, wanted) in found.items():
                if path not in decisions and here is not None and wanted is None:
                    none: Versions = (None,) * self._replicas
                    decisions[path] = Decision(path, _put(none, replica, here), Remove("moved"))
        return sorted(decisions.values(), key=lambda decision: decision.path.key)


def _put(column: Sequence[T | None], replica: int, own: T | None) -> tuple[T | None, ...]:
    return tuple(own if number == replica else each for number, each in enumerate(column))


def _without_moved_leaders(difference: Difference, moved: Mapping[int, frozenset[bytes]]) -> Difference:
    """A path moved away is no leader any more; `moved` are such paths, and those of directories, by replica."""
    entries = [
        entry.uprooted
        if entry is not None and entry.leader and is_within(entry.leader, moved.get(number, frozenset()))
        else entry
        for number, entry in enumerate(difference.entries)
    ]
    return Difference(difference.path, tuple(entries))


def plan_of(moves: Mapping[int, Moves], replicas: int, decisions: Decisions, reason: str) -> Plan:
    """The moves as a plan of their own, before all others; what is deleted for a move is told of as part of it, and what
    is moved comes from the replica that has it there."""
    winners = _winners(decisions, {told.wanted.path for own in moves.values() for told in own.told})
    steps: dict[tuple[RelPath, RelPath | None], Step] = {}
    for replica, own in moves.items():
        for number, wanted, old in own.told:
            known, place = steps.get((wanted.path, old)), Place(Pass.MOVE, number)
            if known is None:
                steps[wanted.path, old] = _step(wanted, old, winners.get(wanted.path), reason, (replica, place))
            else:
                receivers, places = (*known.receivers, replica), (*known.places, place)
                steps[wanted.path, old] = known._replace(receivers=receivers, places=places)
    actions = tuple((moves[number].actions if number in moves else (), (), (), ()) for number in range(replicas))
    return Plan(actions, (), (), tuple(steps.values()))


def _winners(decisions: Decisions, paths: Iterable[RelPath]) -> dict[RelPath, int]:
    """Whose version of these paths wins."""
    takes = ((each.path, each.verdict) for each in decided(decisions, paths))
    return {path: verdict.winner for path, verdict in takes if isinstance(verdict, Take)}


def _step(wanted: Entry, old: RelPath | None, origin: int | None, reason: str, receiver: tuple[int, Place]) -> Step:
    word, kind, (replica, place) = _MKDIR if old is None else _MOVE, wanted.kind, receiver
    size = wanted.size if kind is _FILE else 0
    return Step(word, wanted.path, origin, (replica,), (place,), size, reason, old, kind is _DIRECTORY)
