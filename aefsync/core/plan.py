"""The plan: decisions turned into actions for each replica, in an order that is safe wherever it stops.

Each replica carries out its actions one after the other, in four passes:

    1  clashing files and links are renamed to their conflict copies      MOVE
    2  deletes, children before parents                                    DELETE
    3  everything new or replaced, parents before children                 MKDIR CREATE COPY LINK, METADATA of files
    4  permission bits of directories, children before parents             METADATA

So a path is free before something else takes it, a directory is empty before it goes and exists before it is filled,
and nothing is taken out of a directory's permissions while there is work left in it.  A MKDIR carries the mode that is
wanted in the end; `disk` makes the directory usable for its owner first, so where the wanted mode lacks one of the
bits 0o300, a METADATA follows in pass 4 with `found` `None`: what is there was made by this run.

Bytes travel before the first action: a **transfer** brings one file to one receiver's staging, from the path where the
origin has it at that time (for a conflict copy that is still the clashing path).

Example: `doc` is a file on A and a directory with `in.txt` on B (`reconcile` has the decisions).

    A   MOVE doc -> doc.conflict-...    MKDIR doc    CREATE doc/in.txt
    B   CREATE doc.conflict-...
    transfers: 0 -> 1 doc for doc.conflict-...,  1 -> 0 doc/in.txt

A conflict copy that all replicas have already does not appear among the differences, so a MOVE or CREATE for it may
be planned all the same: `apply` takes "already there, with the same content" for done (the source of such a MOVE goes
to the trash).

**Steps** are the same plan for people: one an action word and path, over all receivers.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from aefsync.core.action import Act, Action, StageFile
from aefsync.core.entry import Entry, Kind
from aefsync.core.path import RelPath
from aefsync.core.verdict import Decision, KeepBoth, Remove, Stand, Take, at

USABLE = 0o300
"""Owner's bits without which nothing can be put into a directory."""

_NEW = {Kind.FILE: Act.CREATE, Kind.DIRECTORY: Act.MKDIR, Kind.SYMLINK: Act.LINK}
_REPLACE = {Kind.FILE: Act.COPY, Kind.SYMLINK: Act.LINK}


class Transfer(NamedTuple):
    """A file whose bytes have to reach the staging of `receiver`; replica `origin` has them."""

    origin: int
    receiver: int
    file: StageFile


class Step(NamedTuple):
    """What happens to one path, for people.

    `action` is a word of CLI.md, `positions` tells for each receiver which of its actions it is (so that what was not
    done need not be claimed), `old` is the clashing path that a conflict copy had before.
    """

    action: str
    path: RelPath
    origin: int | None
    receivers: tuple[int, ...]
    positions: tuple[int, ...]
    size: int
    reason: str
    old: RelPath | None = None
    is_directory: bool = False


class Plan(NamedTuple):
    """`actions` by replica, in order; `transfers` by path; `steps` by path."""

    actions: tuple[tuple[Action, ...], ...]
    transfers: tuple[Transfer, ...]
    steps: tuple[Step, ...]

    @property
    def is_empty(self) -> bool:
        return not any(self.actions)

    @property
    def deletes(self) -> tuple[int, ...]:
        """How many entries each replica loses to the trash without another version taking their place."""
        return tuple(sum(1 for action in own if action.act is Act.DELETE) for own in self.actions)


def plan(decisions: Iterable[Decision], replicas: int) -> Plan:
    """Turn decisions, in key order, into the actions of each of so many replicas."""
    draft = _Draft(replicas)
    for decision in decisions:
        match decision.verdict:
            case Take(winner, reason):
                _plan_take(draft, decision, winner, reason)
            case KeepBoth(winner, kept_as):
                _plan_directory(draft, decision, winner, kept_as)
            case Remove(reason):
                for replica, entry in enumerate(decision.entries):
                    if entry is not None:
                        draft.delete(replica, entry, reason)
            case Stand():
                pass
    return draft.finish()


def _plan_take(draft: _Draft, decision: Decision, winner: int, reason: str) -> None:
    source = at(decision.entries, winner)
    wanted = source._replace(path=decision.path)
    moved = next((entry.path for entry in decision.entries if entry and entry.path != decision.path), None)
    for replica, entry in enumerate(decision.entries):
        why = "conflict" if moved else "missing" if entry is None and reason != "mirror" else reason
        spot = _Spot(replica, winner, source, wanted, why, moved)
        if entry is None:
            draft.put(spot)
        elif entry.path != decision.path:
            draft.keep(spot, entry)
        elif replica != winner:
            _plan_change(draft, spot, entry)


def _plan_change(draft: _Draft, spot: _Spot, entry: Entry) -> None:
    """Turn what a replica has at the path into what is wanted there."""
    if entry.same_content(spot.wanted):
        if not entry.same_metadata(spot.wanted):
            draft.set_metadata(spot, entry)
    elif Kind.DIRECTORY in (entry.kind, spot.wanted.kind):
        draft.delete(spot.replica, entry, spot.reason)
        draft.put(spot)
    else:
        draft.put(spot, entry)


