"""Growth: entries that only one replica has, consecutive in key order, packed as they stand in its snapshot.

A first copy is nothing else, and a new directory brings thousands at a time.  Of such entries nothing is decided one by
one: all go to everybody else, as far as nothing is in the way.  So they travel by columns, from the snapshot of the
replica that has them to the page of the one that gets them, and no object is made for any of them on the way:

    blocks    photos/ :  a.jpg b.jpg new   stats  contents     |  photos/new/ :  c.jpg  stats  contents
    outcome   a byte each:  1     0     1                                         1

What could not be brought so (0: a large file, one that changed, a name that is taken by now) is left to the ordinary
way, entry by entry, which also knows what to say of it.
"""

from __future__ import annotations

import itertools
import stat
from array import array
from collections.abc import Iterator, Sequence
from typing import Protocol

from aefsync.core.compare import Span
from aefsync.core.entry import KIND_BITS, UNKNOWN, Entry, Kind
from aefsync.core.metadata import PERMISSIONS, SPECIAL
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.path import RelPath
from aefsync.core.snapshot import CONTENT, STAT_COLUMNS, Block, cut

ENTRIES = 1 << 14
"""Entries that are brought and put in place together, at most."""
PATHS = 4 << 20
"""Bytes of the names, and of the paths of the directories, in one growth, unless one directory alone has more."""
FILES = 64 << 20
"""Bytes of small files in one growth: what is lost when a run ends before it is in place."""
SMALL = 1 << 17
"""Files up to this size are read in one call, and only they are brought so."""

_FILE, _LINK, _DIRECTORY = stat.S_IFREG, stat.S_IFLNK, stat.S_IFDIR


class Growth(NamedTuple):
    """Blocks in key order, and the `targets` of the symlinks in them, in order; of modes only the bits that count."""

    blocks: tuple[Block, ...]
    targets: tuple[bytes, ...] = ()

    @property
    def length(self) -> int:
        return sum(block.length for block in self.blocks)

    @property
    def first(self) -> bytes:
        """The key of the first entry."""
        return self.blocks[0].prefix + self.blocks[0].names.partition(b"\0")[0]

    @property
    def last(self) -> bytes:
        """The key of the last one."""
        return self.blocks[-1].prefix + self.blocks[-1].names.rpartition(b"\0")[2]

    @property
    def contents(self) -> bytes:
        """The content digests, 32 bytes each."""
        return b"".join([block.contents for block in self.blocks])

    def entries(self) -> Iterator[Entry]:
        """The entries one by one, symlink targets filled in."""
        entries = (each for block in self.blocks for each in block.entries(0, block.length, PERMISSIONS | SPECIAL))
        if not self.targets:
            return entries
        targets = iter(self.targets)
        return (each._replace(target=next(targets)) if each.kind is Kind.SYMLINK else each for each in entries)

    def kinds(self) -> list[int]:
        """The kind of each entry, as the bits of a mode."""
        return [kind for block in self.blocks for kind in kinds_of(block)]

    @property
    def is_read(self) -> bool:
        """Whether the content of any file is known."""
        return any(block.contents.strip(b"\0") and {*_file_contents(block)} - {UNKNOWN} for block in self.blocks)

    @property
    def is_unread(self) -> bool:
        """Whether that of any is not."""
        return any(UNKNOWN in _file_contents(block) for block in self.blocks)

    @property
    def small_size(self) -> int:
        """The bytes of the files that are brought by columns."""
        return sum(sum(small_sizes(block)) for block in self.blocks)

    def sizes_read(self) -> list[int]:
        """The size of each such file whose content is known, 0 for all else."""
        sizes = [size for block in self.blocks for size in small_sizes(block)]
        contents = self.contents
        return [
            size if size and contents[i * CONTENT : (i + 1) * CONTENT] != UNKNOWN else 0 for i, size in enumerate(sizes)
        ]

    def with_contents(self, contents: bytes) -> Growth:
        """The growth with these content digests, 32 bytes each."""
        ends = list(itertools.accumulate((block.length * CONTENT for block in self.blocks), initial=0))
        pairs = zip(self.blocks, itertools.pairwise(ends), strict=True)
        return self._replace(blocks=tuple(block._replace(contents=contents[low:high]) for block, (low, high) in pairs))

    def weigh(self) -> Weight:
        """What all of it comes to."""
        kinds = self.kinds()
        files, directories, links = (kinds.count(kind) for kind in (_FILE, _DIRECTORY, _LINK))
        return Weight(files, directories, links, sum(sum(file_sizes(block)) for block in self.blocks))

    def keys(self) -> list[bytes]:
        """The key of each entry."""
        return [block.prefix + name for block in self.blocks for name in block.name_list()]

    def part(self, low: int, high: int) -> Growth:
        """The entries at `low` … `high - 1`."""
        before = self.kinds()[:low].count(_LINK) if self.targets else 0
        blocks, start = [], 0
        for block in self.blocks:
            begin, end = max(low - start, 0), min(high - start, block.length)
            blocks += [cut(block, begin, end)] if begin < end else []
            start += block.length
        return _with_targets(blocks, itertools.islice(self.targets, before, None))

    def parts(self, entries: int, size: int) -> Iterator[Growth]:
        """The same in parts of at most so many entries and so many bytes of small files, if no single one has more."""
        blocks: list[Block] = []
        room, room_bytes, links = entries, size, iter(self.targets)
        for block in self.blocks:
            low = 0
            for high, taken in _cuts(block, entries, size, room, room_bytes):
                if low < high:
                    blocks.append(cut(block, low, high))
                    room, room_bytes, low = room - (high - low), room_bytes - taken, high
                if high < block.length:
                    yield _with_targets(blocks, links)
                    blocks, room, room_bytes = [], entries, size
        if blocks:
            yield _with_targets(blocks, links)


