"""All differing paths of a run, packed: they must all be known before anything is changed, and there may be a million.

Guards are judged and clashes settled over the whole, plans made from one **block** of up to `BLOCK` differences at a
time, which is unpacked for it.  A block is packed by columns, first the paths, then for each replica which of them it
has, and every field of those entries, all compressed together: next to each other, numbers of one directory have most
of their bytes in common.  Versions, and what counts only where it is asked for, are kept once each, and stand in the
columns by number.

    paths            a/1.txt  a/2.txt  b/3.txt
    replica 0        1 1 0    kind 1 1  mode 644 644  size 5 7  mtime ...  content 32 bytes each  target ""  ""
    replica 1        0 1 1    kind 1 1  ...

A file that one replica has and nobody has read takes about 30 bytes; a content digest adds 32, and each further
replica as much again.  A growth, which comes packed by columns already, is a block of its own.  A few blocks
stay as they are, and of many the first: most runs have no more, and each is looked through half a dozen times.
"""

from __future__ import annotations

import struct
import zlib
from bisect import bisect_left, bisect_right
from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import Any

from aefsync.core.compare import Difference, Tombstones
from aefsync.core.entry import Entry, Kind
from aefsync.core.growth_bytes import pack, unpack
from aefsync.core.one_sided import OneSided
from aefsync.core.path import RelPath
from aefsync.core.snapshot import CONTENT
from aefsync.core.verdict import is_clash
from aefsync.core.version import STRAY
from aefsync.core.version_table import VersionTable, table_of

BLOCK = 4096
"""Differences that are unpacked, and planned for, at a time."""
KEPT = 3
"""Blocks that are not packed, of many."""
FEW = 12
"""So many blocks are few: none of them is packed."""

_FASTEST = 1
_COLUMNS = 6
"""of each replica"""
_KINDS = {kind.value: kind for kind in Kind}


class Differences:
    """Differences in key order: appended one by one, read block by block.

    `clashes` are those among them where a directory stands against something else.
    """

    def __init__(self, found: Iterable[Difference] = (), block: int = BLOCK, few: int = FEW) -> None:
        self.clashes: list[Difference] = []
        self._size = block
        self._few = few
        self._first_packed = min(KEPT, few)
        self._firsts: list[bytes] = []
        self._blocks: list[bytes | list[Difference]] = []
        self._one_sided: dict[int, tuple[int, int, VersionTable]] = {}
        """for each block that is a growth, its holder, how many replicas there are, and the versions"""
        self._open: list[Difference] = []
        self._unpacked: tuple[int, list[Difference]] = (-1, [])
        """the block that was unpacked last, and its number: what is looked up in turn mostly lies in one"""
        self._notes = _Notes()
        self._count = 0
        for each in found:
            self.append(each)

    def append(self, difference: Difference) -> None:
        """Add the next one."""
        if len(self._open) == self._size:
            self._close()
        if not self._open:
            self._firsts.append(difference.path.key)
        self._open.append(difference)
        self._count += 1
        if is_clash(difference.entries):
            self.clashes.append(difference)

    def grow(self, found: OneSided, replicas: int) -> None:
        """Add what comes next, and only one of so many replicas has."""
        versions = table_of(found.growth)
        if STRAY in versions.versions:
            # Not all of it is to be taken.
            for each in found.differences(replicas):
                self.append(each)
            return
        self._close()
        self._one_sided[len(self._blocks)] = found.holder, replicas, versions
        self._firsts.append(found.growth.first)
        self._blocks.append(pack(found.growth))
        self._count += found.growth.length

    def _close(self) -> None:
        if self._open:
            self._blocks.append(self._open)
            self._open = []
            if len(self._blocks) > self._few:
                self._pack()

    def _pack(self) -> None:
        """Pack the blocks that are not to stay as they are, now that there are many."""
        for number in range(self._first_packed, len(self._blocks)):
            block = self._blocks[number]
            self._blocks[number] = block if isinstance(block, bytes) else _pack(block, self._notes)
        self._first_packed = max(self._first_packed, len(self._blocks))

    def is_kept(self, number: int) -> bool:
        """Whether a block is one of the few that may stay as they are, and so may what is made of it."""
        return number < min(KEPT, self._few) or len(self._firsts) <= self._few

    def one_sided(self, number: int) -> OneSided | None:
        """The growth that a block is, if it is one."""
        if number not in self._one_sided:
            return None
        packed, (holder, _, versions) = self._blocks[number], self._one_sided[number]
        assert isinstance(packed, bytes)
        return OneSided(holder, versions.put_into(unpack(packed)))

    def holder(self, number: int) -> int | None:
        """Whose growth a block is, if it is one."""
        return self._one_sided[number][0] if number in self._one_sided else None

    def __len__(self) -> int:
        return self._count

    @property
    def firsts(self) -> Sequence[bytes]:
        """The key that each block begins with."""
        return self._firsts

    def block(self, number: int) -> list[Difference]:
        """The differences of one block."""
        return list(self._block(number))

    def _block(self, number: int) -> list[Difference]:
        found = self.one_sided(number)
        if found is not None:
            return list(found.differences(self._one_sided[number][1]))
        block = self._blocks[number] if number < len(self._blocks) else self._open
        if not isinstance(block, bytes):
            return block
        if self._unpacked[0] != number:
            self._unpacked = number, _unpack(block, self._notes)
        return self._unpacked[1]

    def __iter__(self) -> Iterator[Difference]:
        for number in range(len(self._firsts)):
            yield from self.block(number)

    def between(self, low: bytes, high: bytes) -> Iterator[Difference]:
        """Those with keys `low <= key < high`, in key order."""
        for number in range(max(0, bisect_right(self._firsts, low) - 1), bisect_left(self._firsts, high)):
            yield from (each for each in self.block(number) if low <= each.path.key < high)

    def find(self, path: RelPath) -> Difference | None:
        """The difference on a path, if there is one."""
        number = bisect_right(self._firsts, path.key) - 1
        block = self._block(number) if number >= 0 else []
        index = bisect_left(block, path.key, key=lambda each: each.path.key)
        return block[index] if index < len(block) and block[index].path == path else None


