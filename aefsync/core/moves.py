"""Moves: how one replica gets from what it has to what it shall have by renaming what it has already.

Given are the **fates** of the paths that change on a replica, in key order.  A version that goes from one path and
comes, with the same content, to another is moved; paths are values, so deciding about one never hangs on another, and
no circle can arise.  First whole directories (`renamed`), then single leaves as they lie by then (`untangle`).  What
is left are fates again, as ordinary as any, but for paths as they are after the moves: all that the rest of the plan
has to know.  A directory that was renamed has, at its new path, a version found and a version wanted that are the same
but for their metadata; what differs within it is deleted, replaced and created there.

    has          shall have      moves, in order             fates that are left
    old/         new/            MOVE old -> new
    old/a  x     new/a  x
    old/b  y     new/b  z                                    new/b  y -> z
    old/c  u     doc/c  u        MKDIR doc, MOVE new/c -> doc/c
    p      v     q      v        MOVE p -> q                 (q  v -> v, where its mode differs)
    r      w     p      w        MOVE r -> p

Wherever a replica stops, everything it had is at a path or in the trash, and what it has then is decided anew.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from aefsync.core.action import Act, Action
from aefsync.core.along import along, dated
from aefsync.core.candidates import Candidates
from aefsync.core.entry import Entry, Kind
from aefsync.core.fate import Fate, Fates
from aefsync.core.metadata import PLAIN, USABLE, Aspects
from aefsync.core.path import END, RelPath, subtree_range
from aefsync.core.renamed import Movable, Rename, comes_along, passed, renamed_directories
from aefsync.core.untangle import NOTHING, Told, Untangled, pair_up, untangle
from aefsync.core.version import STRAY, Version

_DIRECTORY = Kind.DIRECTORY
MOST = 100_000
"""Single leaves that are moved in one run; what is beyond that is copied within the replica, and deleted."""


class Moves:
    """The moves of one replica: `actions` in order, to be carried out before anything else, what is `told` of them, and
    what is `left`.

    `arrived` are the single leaves as they are by then at their new paths, `buried` the tombstones of old ones.
    """

    def __init__(self, shifted: Shifted, single: Untangled) -> None:
        self.actions = (*shifted.actions, *single.actions)
        before = len(shifted.actions)
        behind = (Told(number + before, wanted, old) for number, wanted, old in single.told)
        self.told = (*shifted.told, *behind) if before else single.told
        self._shifted = shifted
        self._moved = single.moved
        self.arrived = _arrived(single.actions)
        self.buried = {path: pair.tombstone for path, pair in single.moved.items() if pair.tombstone is not None}
        self._made = shifted.made | single.made

    @property
    def sources(self) -> frozenset[bytes]:
        """The paths that something was moved away from, directories with all below them."""
        moving = [action for action in self.actions if action.source is not None]
        exchanged = {action.path for action in moving if action.displaced is not None}
        return frozenset(exchanged.union(action.source for action in moving if action.source is not None))

    def left(self, finished: Collection[RelPath] = ()) -> Iterator[Fate]:
        """The fates after the moves, in key order, but for those that are finished."""
        for fate in self._shifted.fates():
            if fate.path in finished:
                continue
            left = self._after(fate)
            if left.found is not None or left.wanted is not None:
                yield left

    def _after(self, fate: Fate) -> Fate:
        """A fate once the single leaves were moved and directories made for them."""
        path, wanted = fate.path, fate.wanted
        if path in self._made and wanted is not None:
            return fate._replace(found=wanted._replace(mode=wanted.mode | USABLE, inode=0))
        if path in self.arrived:
            return fate._replace(found=self.arrived[path])
        return fate._replace(found=None) if path in self._moved else fate


def _arrived(actions: Iterable[Action]) -> dict[RelPath, Entry]:
    """What stands at the paths of single moves after the last of them."""
    found: dict[RelPath, Entry] = {}
    for path, wanted, source, displaced in ((each.path, each.wanted, each.source, each.displaced) for each in actions):
        if source is not None and wanted is not None:
            found[path] = wanted
            if displaced is not None:
                found[source] = displaced._replace(path=source)
    return found


def find_moves(fates: Fates, barred: Collection[bytes], movable: Movable, aspects: Aspects = PLAIN) -> Moves:
    """Find the moves.  `barred` are directories with something below them that is left standing."""
    found = Candidates(fates)
    if found.are_none:
        return Moves(Shifted(found, (), aspects), NOTHING)
    shifted = Shifted(found, renamed_directories(found, barred, movable), aspects)
    return Moves(shifted, _single(found, shifted, barred, movable))


class Shifted:
    """Fates as they are once directories were renamed.

    `news` are the renamed directories, old path by new; `made` those that had to be made for them.
    """

    def __init__(self, found: Candidates, renames: Sequence[Rename], aspects: Aspects) -> None:
        self.aspects = aspects
        self._fates = found.fates
        self._olds = dict(renames)
        self.news: dict[bytes, RelPath] = {new: old for old, new in renames}
        self.actions: list[Action] = []
        self.told: list[Told] = []
        self.made: frozenset[RelPath] = frozenset()
        placed: dict[bytes, bytes] = {}
        moved: dict[bytes, bytes] = {}
        for old, new in renames:
            self._make_above(found, new, placed)
            self._move(old, new, passed(moved, old))
            placed[new], moved[old] = old, new
        self.actions = [self._with_along(action) for action in self.actions]

    def _make_above(self, found: Candidates, path: RelPath, placed: Mapping[bytes, bytes]) -> None:
        for above in path.ancestors:
            if above not in found.coming.numbers or above in placed or above in self.made:
                continue
            if not comes_along(found, placed, above):
                wanted = self._at(above).wanted
                self._add(Action(Act.MKDIR, above, wanted, None), wanted)
                self.made |= {above}

    def _move(self, old: RelPath, new: RelPath, brought: bytes | None) -> None:
        """Rename a directory, which may have been `brought` elsewhere by another one already."""
        found = self._at(old).found
        assert found is not None
        source = old if brought is None else RelPath(brought)
        arrived = dated(found._replace(path=new), self._at(new).wanted, self.aspects)
        self._add(Action(Act.MOVE, new, arrived, found._replace(path=source), source), self._at(new).wanted)

    def _with_along(self, action: Action) -> Action:
        """The rename of a directory, with what comes along by then."""
        wanted = self._at(action.path).wanted
        if action.act is not Act.MOVE or wanted is None or wanted.version is None:
            return action
        left = ((each.source, STRAY) for each in self.actions if each.source and each.source.is_below(action.path))
        return action._replace(along=along(wanted.version, itertools.chain(left, self._brought(action.path))))

    def _brought(self, new: RelPath) -> Iterator[tuple[RelPath, Version]]:
        """The versions of what has come with this directory, and with no other one, to where it stays for now."""
        passed_by: RelPath | None = None
        for path, found, *_ in self._merged(self.news[new], new):
            if passed_by is not None and path.is_below(passed_by):
                continue
            is_elsewhere = path != new and path in self.news
            if found is not None and found.version is not None and not is_elsewhere:
                yield path, found.version
            if is_elsewhere or (found is not None and found.version == STRAY):
                passed_by = path

    def _add(self, action: Action, wanted: Entry | None) -> None:
        assert wanted is not None
        self.told.append(Told(len(self.actions), wanted, action.source))
        self.actions.append(action)

    def _at(self, path: RelPath) -> Fate:
        return next(self._fates.between(path.key, path.key + b"\0"))

    def fates(self) -> Iterator[Fate]:
        """All of them, in key order."""
        return self._between(b"", END)

    def _between(self, low: bytes, high: bytes) -> Iterator[Fate]:
        """The fates with these keys, but for what left the range; what came into it is at its new place."""
        following: bytes | None = low
        while following is not None:
            begin, following = following, None
            for fate in self._fates.between(begin, high):
                if fate.path not in self.news and fate.path not in self._olds:
                    yield fate
                    continue
                if fate.path in self.news:
                    yield from self._merged(self.news[fate.path], fate.path)
                elif fate.wanted is not None:
                    yield fate._replace(found=None)
                following = subtree_range(fate.path.key)[1]
                break

    def _merged(self, old: RelPath, new: RelPath) -> Iterator[Fate]:
        """What a renamed directory brought along, and what is wanted in it."""
        brought = (_shifted(fate, old, new) for fate in self._inside(old))
        both = heapq.merge(brought, self._inside(new), key=lambda fate: fate.path.key)
        for path, group in itertools.groupby(both, key=lambda fate: fate.path):
            members = list(group)
            found = next((each.found for each in members if each.found is not None), None)
            wanted = next((each.wanted for each in members if each.wanted is not None), None)
            yield Fate(path, found and dated(found, wanted, self.aspects), wanted)

    def _inside(self, path: RelPath) -> Iterator[Fate]:
        """A directory that goes or comes and what is below it."""
        yield self._at(path)
        low, high = subtree_range(path.key)
        yield from self._between(low + b"\0", high)


def _shifted(fate: Fate, old: RelPath, new: RelPath) -> Fate:
    """What goes, where it is after the rename."""
    path = RelPath(new + fate.path[len(old) :])
    return Fate(path, fate.found and fate.found._replace(path=path), None)


def _single(found: Candidates, shifted: Shifted, barred: Collection[bytes], movable: Movable) -> Untangled:
    """The moves of single leaves, as they lie once the directories were renamed."""
    sources: list[Fate] = []
    targets: list[Fate] = []
    coming: dict[RelPath, Fate] = {}
    for fate, following in itertools.pairwise(itertools.chain(shifted.fates(), (None,))):
        assert fate is not None
        if fate.stays:
            continue
        is_empty = following is None or not following.path.is_below(fate.path)
        if _is_candidate(found, fate.found, is_empty=is_empty) and len(sources) < MOST:
            sources.append(fate)
        if _is_candidate(found, fate.wanted, is_empty=is_empty) and len(targets) < MOST:
            targets.append(fate)
        if fate.wanted is not None and fate.wanted.kind is _DIRECTORY and fate.path not in shifted.made:
            coming[fate.path] = fate
    pairs = [pair for pair in pair_up(sources, targets) if pair.source.path not in barred]
    folders = [Rename(pair.source.path, pair.target.path) for pair in pairs if pair.source.kind is Kind.DIRECTORY]
    # What came along with a directory was asked about with it.
    unasked = [each for each in folders if passed(shifted.news, each.old) is None]
    told = dict(zip(unasked, movable(unasked), strict=True)) if unasked else {}
    able = [pair for pair in pairs if told.get(Rename(pair.source.path, pair.target.path), True)]
    return untangle(able, coming, shifted.aspects)


def _is_candidate(found: Candidates, entry: Entry | None, *, is_empty: bool) -> bool:
    if entry is None or (entry.kind is _DIRECTORY and not is_empty):
        return False
    return found.may_be_moved(entry)