class Weight(NamedTuple):
    """Numbers of entries by kind, and the bytes of the files."""

    files: int
    directories: int
    links: int
    size: int

    @property
    def entries(self) -> int:
        return self.files + self.directories + self.links


class Learned(NamedTuple):
    """Content digests that another replica found while it copied files of one directory: its key with a closing NUL
    (the root's is empty), their names joined by NUL, 32 bytes each (zeros: not found, or no file)."""

    prefix: bytes
    names: bytes
    contents: bytes


class Gathered(NamedTuple):
    """The small files of a growth: a content digest of each of its entries (zeros: not read), and the bytes of the
    files that have one, one behind the other."""

    contents: bytes
    data: bytes | memoryview


class Grows(Protocol):
    """The part of the port `Replica` that is about growths."""

    def growth(self, spans: Sequence[Span]) -> Growth:
        """The first of the entries at these positions, packed, as many as one growth may have, at least one."""

    def gather(self, growth: Growth) -> Gathered:
        """The small files of a growth that was given out here, as far as they still are as they were."""

    def grow(self, growth: Growth, data: bytes | memoryview, peer: int | None) -> bytes:
        """Have new entries ready in staging, verified: their small files as in `data` (one behind the other, those with a
        content digest), or, with a `peer`, copied directly from the replica of that number.

        Returns a content digest for each entry: zeros where there is none, or where it is left to the ordinary way.
        """

    def plant(self) -> bytes:
        """Put in place, where nothing is, what has grown since the last time: durable first, a new directory with
        all that is in it.  A byte for each entry: 1 where it is in place now, all else being left undone."""


def modes_of(block: Block) -> list[int]:
    """The mode of each entry, with the bits of its kind."""
    return memoryview(block.stats).cast("q")[0::STAT_COLUMNS].tolist()


def kinds_of(block: Block) -> list[int]:
    """The kind of each entry, as the bits of a mode."""
    return [mode & KIND_BITS for mode in modes_of(block)]


def link_contents(block: Block) -> list[bytes]:
    """The content digests of the symlinks, `UNKNOWN` for all else."""
    kinds = kinds_of(block)
    return [content_at(block, index) if kind == _LINK else UNKNOWN for index, kind in enumerate(kinds)]


def content_at(block: Block, index: int) -> bytes:
    """The content digest of an entry."""
    return block.contents[index * CONTENT : (index + 1) * CONTENT]


def symlinks_of(block: Block) -> list[Entry]:
    """The symlinks, their targets left out."""
    return [block.entry(index) for index, kind in enumerate(kinds_of(block)) if kind == _LINK]


def file_sizes(block: Block) -> list[int]:
    """The size of each file, 0 for all else."""
    columns = memoryview(block.stats).cast("q")
    sizes, modes = columns[1::STAT_COLUMNS].tolist(), columns[0::STAT_COLUMNS].tolist()
    return [size if mode & KIND_BITS == _FILE else 0 for size, mode in zip(sizes, modes, strict=True)]


def _file_contents(block: Block) -> list[bytes]:
    """The content digests of the files."""
    digests = [block.contents[i : i + CONTENT] for i in range(0, len(block.contents), CONTENT)]
    return [digest for kind, digest in zip(kinds_of(block), digests, strict=True) if kind == _FILE]


def small_sizes(block: Block) -> list[int]:
    """The size of each file that is brought by columns, 0 for all else."""
    return [size if size <= SMALL else 0 for size in file_sizes(block)]


def counting(block: Block, mode_bits: int) -> Block:
    """A block with these bits of its modes."""
    mask = KIND_BITS | mode_bits
    if not any(mode & ~mask for mode in set(modes_of(block))):
        return block
    columns = array("q", block.stats)
    columns[0::STAT_COLUMNS] = array("q", [mode & mask for mode in columns[0::STAT_COLUMNS]])
    return block._replace(stats=columns.tobytes())


def _cuts(block: Block, entries: int, size: int, room: int, room_bytes: int) -> Iterator[tuple[int, int]]:
    """Where a block is to be cut, its end last, each with the bytes of small files since the cut before."""
    taken = low = 0
    for index, own in enumerate(small_sizes(block)):
        if index - low == room or (taken + own > room_bytes and (index > low or room < entries)):
            yield index, taken
            low, taken, room, room_bytes = index, 0, entries, size
        taken += own
    yield block.length, taken


def _with_targets(blocks: Sequence[Block], targets: Iterator[bytes]) -> Growth:
    links = sum(kinds_of(block).count(_LINK) for block in blocks)
    return Growth(tuple(blocks), tuple(itertools.islice(targets, links)))


def path_of(block: Block, index: int) -> RelPath:
    """The path of one entry of a block whose names were checked."""
    return RelPath.again(block.prefix.replace(b"\0", b"/") + block.name_list()[index])
