"""The bytes of a root's files, given in pieces or named as chunks, while they are what the snapshot shows."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TypeVar

from aefsync.core.digest import content_digest
from aefsync.core.entry import Entry, Kind
from aefsync.core.growth import Gathered, Growth
from aefsync.core.lending import Lender
from aefsync.core.path import RelPath
from aefsync.core.ports import Piece
from aefsync.core.recipe import Recipe, Run
from aefsync.disk.chunk_lists import ChunkLists
from aefsync.disk.chunking import Chunks, cutting
from aefsync.disk.confined import ConfinedRoot
from aefsync.disk.hashing import Passed, nobody
from aefsync.disk.looking import Refused
from aefsync.disk.small_files import gather
from aefsync.disk.staging import still_seen

_MOST = 8 << 20
"""Bytes of content that one message may bring."""
_KEPT = 2 * _MOST
"""Bytes of memory that are kept."""
_LARGE = 256 << 10

T = TypeVar("T")
Find = Callable[[RelPath], Entry | None]
"""The entry that the snapshot shows at a path."""


class Giving:
    """Gives the bytes of files, in memory that is used again once they are let go; none where there is no root."""

    def __init__(self) -> None:
        self._lender = Lender(_KEPT)

    def read(self, root: ConfinedRoot | None, find: Find, pieces: Sequence[Piece]) -> Sequence[Piece]:
        """Pieces of files; without bytes where a file is no longer what was scanned."""
        if root is None:
            return pieces
        return [piece._replace(data=_look(root, find, piece.path, self._reading(piece)) or b"") for piece in pieces]

    def gather(self, root: ConfinedRoot | None, growth: Growth) -> Gathered:
        """The small files of a growth, those that one message has room for."""
        if root is None:
            return Gathered(bytes(len(growth.contents)), b"")
        return gather(root, growth, self._lender.lend(min(growth.small_size, _MOST) + 1))

    def _reading(self, piece: Piece) -> Callable[[int], bytes | memoryview]:
        def read(fd: int) -> bytes | memoryview:
            if piece.length < _LARGE:
                return os.pread(fd, piece.length, piece.offset)
            room = self._lender.lend(piece.length)
            os.lseek(fd, piece.offset, os.SEEK_SET)
            return room[: os.readv(fd, [room])]

        return read


def cut_runs(
    root: ConfinedRoot, find: Find, runs: Sequence[Run], level: int, lists: ChunkLists, passed: Passed = nobody
) -> list[Recipe]:
    """Runs of files as chunks; without chunks where a file is no longer what was scanned.

    Files that are cut from the first level on are known from then on by `lists`.
    """
    found = [_look(root, find, run.path, _cutting(find, run, level, lists, passed)) for run in runs]
    return [recipe or Recipe(run.path, run.offset, (), b"") for run, recipe in zip(runs, found, strict=True)]


def with_target(root: ConfinedRoot, entry: Entry) -> Entry:
    """A symlink with its target, if that is still the one scanned; anything else as it is."""
    if entry.kind is not Kind.SYMLINK:
        return entry
    try:
        with root.directory(entry.path.parent) as fd:
            target = os.readlink(entry.path.name, dir_fd=fd)
    except OSError:
        return entry
    return entry._replace(target=target) if content_digest(target) == entry.content else entry


def _look(root: ConfinedRoot, find: Find, path: RelPath, read: Callable[[int], T]) -> T | None:
    """What `read` finds in a file that is still, and stays, what the snapshot shows; `None` elsewhere."""
    try:
        fd = root.open_file(path)
    except OSError:
        return None
    try:
        found = read(fd)
        entry = find(path)
        if entry is not None:
            still_seen(fd, entry)
    except (OSError, Refused):
        return None
    else:
        return found
    finally:
        os.close(fd)


def _cutting(find: Find, run: Run, level: int, lists: ChunkLists, passed: Passed) -> Callable[[int], Recipe]:
    if level or run.offset:
        return cutting(run, level, passed)
    entry = find(run.path)
    if entry is not None and entry.is_read and entry.size == run.length:
        known = lists.find(entry.content, entry.size)
        if known is not None:
            recipe = Recipe(run.path, 0, tuple(known.lengths), known.digests, entry.content)
            return lambda fd: recipe

    def cut_run(fd: int) -> Recipe:
        recipe = cutting(run, level, passed)(fd)
        if recipe.content:
            lists.keep(recipe.content, Chunks(list(recipe.lengths), recipe.digests))
        return recipe

    return cut_run
