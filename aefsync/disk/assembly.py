"""Assembly: the receiver's part of a transfer by chunks: what of the files to come is on this disk already.

Only the names of chunks are compared here.  `fill` copies what was found into the staged file, and nobody believes it:
a seed may have been edited meanwhile, so the file counts as staged only when its content digest is the right one.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence

from aefsync.core.action import StageFile
from aefsync.core.compare import Span, spans_of
from aefsync.core.digest import content_hasher
from aefsync.core.entry import Entry
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.pairing import join
from aefsync.core.path import RelPath
from aefsync.core.recipe import LEVELS, Recipe, first_level
from aefsync.disk.chunk_lists import ChunkLists
from aefsync.disk.chunking import Chunks, cut
from aefsync.disk.confined import ConfinedRoot
from aefsync.disk.hashing import Passed, Towards, seen_as, unchanged
from aefsync.disk.home import TMP, Home
from aefsync.disk.sparse import copy_range

_USEFUL = 16 << 10
"""Bytes of a file left in staging that is worth to be looked at again."""

NO_LISTS = ChunkLists(b"")
Find = Callable[[RelPath], Entry | None]
"""The entry that the snapshot shows at a path."""


def _nothing(_: RelPath) -> None:
    """Know of no entry."""


class Seed(NamedTuple):
    """A file that may hold chunks of those to come."""

    root: ConfinedRoot
    path: bytes


class _Held(NamedTuple):
    """A chunk that a seed has."""

    seed: Seed
    offset: int
    length: int


class _Extent(NamedTuple):
    """Bytes of a file to come, and where they are."""

    offset: int
    held: _Held


class Assembly:
    """Files that come together; `leftovers` are seeds beside those that are named.

    `lists` are consulted for seeds that `find` knows the content of, and told of what was cut; `on_read` hears how many
    bytes were, of how many.
    """

    def __init__(
        self,
        root: ConfinedRoot,
        leftovers: Sequence[Seed] = (),
        lists: ChunkLists = NO_LISTS,
        find: Find = _nothing,
        on_read: Callable[[int, int], None] = lambda done, total: None,
    ) -> None:
        self._root = root
        self._leftovers = leftovers
        self._lists = lists
        self._find = find
        self._on_read = on_read
        self._named: dict[RelPath, Recipe] = {}
        """files to come that were named as a whole, until they are complete"""
        self._relied_on: set[bytes] = set()
        """contents of seeds whose chunks were taken from a list"""
        self._begin(())

    def _begin(self, seeds: Sequence[Seed]) -> None:
        self._level = -1
        self._uncut = list(seeds)
        """seeds whose first level is still to come"""
        self._held: dict[bytes, _Held] = {}
        """chunks of the seeds at this level, by digest"""
        self._used: set[bytes] = set()
        self._extents: dict[RelPath, list[_Extent]] = {}

    def match(self, seeds: Sequence[RelPath] | None, recipes: Sequence[Recipe], level: int) -> list[list[Span]]:
        """The chunks of each recipe that none of the seeds holds, which stay until others are named (not `None`)."""
        if seeds is not None:
            self._begin([*self._leftovers, *(Seed(self._root, path) for path in seeds)])
        if level != self._level:
            self._descend(level)
        if level == 0:
            self._named |= {each.path: each for each in recipes if each.content and not each.offset}
        return [self._look_up(recipe) for recipe in recipes]

    def _look_up(self, recipe: Recipe) -> list[Span]:
        missing: list[int] = []
        offset = recipe.offset
        for number, length in enumerate(recipe.lengths):
            digest = recipe.digest(number)
            held = self._held.get(digest)
            if held is not None and held.length == length:
                self._used.add(digest)
                self._extents.setdefault(recipe.path, []).append(_Extent(offset, held))
            else:
                missing.append(number)
            offset += length
        return list(spans_of(missing))

    def _descend(self, level: int) -> None:
        """Cut seeds that begin with this level, and what nobody has asked for of the others."""
        left: dict[Seed, list[Span]] = {}
        for digest, (seed, offset, length) in self._held.items():
            if digest not in self._used:
                join(left.setdefault(seed, []), offset, offset + length)
        for seed in self._uncut:
            size = _size(seed)
            begins = first_level(size)
            if begins is None or begins <= level:
                left[seed] = [(0, size)]
        self._uncut = [seed for seed in self._uncut if seed not in left]
        self._level, self._held, self._used = level, {}, set()
        passed = Towards(self._on_read, sum(stop - start for spans in left.values() for start, stop in spans))
        for seed, spans in left.items():
            self._cut(seed, spans, passed)

    def _cut(self, seed: Seed, spans: Sequence[Span], passed: Passed) -> None:
        """Cut these bytes of a seed; one that cannot be read is none."""
        with contextlib.suppress(OSError), _opened(seed) as fd:
            for start, stop in spans:
                lengths, digests = self._chunks(seed, fd, start, stop, passed)
                offset = start
                size = LEVELS[self._level].digest
                for number, length in enumerate(lengths):
                    digest = digests[number * size : (number + 1) * size]
                    self._held.setdefault(digest, _Held(seed, offset, length))
                    offset += length

    def _chunks(self, seed: Seed, fd: int, start: int, stop: int, passed: Passed) -> Chunks:
        """A part of a seed as chunks, from a list where it is of the whole."""
        entry = self._find(RelPath(seed.path)) if self._level == start == 0 and seed.root is self._root else None
        if entry is None or not entry.is_read or entry.size != stop or not unchanged(fd, seen_as(entry)):
            return cut(fd, start, stop - start, self._level, passed=passed)
        known = self._lists.find(entry.content, stop)
        if known is not None:
            self._relied_on.add(entry.content)
            return known
        whole = content_hasher(threads=True)
        chunks = cut(fd, 0, stop, 0, whole.update, passed)
        self._lists.keep(whole.digest(), chunks)
        return chunks

    def arrived(self, files: Sequence[StageFile], contents: Sequence[bytes]) -> None:
        """Hear which files are complete now (`contents`: their digests, else empty): what they were named by is true of
        them; and after a failure no list counts that was relied on."""
        for file, content in zip(files, contents, strict=True):
            named = self._named.pop(file.path, None)
            if not content:
                for each in self._relied_on:
                    self._lists.forget(each)
            elif named is not None and named.content == content:
                self._lists.keep(content, Chunks(list(named.lengths), named.digests))

    def fill(self, path: RelPath, fd: int) -> int:
        """Copy what was found for a file into it; how many bytes."""
        filled = 0
        extents = self._extents.pop(path, [])
        for seed in dict.fromkeys(extent.held.seed for extent in extents):
            with _opened(seed) as source:
                for offset, held in extents:
                    if held.seed == seed:
                        copy_range(source, fd, held.offset, offset, held.length)
                        filled += held.length
        return filled


def unfinished(home: Home) -> list[Seed]:
    """What interrupted runs left in staging and is large enough to be of use."""
    found, pending = [], [TMP]
    while pending:
        above = pending.pop()
        with contextlib.suppress(OSError), home.directory(above) as fd, os.scandir(fd) as scan:
            for entry in scan:
                path = above + b"/" + os.fsencode(entry.name)
                if entry.is_dir(follow_symlinks=False):
                    pending.append(path)
                elif entry.is_file(follow_symlinks=False) and entry.stat(follow_symlinks=False).st_size >= _USEFUL:
                    found.append(Seed(home, path))
    return found


def clear_remains(home: Home) -> None:
    """Remove what interrupted runs left in staging and is of no use; only with the lock held."""
    useful = (seed.path[len(TMP) + 1 :].split(b"/")[:2] for seed in unfinished(home))
    home.clear_tmp([b"/".join(names) for names in useful])


def _size(seed: Seed) -> int:
    """The size of a seed; 0 where there is none."""
    with contextlib.suppress(OSError), _opened(seed) as fd:
        return os.fstat(fd).st_size
    return 0


@contextlib.contextmanager
def _opened(seed: Seed) -> Iterator[int]:
    fd = seed.root.open_file(seed.path)
    try:
        yield fd
    finally:
        os.close(fd)
