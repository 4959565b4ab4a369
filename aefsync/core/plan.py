"""The plan: decisions turned into actions for each replica, in an order that is safe wherever it stops.

Each replica carries out its actions in four passes over all decisions:

    MOVE    clashing files and links are renamed to their conflict copies
    DELETE  children before parents
    PUT     everything new or replaced, and metadata, parents before children
    CLOSE   permission bits of directories that have to lose some, children before parents; and versions are adopted
            of what is there already

So a path is free before something else takes it, a directory is empty before it goes and exists before it is filled,
and nothing is taken out of a directory's permissions while there is work left in it: where the mode that is wanted
lacks one of the bits 0o300, PUT leaves them in (`disk` sees to that for a MKDIR, which carries the mode wanted in the
end), and a METADATA follows in CLOSE with `found` `None`: what is there by then was left by this run.

A plan is made of one **window** of decisions at a time, so that a million of them need no million actions in memory.
Nothing in it depends on what other windows hold.  The passes therefore go over all windows one after the other: MOVE
and PUT forwards, DELETE and CLOSE backwards, and within a window an action of DELETE or CLOSE stands in that order too.

Bytes travel before what needs them: a **transfer** brings one file to one receiver's staging, from the path where the
origin has it at that time.  Those for conflict copies (`early`) come before MOVE, while the origin has them at the
clashing path; the others just before PUT.  Nothing else that is a source changes until then, because no replica changes
a path of which it has the version that wins.

Example: `doc` is a file on A and a directory with `in.txt` on B (`reconcile` has the decisions).

    A   MOVE doc -> doc.conflict-...    PUT  MKDIR doc    CREATE doc/in.txt
    B                                   PUT  CREATE doc.conflict-...
    transfers: 0 -> 1 doc for doc.conflict-... (early),  1 -> 0 doc/in.txt

A conflict copy that all replicas have already does not appear among the differences, so a MOVE or CREATE for it may
be planned all the same: `apply` takes "already there, with the same content" for done (the source of such a MOVE goes
to the trash).

**Steps** are the same plan for people: one an action word and path, over all receivers.
"""

from __future__ import annotations

from collections.abc import Iterable

from aefsync.core.action import QUARANTINED, Act, Action, StageFile
from aefsync.core.entry import Entry, Kind
from aefsync.core.linked import NO_LINKS, Linked, Links
from aefsync.core.metadata import PLAIN, USABLE, Aspects, Extra
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.one_sided import OneSided
from aefsync.core.path import RelPath
from aefsync.core.step import Altered, Pass, Place, Step, Transfer
from aefsync.core.verdict import Decision, KeepBoth, Remove, Stand, Take, at
from aefsync.core.version import Version

NEW = {Kind.FILE: Act.CREATE, Kind.DIRECTORY: Act.MKDIR, Kind.SYMLINK: Act.LINK}
"""What puts something where nothing is."""
_REPLACE = {Kind.FILE: Act.COPY, Kind.SYMLINK: Act.LINK}
_PUT, _DELETE, _FILE, _DIRECTORY = Pass.PUT, Act.DELETE, Kind.FILE, Kind.DIRECTORY
"""Looked up for every path, which costs ten times as much in an enumeration."""


class Plan(NamedTuple):
    """What one window comes to: `actions` by replica and pass, in order; `transfers` (`early`: of conflict copies) and
    `steps` by path."""

    actions: tuple[tuple[tuple[Action, ...], ...], ...]
    early: tuple[Transfer, ...]
    transfers: tuple[Transfer, ...]
    steps: tuple[Step, ...]

    def of(self, step: Pass) -> tuple[tuple[Action, ...], ...]:
        """The actions of one pass, by replica."""
        return tuple(own[step] for own in self.actions)


def plan(decisions: Iterable[Decision], replicas: int, aspects: Aspects = PLAIN, links: Links = NO_LINKS) -> Plan:
    """Turn a window of decisions, in key order, into the actions of each of so many replicas."""
    draft = _Draft(replicas, aspects, links)
    for decision in decisions:
        match decision.verdict:
            case Take():
                _plan_take(draft, decision, decision.verdict)
            case KeepBoth():
                _plan_both(draft, decision, decision.verdict)
            case Remove():
                _plan_removal(draft, decision, decision.verdict)
            case Stand():
                pass
    return draft.finish()


def plan_after(found: OneSided, replicas: int) -> Plan:
    """What is left to do where all others have got what one replica has: to close directories."""
    draft = _Draft(replicas, PLAIN, NO_LINKS)
    for entry in found.read_only_directories:
        for replica in range(replicas):
            if replica != found.holder:
                draft.close(_Spot(replica, found.holder, entry, entry, "missing"))
    return draft.finish()