def _plan_directory(draft: _Draft, decision: Decision, winner: int, kept_as: tuple[RelPath | None, ...]) -> None:
    wanted = at(decision.entries, winner)
    for replica, entry in enumerate(decision.entries):
        if entry is None:
            draft.put(_Spot(replica, winner, wanted, wanted, "missing"))
        elif entry.kind is Kind.DIRECTORY:
            _plan_change(draft, _Spot(replica, winner, wanted, wanted, "mode"), entry)
        else:
            if kept_as[replica] is None:
                draft.delete(replica, entry, "conflict")
            draft.put(_Spot(replica, winner, wanted, wanted, "conflict"))


class _Spot(NamedTuple):
    """One path on one replica, and what is wanted there: the version `source` of replica `winner`."""

    replica: int
    winner: int
    source: Entry
    wanted: Entry
    reason: str
    old: RelPath | None = None


class _Pass(NamedTuple):
    """Where an action stands before the passes are joined: number of the pass, offset in it."""

    number: int
    offset: int


_MOVES, _DELETES, _PUTS, _LAST = range(4)
_REVERSED = (_DELETES, _LAST)


class _Draft:
    """Collects the actions of each replica by pass, and the steps by word and path."""

    def __init__(self, replicas: int) -> None:
        self._passes: list[tuple[list[Action], ...]] = [([], [], [], []) for _ in range(replicas)]
        self._transfers: list[Transfer] = []
        self._steps: dict[tuple[str, RelPath, str], tuple[Step, list[tuple[int, _Pass]]]] = {}

    def put(self, spot: _Spot, found: Entry | None = None) -> None:
        """Something new at the path, or in the place of a file or link."""
        kind = spot.wanted.kind
        act = _NEW[kind] if found is None else _REPLACE[kind]
        place = self._add(spot.replica, _PUTS, Action(act, spot.wanted.path, spot.wanted, found))
        if kind is Kind.FILE:
            file = StageFile(spot.source, spot.wanted.path)
            self._transfers.append(Transfer(spot.winner, spot.replica, file))
        elif kind is Kind.DIRECTORY and spot.wanted.mode & USABLE != USABLE:
            self._add(spot.replica, _LAST, Action(Act.METADATA, spot.wanted.path, spot.wanted, None))
        self._show("conflict_copy" if spot.old else act.value, spot, place)

    def keep(self, spot: _Spot, entry: Entry) -> None:
        """Rename a clashing version to its conflict copy; where that has other metadata, it is made anew."""
        if entry.same_content(spot.wanted) and entry.same_metadata(spot.wanted):
            move = Action(Act.MOVE, spot.wanted.path, spot.wanted, entry, source=entry.path)
            self._show("conflict_copy", spot, self._add(spot.replica, _MOVES, move))
        else:
            self._add(spot.replica, _DELETES, Action(Act.DELETE, entry.path, None, entry))
            self.put(spot)

    def set_metadata(self, spot: _Spot, found: Entry) -> None:
        number = _LAST if found.kind is Kind.DIRECTORY else _PUTS
        action = Action(Act.METADATA, spot.wanted.path, spot.wanted, found)
        self._show(Act.METADATA.value, spot, self._add(spot.replica, number, action))

    def delete(self, replica: int, found: Entry, reason: str) -> None:
        place = self._add(replica, _DELETES, Action(Act.DELETE, found.path, None, found))
        self._show(Act.DELETE.value, _Spot(replica, replica, found, found, reason), place)

    def _add(self, replica: int, number: int, action: Action) -> _Pass:
        actions = self._passes[replica][number]
        actions.append(action)
        return _Pass(number, len(actions) - 1)

    def _show(self, word: str, spot: _Spot, place: _Pass) -> None:
        key = (word, spot.wanted.path, spot.reason)
        if key not in self._steps:
            origin = None if word == Act.DELETE.value else spot.winner
            size = spot.wanted.size if spot.wanted.kind is Kind.FILE else 0
            is_directory = spot.wanted.kind is Kind.DIRECTORY
            step = Step(word, spot.wanted.path, origin, (), (), size, spot.reason, spot.old, is_directory)
            self._steps[key] = (step, [])
        self._steps[key][1].append((spot.replica, place))

    def finish(self) -> Plan:
        steps = []
        for step, places in self._steps.values():
            receivers = tuple(replica for replica, _ in places)
            positions = tuple(self._position(replica, place) for replica, place in places)
            steps.append(step._replace(receivers=receivers, positions=positions))
        return Plan(tuple(_in_order(own) for own in self._passes), tuple(self._transfers), tuple(steps))

    def _position(self, replica: int, place: _Pass) -> int:
        own = self._passes[replica]
        before = sum(len(actions) for actions in own[: place.number])
        inside = len(own[place.number]) - 1 - place.offset if place.number in _REVERSED else place.offset
        return before + inside


def _in_order(passes: tuple[list[Action], ...]) -> tuple[Action, ...]:
    ordered = [reversed(own) if number in _REVERSED else own for number, own in enumerate(passes)]
    return tuple(action for own in ordered for action in own)
