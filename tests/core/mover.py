"""Carries out moves, and the fates that they leave, on a tree in memory, strictly: what a disk refuses is an error."""

from __future__ import annotations

import itertools
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Sequence

from aefsync.core.action import Act, Action
from aefsync.core.entry import Entry, Kind
from aefsync.core.fate import Fate
from aefsync.core.moves import Moves, find_moves
from aefsync.core.path import RelPath
from aefsync.core.renamed import Movable, Rename
from aefsync.core.view import View
from tests.support.snapshots import planted

Tree = dict[RelPath, Entry]
_inodes = itertools.count(10)


def tree(*entries: Entry) -> Tree:
    """A tree with an inode of its own for each entry."""
    return {entry.path: entry._replace(inode=next(_inodes)) for entry in entries}


def all_movable(renames: Sequence[Rename]) -> list[bool]:
    return [True] * len(renames)


class Listed(list[Fate]):
    """Fates as a list, in key order."""

    def between(self, low: bytes, high: bytes) -> Iterator[Fate]:
        start = bisect_left(self, low, key=_key)
        return itertools.takewhile(lambda fate: _key(fate) < high, itertools.islice(self, start, None))


def _key(fate: Fate) -> bytes:
    return fate.path.key


def fates(has: Tree, wanted: Iterable[Entry]) -> Listed:
    """What has to change."""
    pairs = planted([has.values(), wanted])
    return Listed(Fate(path, *entries) for path, entries, _ in pairs if not View.FULL.same(entries))


def moves_of(
    has: Tree,
    wanted: Iterable[Entry],
    barred: Collection[bytes] = (),
    movable: Movable = all_movable,
) -> Moves:
    return find_moves(fates(has, wanted), barred, movable)


def shown(moves: Moves) -> list[str]:
    """The actions in words."""
    return [_shown(action) for action in moves.actions]


def _shown(action: Action) -> str:
    arrow = "<->" if action.displaced else "->"
    return f"{action.act} {action.source} {arrow} {action.path}" if action.source else f"{action.act} {action.path}"


def left(moves: Moves) -> list[str]:
    """What is left, in words: `-` goes, `+` comes, `*` is replaced, `m` gets other metadata."""
    words = []
    for fate in moves.left():
        code = "-" if fate.wanted is None else "+" if fate.found is None else "m" if fate.stays else "*"
        if code != "m" or not (fate.found and fate.wanted and fate.found.same_metadata(fate.wanted)):
            words.append(f"{code} {fate.path}")
    return words


class Mover:
    """A tree and its trash."""

    def __init__(self, has: Tree) -> None:
        self.tree = dict(has)
        self.trash: list[Entry] = []

    def treasures(self) -> set[tuple[Kind, bytes]]:
        """Every content that is at a path or in the trash."""
        entries = [*self.tree.values(), *self.trash]
        return {(entry.kind, entry.content) for entry in entries if entry.kind is not Kind.DIRECTORY}

    def carry_out(self, moves: Moves) -> Iterable[None]:
        """Step by step, as a plan would: moves, deletes, puts."""
        for action in moves.actions:
            self._act(action)
            yield
        rest = list(moves.left())
        for fate in reversed(rest):
            if fate.going is not None and (
                fate.wanted is None or Kind.DIRECTORY in (fate.going.kind, fate.wanted.kind)
            ):
                self._discard(fate.path, fate.going)
                yield
        for fate in rest:
            if fate.wanted is not None:
                self._put(fate, fate.wanted)
                yield

    def _act(self, action: Action) -> None:
        if action.act is Act.MKDIR:
            assert action.wanted is not None
            self._place(action.wanted)
        elif action.act is Act.DELETE:
            self._discard(action.path, action.found)
        else:
            assert action.act is Act.MOVE
            self._move(action)

    def _expect(self, path: RelPath, found: Entry | None) -> None:
        there = self.tree.get(path)
        assert found is not None
        assert found.path == path
        assert there is not None, f"nothing at {path}"
        assert (there.kind, there.content) == (found.kind, found.content)
        assert found.inode in (0, there.inode)

    def _discard(self, path: RelPath, found: Entry | None) -> None:
        self._expect(path, found)
        assert not self._below(path), f"{path} is not empty"
        self.trash.append(self.tree.pop(path))

    def _place(self, wanted: Entry) -> None:
        assert wanted.path not in self.tree, f"{wanted.path} is taken"
        self._check_parent(wanted.path)
        self.tree[wanted.path] = wanted._replace(inode=next(_inodes))

    def _check_parent(self, path: RelPath) -> None:
        assert not path.parent or self.tree[RelPath(path.parent)].kind is Kind.DIRECTORY, f"nothing above {path}"

    def _below(self, path: RelPath) -> list[RelPath]:
        return [each for each in self.tree if each.is_below(path)]

    def _move(self, action: Action) -> None:
        _, path, _, found, source, displaced, *_ = action
        assert source is not None
        assert not path.is_below(source)
        self._expect(source, found)
        self._check_parent(path)
        if displaced is not None:
            self._expect(path, displaced)
            assert not source.is_below(path)
        else:
            assert path not in self.tree, f"{path} is taken"
        there = {path: source, source: path} if displaced else {source: path}
        out = {each: self.tree.pop(each) for old in there for each in [old, *self._below(old)] if each in self.tree}
        for old, new in there.items():
            for each, entry in out.items():
                if each == old or each.is_below(old):
                    moved = RelPath(new + each[len(old) :])
                    self.tree[moved] = entry._replace(path=moved)

    def _put(self, fate: Fate, wanted: Entry) -> None:
        if fate.stays:
            self._expect(fate.path, fate.found)
            there = self.tree[fate.path]
            self.tree[fate.path] = there._replace(mode=wanted.mode, mtime_ns=wanted.mtime_ns)
            return
        if fate.path in self.tree:
            self._discard(fate.path, fate.found)
        self._place(wanted)