def _plan_take(draft: _Draft, decision: Decision, verdict: Take) -> None:
    path, entries = decision.path, decision.entries
    winner, reason, version = verdict
    source = at(entries, winner)
    wanted, moved = source if source.version == version else source._replace(version=version), None
    for entry in entries:
        if entry is not None and entry.path != path:
            moved = entry.path
            wanted = wanted._replace(path=path)
    linked = draft.links.get(path)
    for replica, entry in enumerate(entries):
        if entry is wanted and entry.extra is None:
            continue
        why = "conflict" if moved else "missing" if entry is None and reason != "mirror" else reason
        spot = _Spot(replica, winner, source, wanted, why, moved)
        if entry is not None and entry.path != path:
            draft.keep(spot, entry)
        else:
            _plan_name(draft, spot, entry, linked)


def _plan_name(draft: _Draft, spot: _Spot, entry: Entry | None, linked: Linked | None) -> None:
    """Turn what a replica has at the path, if anything, into what is wanted, and that into a name of its leader."""
    does_stay = linked is not None and spot.replica in linked.stays
    is_alone = linked is None or linked.leader == spot.wanted.path or spot.replica in linked.apart
    if linked is not None and not is_alone and not does_stay:
        _plan_join(draft, spot._replace(leader=linked.leader), entry)
    elif entry is None:
        draft.put(spot)
    elif entry.leader and not does_stay and entry.same_content(spot.wanted):
        draft.part(spot, entry)
    else:
        _plan_change(draft, spot, entry)


def _plan_join(draft: _Draft, spot: _Spot, entry: Entry | None) -> None:
    """Make the path another name of its leader, which has the version that is wanted by then."""
    if entry is not None and entry.kind is Kind.DIRECTORY:
        draft.delete(spot.replica, entry, spot.reason)
        entry = None
    draft.join(spot, entry)


def _plan_change(draft: _Draft, spot: _Spot, entry: Entry) -> None:
    """Turn what a replica has at the path into what is wanted there."""
    if entry.same_content(spot.wanted) or spot.replica == spot.winner:
        if not entry.same_metadata(spot.wanted, draft.aspects.alone):
            draft.set_metadata(spot, entry)
        elif entry.version != spot.wanted.version:
            draft.record(
                spot.replica, Action(Act.RECORD, entry.path, entry._replace(version=spot.wanted.version), entry)
            )
    elif _DIRECTORY in (entry.kind, spot.wanted.kind):
        draft.delete(spot.replica, entry, spot.reason)
        draft.put(spot)
    else:
        draft.put(spot, entry)


def _plan_both(draft: _Draft, decision: Decision, verdict: KeepBoth) -> None:
    winner, kept_as, version = verdict
    source = at(decision.entries, winner)
    wanted = source._replace(version=version)
    linked = draft.links.get(decision.path)
    for replica, entry in enumerate(decision.entries):
        why = "missing" if entry is None else "mode" if entry.same_content(wanted) else "conflict"
        spot = _Spot(replica, winner, source, wanted, why)
        _plan_name(draft, spot, entry if kept_as[replica] is None else None, linked)


def _plan_removal(draft: _Draft, decision: Decision, verdict: Remove) -> None:
    reason, version = verdict
    tombstones = decision.tombstones or (None,) * len(decision.entries)
    for replica, (entry, tombstone) in enumerate(zip(decision.entries, tombstones, strict=True)):
        if entry is not None:
            draft.delete(replica, entry, reason, version)
        elif tombstone != version:
            draft.record(replica, Action(Act.RECORD, decision.path, None, None, tombstone=version))


class _Spot(NamedTuple):
    """One path on one replica, and what is wanted there: the version `source` of replica `winner`."""

    replica: int
    winner: int
    source: Entry
    wanted: Entry
    reason: str
    old: RelPath | None = None
    leader: RelPath | None = None


