"""What a replica in memory remembers: its sidecar, and how a scan is judged by it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from aefsync.core.action import Act, Action
from aefsync.core.entry import Entry, Kind
from aefsync.core.members import Encounter, Mark, Members, Memory, Standing, State, merge_members
from aefsync.core.minting import Record, judge, settle
from aefsync.core.path import RelPath
from aefsync.core.unsettled import LeftStanding, Unsettled, after
from aefsync.core.version import STRAY, Dot, Tombstone, Vector, Version, is_covered, minted, without


@dataclass
class Sidecar:
    """Outlives sessions, as the tree does."""

    id: str
    author: bytes = b""
    epoch: int = 0
    marks: list[Mark] = field(default_factory=list)
    records: dict[RelPath, Record] = field(default_factory=dict)
    pending: dict[RelPath, list[Record]] = field(default_factory=dict)
    moving: list[Action] = field(default_factory=list)
    members: Members = ()
    met: tuple[Encounter, ...] = ()
    is_new: bool = True
    shared: bool = False
    returned: bool = False
    unsettled: tuple[Unsettled, ...] = ()

    def __post_init__(self) -> None:
        self.author = self.author or bytes.fromhex(self.id)

    @property
    def mark(self) -> Mark:
        return self.marks[-1] if self.marks else Mark(0, bytes(8))

    def standing(self, *, brief: bool = False) -> Standing:
        own = Standing(self.id, self.author, self.mark, shared=self.shared, returned=self.returned)
        return own if brief else own._replace(members=self.members, met=self.met, left=self.left)

    @property
    def left(self) -> LeftStanding:
        """What stands, but for what stands with nobody who may still come."""
        gone = {each.id for each in self.members if each.state is not State.ACTIVE}
        return LeftStanding.of(self.unsettled, gone)

    def next_dot(self) -> Dot:
        return Dot(self.author, self.mark.counter + 1)

    def mint(self) -> Dot:
        """A new dot, with its mark."""
        dot = self.next_dot()
        self.marks.append(Mark(dot.counter, (self.epoch << 32 | dot.counter).to_bytes(8)))
        return dot

    def is_disproved(self, claims: Iterable[Encounter]) -> bool:
        """Whether another member holds a mark for one of this replica that is none; then it begins anew.

        So it does, and nothing else, where a version tells of edits by it that it never made.
        """
        foreign = [claim for claim in claims if claim.mark.counter and claim.mark not in self.marks]
        if not foreign:
            known, last = (dict(each.version.vector) for each in self.records.values()), self.mark.counter
            if any(vector.get(self.author, 0) > last for vector in known):
                self._take_another_name()
            return False
        agreed = {each.id: each.counter for each in self.met}
        self._begin_anew(min(agreed.get(claim.id, 0) for claim in foreign))
        return True

    def _begin_anew(self, agreed: int) -> None:
        old, self.returned = self.author, True
        self._take_another_name()
        lost = [path for path, each in self.records.items() if dict(each.version.vector).get(old, 0) > agreed]
        dot = self.mint() if lost else None
        for path in lost:
            version, entry = self.records[path]
            assert dot is not None
            self.records[path] = Record(Version(minted(without(version.vector, old), dot), dot.author), entry)

    def _take_another_name(self) -> None:
        self.epoch += 1
        self.author, self.marks = bytes(16 - 4) + self.epoch.to_bytes(4), []

    def judge(self, entries: Iterable[Entry], sees: Callable[[RelPath], bool]) -> dict[RelPath, Record]:
        """What is to be remembered of everything that is seen, and was before."""
        found, dot = {entry.path: entry for entry in entries}, self.next_dot()
        for action in self.moving:
            if _is_directory(found.get(action.path)) and not _is_directory(found.get(action.source or action.path)):
                self._carry(action)
        fresh = dict(self.records)
        for path in {*found, *self.records, *self.pending}:
            if not sees(path):
                continue
            record = self.records.get(path)
            if path in self.pending:
                record = settle(found.get(path), record, *self.pending[path])
            judged = judge(found.get(path), record, dot, first=self.is_new)
            if judged is None:
                fresh.pop(path, None)
            else:
                fresh[path] = judged
        return fresh

    def keep(self, fresh: dict[RelPath, Record], watermark: Vector) -> None:
        """Remember what a scan was judged to be, but for tombstones that nobody needs."""
        dot = self.next_dot()
        if any(dot in each.version.vector for each in fresh.values()):
            self.mint()
        dead = {path for path, each in fresh.items() if each.entry is None}
        dead = {path for path in dead if is_covered(fresh[path].version.vector, watermark)}
        self.records = {path: each for path, each in fresh.items() if path not in dead}
        self.pending, self.moving, self.is_new = {}, [], False

    def learn(self, entries: Iterable[Entry]) -> None:
        """Contents that were read since: of them are the bases of what has no other origin."""
        for entry in entries:
            record = self.records.get(entry.path)
            if record is not None and record.entry is not None and record.entry.stat_key == entry.stat_key:
                self.records[entry.path] = record._replace(entry=entry)

    def expect(self, actions: Iterable[Action]) -> None:
        """What is about to be done."""
        for action in actions:
            if action.act is not Act.RECORD:
                for path, record in _meant([action]):
                    self.pending.setdefault(path, []).append(record)
            if action.source is not None:
                self.pending.setdefault(action.source, [])
            if action.along is not None:
                self.moving.append(action)

    def _carry(self, action: Action) -> None:
        """Have the records of what is in a renamed directory move along."""
        assert action.source is not None
        assert action.along is not None
        others = dict(action.along.others)
        strays = [path for path, version in action.along.others if version == STRAY]
        for path in [each for each in self.records if each.is_below(action.source)]:
            new = RelPath(action.path + path[len(action.source) :])
            entry = self.records[path].entry
            if entry is not None:
                del self.records[path]
                is_stray = any(new.is_below(stray) for stray in strays)
                version = STRAY if is_stray else others.get(new, action.along.version)
                self.records[new] = Record(version, entry._replace(path=new))

    def record(self, done: Iterable[Action], find: Callable[[RelPath], Entry | None]) -> None:
        """What was done."""
        for action in done:
            if action.along is not None:
                self._carry(action)
            for path, record in _meant([action]):
                self.records[path] = record._replace(entry=record.entry and (find(path) or record.entry))
        self.pending, self.moving = {}, []

    def tombstones(self) -> list[Tombstone]:
        return [Tombstone(path, each.version) for path, each in self.records.items() if each.entry is None]

    def remember(self, memory: Memory, sees: Callable[[RelPath], bool]) -> LeftStanding:
        self.members = merge_members([self.members, memory.members])
        kept = {each.id: each for each in (*self.met, *memory.met)}
        self.met = tuple(kept[each] for each in sorted(kept))
        self.shared = self.shared or memory.is_whole
        self.returned = memory.returned or (self.returned and not memory.is_whole)
        if memory.seen is not None:
            self.unsettled = after(self.unsettled, memory.seen, sees)
        return self.left


def _meant(actions: Iterable[Action]) -> Iterator[tuple[RelPath, Record]]:
    for action in actions:
        if action.wanted is not None and action.wanted.version is not None:
            yield action.path, Record(action.wanted.version, action.wanted)
        elif action.tombstone is not None and action.act in (Act.DELETE, Act.RECORD):
            yield action.path, Record(action.tombstone, None)
        if action.source is not None and action.displaced is not None and action.displaced.version is not None:
            yield action.source, Record(action.displaced.version, action.displaced._replace(path=action.source))
        elif action.source is not None and action.tombstone is not None:
            yield action.source, Record(action.tombstone, None)


def _is_directory(entry: Entry | None) -> bool:
    return entry is not None and entry.kind is Kind.DIRECTORY