class _Notes:
    """What is the same for many entries (extras, versions), each once, by number; 0 is none."""

    def __init__(self) -> None:
        self._numbers: dict[Hashable, int] = {None: 0}
        self._found: list[Any] = [None]

    def pack(self, notes: Sequence[Hashable]) -> bytes:
        """A column of numbers; empty where there are none."""
        if not any(note for note in notes):
            return b""
        for note in notes:
            if note not in self._numbers:
                self._numbers[note] = len(self._found)
                self._found.append(note)
        return struct.pack(f"<{len(notes)}I", *map(self._numbers.__getitem__, notes))

    def unpack(self, column: bytes, count: int) -> list[Any]:
        """The inverse of `pack`."""
        numbers = struct.unpack(f"<{len(column) // 4}I", column)
        return [self._found[number] for number in numbers] if column else [None] * count


def _pack(block: Sequence[Difference], known: _Notes) -> bytes:
    paths, versions, tombstones = zip(*block, strict=True)
    columns = [b"\0".join(paths), known.pack(tombstones)]
    for own in zip(*versions, strict=True):
        columns += _columns(own, known)
    lengths = struct.pack(f"<{len(columns) + 1}I", len(columns), *map(len, columns))
    return zlib.compress(lengths + b"".join(columns), _FASTEST)


def _columns(versions: Sequence[Entry | None], known: _Notes) -> list[bytes]:
    """The columns of one replica; the paths of its entries are those of the block."""
    present = bytes([entry is not None for entry in versions])
    entries = [entry for entry in versions if entry is not None]
    if not entries:
        return [present, *[b""] * (_COLUMNS - 1)]
    _, *numbers, contents, targets, extras, histories = zip(*entries, strict=True)
    flat = [number for column in numbers for number in column]
    packed = [struct.pack(f"<{len(flat)}q", *flat), b"".join(contents), b"\0".join(targets)]
    return [present, *packed, known.pack(extras), known.pack(histories)]


def _unpack(packed: bytes, known: _Notes) -> list[Difference]:
    data = zlib.decompress(packed)
    (width,) = struct.unpack_from("<I", data)
    at, columns = 4 * (width + 1), []
    for length in struct.unpack_from(f"<{width}I", data, 4):
        columns.append(data[at : at + length])
        at += length
    paths = [RelPath.again(path) for path in columns[0].split(b"\0")]
    own = [_versions(paths, known, *columns[i : i + _COLUMNS]) for i in range(2, width, _COLUMNS)]
    tombstones: list[Tombstones] = known.unpack(columns[1], 0) or [()] * len(paths)
    return list(map(Difference, paths, zip(*own, strict=True), tombstones))


def _versions(
    paths: list[RelPath],
    known: _Notes,
    present: bytes,
    numbers: bytes,
    contents: bytes,
    targets: bytes,
    extras: bytes,
    histories: bytes,
) -> list[Entry | None]:
    count = present.count(1)
    if not count:
        return [None] * len(paths)
    flat = struct.unpack(f"<{len(numbers) // 8}q", numbers)
    kinds, *others = (flat[i : i + count] for i in range(0, len(flat), count))
    entries = map(
        Entry,
        [path for path, there in zip(paths, present, strict=True) if there],
        [_KINDS[kind] for kind in kinds],
        *others,
        [contents[i : i + CONTENT] for i in range(0, len(contents), CONTENT)],
        targets.split(b"\0"),
        known.unpack(extras, count),
        known.unpack(histories, count),
    )
    return list(entries) if count == len(paths) else [next(entries) if there else None for there in present]
