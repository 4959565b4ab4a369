"""What moves bring, on the wire: the versions of what is displaced, and of what comes along with a directory, and the
tombstones that they leave.

    MOVE a <-> b, b displaced         (displaced 1)      1, of b
    MOVE d -> e, e/f alone differs    (along 2)          1, of most; 2, of e/f
    MOVE g -> h                       (buried 1)         1, of g

Nothing of this travels where no versions were asked for.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Self

from aefsync.core.action import Act, Action
from aefsync.core.along import Along
from aefsync.core.path import RelPath
from aefsync.core.version import Version
from aefsync.wire.messages.rows import Counts, Row, Strings
from aefsync.wire.messages.versions import Versions


class Brought(Row):
    """For each move, in turn, `displaced` has 1 where what is displaced has a version, `along` how many versions there are
    of what comes along, the first of most of it; `paths` are those of the others.  `buried` has 1 where the move leaves a
    tombstone.  `versions` are all of them, in turn."""

    displaced: Counts
    buried: Counts
    along: Counts
    paths: Strings
    versions: Versions

    @classmethod
    def of(cls, actions: Sequence[Action]) -> Self | None:
        """Nothing is said where no move brings a version."""
        moves = [action for action in actions if action.act is Act.MOVE]
        versions = Versions.of(version for move in moves for version in _versions(move))
        if versions is None:
            return None
        displaced = tuple(int(move.displaced is not None and move.displaced.version is not None) for move in moves)
        along = tuple(0 if move.along is None else 1 + len(move.along.others) for move in moves)
        paths = Strings.of(path for move in moves if move.along is not None for path, _ in move.along.others)
        buried = tuple(int(move.tombstone is not None) for move in moves)
        return cls(displaced, buried, along, paths, versions)

    def put_into(self, actions: Sequence[Action]) -> list[Action]:
        """The actions with what their moves bring; raises `ValueError` where it does not fit them."""
        versions = [version for version in self.versions.column() if version is not None]
        paths = self.paths.paths()
        others = sum(count - 1 for count in self.along if count)
        told = sum(self.displaced) + sum(self.buried) + sum(self.along)
        if len(versions) != told or len(paths) != others:
            raise ValueError("moves that do not fit what they bring")
        bringing = zip(self.displaced, self.buried, self.along, strict=True)
        left, named = iter(versions), iter(paths)
        moves = [action for action in actions if action.act is Act.MOVE]
        dated = iter([_with(move, *each, left, named) for move, each in zip(moves, bringing, strict=True)])
        return [next(dated) if action.act is Act.MOVE else action for action in actions]


def _versions(move: Action) -> Iterator[Version]:
    if move.displaced is not None and move.displaced.version is not None:
        yield move.displaced.version
    if move.tombstone is not None:
        yield move.tombstone
    if move.along is not None:
        yield move.along.version
        yield from (version for _, version in move.along.others)


def _with(
    move: Action, displaced: int, buried: int, along: int, versions: Iterator[Version], paths: Iterator[RelPath]
) -> Action:
    if displaced:
        if displaced > 1 or move.displaced is None:
            raise ValueError("versions of what is not displaced")
        move = move._replace(displaced=move.displaced._replace(version=next(versions)))
    if buried:
        if buried > 1 or move.displaced is not None:
            raise ValueError("a tombstone of what something else is at")
        move = Action(*move[:6], next(versions), *move[7:])
    if along:
        usual, others = next(versions), itertools.islice(versions, along - 1)
        brought = Along(usual, tuple((next(paths), version) for version in others))
        if any(path != move.path and not path.is_below(move.path) for path, _ in brought.others):
            raise ValueError("a version of what does not come along")
        move = move._replace(along=brought)
    return move
