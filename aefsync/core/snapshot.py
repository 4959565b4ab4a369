"""The snapshot: all entries of a replica at one time, in key order, packed.

A million entries fit in memory because there is no object per entry.  Entries stand in **blocks**: consecutive entries
of one directory with nothing of a sub-directory between them.  A block keeps its columns packed: names joined by NUL,
40 bytes of stat each, 32 bytes of content digest each.  The 16-byte entry digests of the whole snapshot are one flat
array; the hash tree (`tree`) works on slices of it.
"""

from __future__ import annotations

import itertools
import struct
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from operator import add
from typing import Protocol

from aefsync.core.digest import ENTRY_DIGEST, entry_digests
from aefsync.core.entry import Entry, Kind, kind_of
from aefsync.core.metadata import PERMISSIONS, PLAIN, Aspects, Extra
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.path import RelPath
from aefsync.core.version import Version
from aefsync.core.view import STAT, View, reduce_stats

CONTENT = 32
STAT_COLUMNS = 5
_CONTENT = struct.Struct(f"{CONTENT}s")


class Versions(Protocol):
    """The versions of a block's entries, and their digests one after the other."""

    def __getitem__(self, index: int) -> Version: ...

    @property
    def digests(self) -> bytes: ...

    def part(self, low: int, high: int) -> VersionList:
        """Those of the entries at `low` … `high - 1`."""


class VersionList(tuple[Version, ...]):
    """Versions held one by one, as a small replica or a test has them."""

    __slots__ = ()

    @property
    def digests(self) -> bytes:
        return b"".join([version.digest for version in self])

    def part(self, low: int, high: int) -> VersionList:
        return VersionList(self[low:high])


class Block(NamedTuple):
    """Consecutive entries of one directory; `prefix` is the directory's key with its closing NUL (root: empty).

    `digests` are the entry digests in the full view, where they are known already (of what counts by default),
    `extras` one of each entry, where they count, and `versions` in sessions that have them.
    """

    prefix: bytes
    names: bytes
    stats: bytes
    contents: bytes
    length: int
    digests: bytes | None = None
    extras: Sequence[Extra] | None = None
    versions: Versions | None = None

    def name_list(self) -> list[bytes]:
        return self.names.split(b"\0")

    def entry(self, index: int) -> Entry:
        """Decode one entry."""
        return next(self.entries(index, index + 1))

    def entries(
        self, low: int, high: int, mode_bits: int = PERMISSIONS, names: Sequence[bytes] | None = None
    ) -> Iterator[Entry]:
        """Decode the entries at `low` … `high - 1`, with these bits of their modes; `names` are those of the block."""
        if low >= high:
            return iter(())
        above, again = self.prefix.replace(b"\0", b"/"), RelPath.again
        # Names were checked when they were scanned.
        paths = [again(above + name) for name in (names or self.name_list())[low:high]]
        modes, *numbers = zip(*STAT.iter_unpack(self.stats[low * STAT.size : high * STAT.size]), strict=True)
        known = {mode: _kind_and_bits(mode, mode_bits) for mode in set(modes)}
        looks = zip(*map(known.__getitem__, modes), strict=True)
        contents = [self.contents[i : i + CONTENT] for i in range(low * CONTENT, high * CONTENT, CONTENT)]
        extras = itertools.repeat(None) if self.extras is None else self.extras[low:high]
        versions = itertools.repeat(None) if self.versions is None else map(self.versions.__getitem__, range(low, high))
        return map(Entry, paths, *looks, *numbers, contents, itertools.repeat(b""), extras, versions)


def _kind_and_bits(mode: int, mode_bits: int) -> tuple[Kind, int]:
    """What an entry says of a packed mode."""
    kind = kind_of(mode)
    assert kind is not None
    return kind, 0 if kind is Kind.SYMLINK else mode & mode_bits