class _Draft:
    """Collects the actions of each replica by pass, and the steps by word and path."""

    def __init__(self, replicas: int, aspects: Aspects, links: Links) -> None:
        self.aspects = aspects
        self.links = links
        self._passes: list[tuple[list[Action], ...]] = [tuple([] for _ in Pass) for _ in range(replicas)]
        self._early: list[Transfer] = []
        self._transfers: list[Transfer] = []
        self._steps: dict[tuple[str, RelPath, str], tuple[_Spot, Altered | None, list[int], list[Place]]] = {}

    def part(self, spot: _Spot, found: Entry) -> None:
        """A file of its own in the place of another name of one, with the same content."""
        place = self._add(spot.replica, Pass.PUT, Action(Act.COPY, spot.wanted.path, spot.wanted, found))
        self._transfers.append(Transfer(spot.winner, spot.replica, StageFile(spot.source, spot.wanted.path)))
        self._show(Act.COPY.value, spot, place)

    def put(self, spot: _Spot, found: Entry | None = None) -> None:
        """Something new at the path, or in the place of a file or link."""
        kind = spot.wanted.kind
        act = NEW[kind] if found is None else _REPLACE[kind]
        place = self._add(spot.replica, _PUT, Action(act, spot.wanted.path, spot.wanted, found))
        if kind is _FILE:
            transfers = self._transfers if spot.source.path == spot.wanted.path else self._early
            file = StageFile(spot.source, spot.wanted.path)
            replaces = found is not None and found.kind is _FILE
            transfers.append(Transfer(spot.winner, spot.replica, file, replaces))
        elif kind is _DIRECTORY:
            self.close(spot)
        self._show("conflict_copy" if spot.old else act, spot, place, found)

    def keep(self, spot: _Spot, entry: Entry) -> None:
        """Rename a clashing version to its conflict copy; where that has other metadata, it is made anew."""
        if entry.same_content(spot.wanted) and entry.same_metadata(spot.wanted, self.aspects.alone):
            move = Action(Act.MOVE, spot.wanted.path, spot.wanted, entry, source=entry.path)
            self._show("conflict_copy", spot, self._add(spot.replica, Pass.MOVE, move))
            if entry.leader:
                # With its other names the copy would be one file here, and nowhere else.
                moved = entry._replace(path=spot.wanted.path)
                self._add(spot.replica, _PUT, Action(Act.COPY, moved.path, spot.wanted, moved))
                self._early.append(Transfer(spot.winner, spot.replica, StageFile(spot.source, moved.path)))
        else:
            self._add(spot.replica, Pass.DELETE, Action(Act.DELETE, entry.path, None, entry))
            self.put(spot)

    def join(self, spot: _Spot, found: Entry | None) -> None:
        """Another name of a file that is, or will be, in place."""
        extra = (spot.wanted.extra or Extra())._replace(leader=spot.leader)
        action = Action(Act.JOIN, spot.wanted.path, spot.wanted._replace(extra=extra), found)
        self._show(Act.LINK.value, spot, self._add(spot.replica, Pass.PUT, action))

    def set_metadata(self, spot: _Spot, found: Entry) -> None:
        wanted = spot.wanted
        if wanted.kind is Kind.DIRECTORY:
            wanted = wanted._replace(mode=wanted.mode | USABLE)
            self.close(spot)
        action = Action(Act.METADATA, wanted.path, wanted, found)
        self._show(Act.METADATA.value, spot, self._add(spot.replica, Pass.PUT, action), found)

    def record(self, replica: int, action: Action) -> None:
        """A version that is adopted, and nothing else; people are not told."""
        self._add(replica, Pass.CLOSE, action)

    def delete(self, replica: int, found: Entry, reason: str, version: Version | None = None) -> None:
        aside = reason if reason in QUARANTINED else ""
        action = Action(Act.DELETE, found.path, None, found, tombstone=version, aside=aside)
        place = self._add(replica, Pass.DELETE, action)
        self._show(Act.DELETE.value, _Spot(replica, replica, found, found, reason), place)

    def close(self, spot: _Spot) -> None:
        if spot.wanted.mode & USABLE != USABLE:
            self._add(spot.replica, Pass.CLOSE, Action(Act.METADATA, spot.wanted.path, spot.wanted, None))

    def _add(self, replica: int, step: Pass, action: Action) -> Place:
        actions = self._passes[replica][step]
        actions.append(action)
        return Place(step, len(actions) - 1)

    def _show(self, word: str, spot: _Spot, place: Place, found: Entry | None = None) -> None:
        seen = None if found is None else Altered(found, spot.wanted, self.aspects)
        _, _, receivers, places = self._steps.setdefault((word, spot.wanted.path, spot.reason), (spot, seen, [], []))
        receivers.append(spot.replica)
        places.append(place)

    def finish(self) -> Plan:
        steps = tuple(self._step(word, *found) for (word, _, _), found in self._steps.items())
        actions = tuple(tuple(map(_in_order, Pass, own)) for own in self._passes)
        return Plan(actions, tuple(self._early), tuple(self._transfers), steps)

    def _step(self, word: str, spot: _Spot, seen: Altered | None, receivers: list[int], places: list[Place]) -> Step:
        _, winner, _, wanted, reason, old, leader = spot
        size = wanted.size if wanted.kind is _FILE and leader is None else 0
        origin = None if word == _DELETE else winner
        turned = tuple(map(self._turned, receivers, places))
        place = word, wanted.path, origin, tuple(receivers), turned
        return Step(*place, size, reason, old, wanted.kind is _DIRECTORY, leader, seen)

    def _turned(self, replica: int, place: Place) -> Place:
        if place.step is _PUT or not place.step.backwards:
            return place
        return place._replace(number=len(self._passes[replica][place.step]) - 1 - place.number)


def _in_order(step: Pass, actions: list[Action]) -> tuple[Action, ...]:
    return tuple(reversed(actions) if step.backwards else actions)
