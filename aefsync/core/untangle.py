"""Untangle: single files, symlinks and empty directories paired by content, and their moves put in an order.

Each version that goes is used once.  Where several could be meant, the one of the same name and mtime is taken, then
that of the same name, and so on; what is deleted is taken before what is only replaced.  A file that is replaced by
what has yet to come is not moved to a new path, but copied: its own path shall not be empty for a while.

A move needs a free path with a directory above it, so a move to where another one starts waits for that one, and
directories are made on the way.  What stands at the path and moves nowhere is deleted just before.

    chain    b -> c, a -> b
    swap     a -> b, b -> a        one exchange, so that both are at a path at every instant
    cycle    a -> b -> c -> a      two: (a, b) brings a's to b, and then (a, c) b's to c and c's to a

What cannot be had so (a file that moves below its own path, a path where a directory has to be deleted first) is no
move: the new path gets a copy made within the replica, and the old one goes.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence

from aefsync.core.action import Act, Action
from aefsync.core.along import dated, version_by_then
from aefsync.core.entry import Entry, Kind
from aefsync.core.fate import Fate
from aefsync.core.metadata import PLAIN, Aspects
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.path import RelPath
from aefsync.core.version import Version

_MOVE = Act.MOVE  # looked up for every move, which costs ten times as much in an enumeration


class Pair(NamedTuple):
    """A version that goes, `source`, and the fate of the path that it comes to; `tombstone` is the tombstone that it leaves."""

    source: Entry
    target: Fate
    tombstone: Version | None = None

    @property
    def wanted(self) -> Entry:
        assert self.target.wanted is not None
        return self.target.wanted

    def meant(self, aspects: Aspects) -> Entry:
        """What stands at the path after the move, which changes no metadata, with the version that it has should the run end before it records anything."""
        source, target = self.source, self.target
        return Entry(target.path, *source[1:10], version_by_then(source, target.wanted, aspects))


Trait = Callable[[Entry], object]
_TRAITS: tuple[Trait, ...] = (
    lambda entry: (entry.path.name, entry.mtime_ns),
    lambda entry: entry.path.name,
    lambda entry: (entry.path.parent, entry.mtime_ns),
    lambda entry: entry.mtime_ns,
    lambda entry: entry.path.parent,
    lambda entry: None,
)


def pair_up(sources: Sequence[Fate], targets: Sequence[Fate]) -> list[Pair]:
    """Pair versions that go with paths that want their content; both in key order, the result too."""
    deleted: list[Fate] = []
    replaced: list[Fate] = []
    for fate in sources:
        if fate.going is not None:
            (deleted if fate.wanted is None else replaced).append(fate)
    pairs = _pair(deleted, targets)
    if not replaced:
        return sorted(pairs, key=lambda pair: pair.target.path.key)
    served = {pair.target.path for pair in pairs}
    pairs += _pair(replaced, [fate for fate in targets if fate.path not in served])
    served |= {pair.target.path for pair in pairs}
    kept = {fate.path for fate in replaced if fate.path not in served}
    pairs = [pair for pair in pairs if pair.source.path not in kept or pair.target.found is not None]
    return sorted(pairs, key=lambda pair: pair.target.path.key)


def _pair(sources: Iterable[Fate], targets: Iterable[Fate]) -> list[Pair]:
    groups: dict[tuple[Kind, bytes], tuple[list[Fate], list[Fate]]] = {}
    for fate in sources:
        if fate.found is not None:
            groups.setdefault((fate.found.kind, fate.found.content), ([], []))[0].append(fate)
    for fate in targets:
        if fate.wanted is not None and (known := groups.get((fate.wanted.kind, fate.wanted.content))) is not None:
            known[1].append(fate)
    pairs: list[Pair] = []
    for alike, wanting in groups.values():
        if len(alike) == len(wanting) == 1:
            pairs.append(_paired(alike[0], wanting[0]))  # nearly always so, whatever their names are
        elif wanting:
            pairs += _pair_by_traits(alike, wanting)
    return pairs


def _pair_by_traits(sources: list[Fate], targets: list[Fate]) -> list[Pair]:
    """Pair what is all of one content."""
    pairs: list[Pair] = []
    for trait in _TRAITS:
        found = _pair_by(trait, sources, targets)
        used, served = {pair.source.path for pair in found}, {pair.target.path for pair in found}
        sources = [fate for fate in sources if fate.path not in used]
        targets = [fate for fate in targets if fate.path not in served]
        pairs += found
    return pairs


def _pair_by(trait: Trait, sources: Sequence[Fate], targets: Sequence[Fate]) -> list[Pair]:
    known: dict[object, deque[Fate]] = {}
    for fate in sources:
        known.setdefault(fate.found and trait(fate.found), deque()).append(fate)
    pairs = []
    for fate in targets:
        alike = known.get(fate.wanted and trait(fate.wanted))
        if alike:
            pairs.append(_paired(alike.popleft(), fate))
    return pairs


def _paired(source: Fate, target: Fate) -> Pair:
    assert source.found is not None
    return Pair(source.found, target, source.tombstone)


class Told(NamedTuple):
    """What to say of an action, of which number `action` is: what came to be, and under which path it was before."""

    action: int
    wanted: Entry
    old: RelPath | None = None


class Untangled(NamedTuple):
    """`actions` in order, and what is `told` of them; `moved` the pairs that they carry out, by source; `made` the
    directories made on the way."""

    actions: tuple[Action, ...]
    told: tuple[Told, ...]
    moved: dict[RelPath, Pair]
    made: frozenset[RelPath]


NOTHING = Untangled((), (), {}, frozenset())


def untangle(pairs: Sequence[Pair], coming: Mapping[RelPath, Fate], aspects: Aspects = PLAIN) -> Untangled:
    """Order moves.  `coming` are the fates of the directories that have to be made, by path."""
    order = _Order(pairs, coming, aspects)
    order.run()
    return Untangled(tuple(order.actions), tuple(order.told), order.moved, frozenset(order.made))


class _Order:
    """Moves that are done, and those that wait for a path to be vacated."""

    def __init__(self, pairs: Sequence[Pair], coming: Mapping[RelPath, Fate], aspects: Aspects) -> None:
        self.actions: list[Action] = []
        self.told: list[Told] = []
        self.moved: dict[RelPath, Pair] = {}
        self.made: set[RelPath] = set()
        self._coming = coming
        self._aspects = aspects
        self._pending = {pair.source.path: pair for pair in pairs}
        self._ready = deque(pairs)
        self._awaited: dict[RelPath, RelPath] = {}
        self._waiting: dict[RelPath, list[Pair]] = {}

    def run(self) -> None:
        while self._pending:
            while self._ready:
                self._try(self._ready.popleft())
            if self._pending:
                self._settle(self._ring(next(iter(self._pending.values()))))

    def _try(self, pair: Pair) -> None:
        """Do a move, let it wait, or give it up."""
        path, found = pair.target.path, pair.target.found
        missing = self._missing(path)
        in_the_way = [fate.path for fate in missing if self._stands(fate)]
        if not in_the_way and self._stands(pair.target) and (path in self._pending or _is_directory(found)):
            in_the_way = [path]
        if not in_the_way:
            self._make(missing)
            if self._stands(pair.target):
                self.actions.append(Action(Act.DELETE, path, None, found))
            source, meant = pair.source, pair.meant(self._aspects)
            self.told.append(Told(len(self.actions), pair.wanted, source.path))
            self.actions.append(Action(_MOVE, path, meant, source, source.path, None, pair.tombstone))
            self._leave(pair, is_done=True)
        elif in_the_way[0] in self._pending:
            self._awaited[pair.source.path] = in_the_way[0]
            self._waiting.setdefault(in_the_way[0], []).append(pair)
        else:
            self._leave(pair, is_done=False)

    def _missing(self, path: RelPath) -> list[Fate]:
        """The directories above a path that are not there yet, outermost first."""
        if not self._coming:
            return []
        return [self._coming[each] for each in path.ancestors if each in self._coming and each not in self.made]

    def _stands(self, fate: Fate) -> bool:
        """Whether what was found at a path is still there."""
        return fate.found is not None and fate.path not in self.moved

    def _make(self, missing: Iterable[Fate]) -> None:
        for path, wanted in ((each.path, each.wanted) for each in missing):
            if wanted is not None:
                self.told.append(Told(len(self.actions), wanted))
            self.actions.append(Action(Act.MKDIR, path, wanted, None))
            self.made.add(path)

    def _add(self, action: Action, *pairs: Pair) -> None:
        """Do what moves these pairs."""
        self.told += (Told(len(self.actions), pair.wanted, pair.source.path) for pair in pairs)
        self.actions.append(action)

    def _leave(self, pair: Pair, *, is_done: bool) -> None:
        """Whatever became of a move: what waits for it is looked at again."""
        if is_done:
            self.moved[pair.source.path] = pair
        del self._pending[pair.source.path]
        waiting = self._waiting.pop(pair.source.path, ())
        self._ready.extend(each for each in waiting if each.source.path in self._pending)

    def _ring(self, pair: Pair) -> list[Pair]:
        """All that is left waits in circles: the one that this move leads to."""
        seen: dict[RelPath, Pair] = {}
        while pair.source.path not in seen:
            seen[pair.source.path] = pair
            pair = self._pending[self._awaited[pair.source.path]]
        ring = list(seen.values())
        return ring[ring.index(pair) :]

    def _settle(self, ring: list[Pair]) -> None:
        """Turn a circle by exchanges; one that leads through a directory to be made is broken instead."""
        for pair in ring:
            if self._awaited[pair.source.path] != pair.target.path:
                self._leave(pair, is_done=False)
                return
        start = ring[0].source.path
        for pair, following in itertools.pairwise(ring):
            at_start = pair.source._replace(path=start)
            is_last = following is ring[-1]
            displaced = dated(following.source, ring[-1].wanted, self._aspects)
            exchange = Action(Act.MOVE, pair.target.path, pair.meant(self._aspects), at_start, start, displaced)
            self._add(exchange, pair, *([following] if is_last else []))
        for pair in ring:
            self._waiting.pop(pair.source.path)
            self._leave(pair, is_done=True)


def _is_directory(entry: Entry | None) -> bool:
    return entry is not None and entry.kind is Kind.DIRECTORY