class Snapshot:
    """All entries in key order; `aspects` is the metadata that counts in views of it.

    `digests` are the entry digests as `view` sees them, where they are known already.
    """

    __slots__ = ("_cached", "_firsts", "_split", "_starts", "aspects", "blocks", "count")

    def __init__(
        self, blocks: Sequence[Block], digests: bytes | None = None, aspects: Aspects = PLAIN, view: View = View.FULL
    ) -> None:
        self.blocks = blocks
        self.aspects = aspects
        self._cached: dict[View, bytes] = {} if digests is None else {view: digests}
        self._split: tuple[int, list[bytes]] = (-1, [])
        """the block that was looked into last, and its names: most often the next key is in it, too"""
        self._starts = array("Q")
        self._firsts: list[bytes] = []
        position = 0
        for block in blocks:
            self._starts.append(position)
            self._firsts.append(block.prefix + block.names.partition(b"\0")[0])
            position += block.length
        self.count = position

    def position(self, key: bytes) -> int:
        """How many entries have a smaller key."""
        number = bisect_right(self._firsts, key) - 1
        if number < 0:
            return 0
        block = self.blocks[number]
        if key.startswith(block.prefix):
            inside = bisect_left(self._names(number), key[len(block.prefix) :])
        else:
            inside = block.length
        return self._starts[number] + inside

    def key(self, position: int) -> bytes:
        """The key of the entry at `position`."""
        number = bisect_right(self._starts, position) - 1
        return self.blocks[number].prefix + self._names(number)[position - self._starts[number]]

    def _names(self, number: int) -> list[bytes]:
        if self._split[0] != number:
            self._split = (number, self.blocks[number].name_list())
        return self._split[1]

    def find(self, path: RelPath) -> Entry | None:
        """The entry of a path, if there is one."""
        key = path.key
        position = self.position(key)
        if position < self.count and self.key(position) == key:
            number = bisect_right(self._starts, position) - 1
            inside = position - self._starts[number]
            bits = self.aspects.mode_bits | PERMISSIONS
            return next(self.blocks[number].entries(inside, inside + 1, bits, self._names(number)))
        return None

    def named(self, part: bytes) -> Iterator[Entry]:
        """The entries whose names have this in them, in key order."""
        for block in self.blocks:
            if part in block.names:
                inside = [index for index, name in enumerate(block.name_list()) if part in name]
                for index in inside:
                    yield from block.entries(index, index + 1, self.aspects.mode_bits | PERMISSIONS)

    def holding(self, contents: Collection[bytes]) -> dict[bytes, Entry]:
        """A file that has it, for each of these content digests that some file has."""
        wanted, found = frozenset(contents), dict[bytes, Entry]()
        for block in self.blocks if wanted else ():
            if not wanted.isdisjoint(itertools.chain.from_iterable(_CONTENT.iter_unpack(block.contents))):
                files = (entry for entry in block.entries(0, block.length) if entry.kind is Kind.FILE)
                found |= {entry.content: entry for entry in files if entry.content in wanted}
        return found

    def entries(self, low: int = 0, high: int | None = None) -> Iterator[Entry]:
        """Decode the entries at positions `low` … `high - 1` in key order."""
        for block, start, stop in self.runs(low, self.count if high is None else high):
            yield from block.entries(start, stop, self.aspects.mode_bits | PERMISSIONS)

    def runs(self, low: int, high: int) -> Iterator[tuple[Block, int, int]]:
        """The blocks that cover positions `low` … `high - 1`, each with the part of it that is covered."""
        high = min(high, self.count)
        number = bisect_right(self._starts, low) - 1
        while low < high:
            block, start = self.blocks[number], self._starts[number]
            stop = min(high, start + block.length)
            yield block, low - start, stop - start
            low, number = stop, number + 1

    def digests_in(self, view: View) -> bytes:
        """The flat array of entry digests as `view` sees the entries."""
        if view not in self._cached:
            self._cached[view] = self._versioned() if view is View.VERSIONED else self._plain(view)
        return self._cached[view]

    def _plain(self, view: View) -> bytes:
        return b"".join([block_digests(block, view, self.aspects) for block in self.blocks])

    def _versioned(self) -> bytes:
        """The full view, each digest with that of the entry's version added bit by bit."""
        full, size = memoryview(self.digests), ENTRY_DIGEST
        # Block by block: of a million entries an array takes 16 MB, and adding two as wholes several times that.
        return b"".join(
            [
                _versioned(block, full[start * size : (start + block.length) * size])
                for block, start in zip(self.blocks, self._starts, strict=True)
            ]
        )

    @property
    def digests(self) -> bytes:
        """The flat array of entry digests in the full view."""
        return self.digests_in(View.FULL)


def cut(block: Block, low: int, high: int) -> Block:
    """A part of a block."""
    versions = None if block.versions is None else block.versions.part(low, high)
    if low == 0 and high == block.length:
        return block._replace(digests=None, versions=versions)
    return Block(
        block.prefix,
        b"\0".join(block.name_list()[low:high]),
        block.stats[low * STAT.size : high * STAT.size],
        block.contents[low * CONTENT : high * CONTENT],
        high - low,
        versions=versions,
    )


def _versioned(block: Block, digests: memoryview) -> bytes | memoryview:
    return digests if block.versions is None else added(digests, block.versions.digests)


def added(digests: bytes | memoryview, others: bytes) -> bytes:
    """Two byte strings of one length, added bit by bit: that of an empty vector changes nothing."""
    return (int.from_bytes(digests) ^ int.from_bytes(others)).to_bytes(len(others))


def block_digests(block: Block, view: View, aspects: Aspects = PLAIN) -> bytes:
    """Entry digests of one block, 16 bytes each."""
    if view is View.FULL and block.digests is not None and aspects.is_plain:
        return block.digests
    names = block.name_list() if block.length else []
    contents: Iterable[bytes] = reduce_contents(block, view)
    if block.extras is not None and view.metadata:
        contents = map(add, contents, [extra.canonical for extra in block.extras])
    return entry_digests(block.prefix, names, reduce_stats(block.stats, view, aspects), contents)


def reduce_contents(block: Block, view: View) -> Iterable[bytes]:
    """The content digests as `view` sees them (zeros where it looks at no content)."""
    contents = block.contents if view.reads else bytes(len(block.contents))
    return itertools.chain.from_iterable(_CONTENT.iter_unpack(contents))
