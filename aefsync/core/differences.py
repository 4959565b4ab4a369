"""All differing paths of a run, packed: they must all be known before anything is changed, and there may be a million.

Guards are judged and clashes settled over the whole, plans made from one **block** of up to `BLOCK` differences at a
time, which is unpacked for it.  A block is packed by columns, first the paths, then for each replica which of them it
has, and every field of those entries, all compressed together: next to each other, numbers of one directory have most
of their bytes in common.

    paths            a/1.txt  a/2.txt  b/3.txt
    replica 0        1 1 0    kind 1 1  mode 644 644  size 5 7  mtime ...  content 32 bytes each  target ""  ""
    replica 1        0 1 1    kind 1 1  ...

A file that one replica has and nobody has read takes about 30 bytes; a content digest adds 32, and each further
replica as much again.
"""

from __future__ import annotations

import struct
import zlib
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence

from aefsync.core.compare import Difference
from aefsync.core.entry import Entry, Kind
from aefsync.core.metadata import Extra
from aefsync.core.path import RelPath
from aefsync.core.verdict import is_clash

BLOCK = 4096
"""Differences that are unpacked, and planned for, at a time."""

_FASTEST = 1
_CONTENT = 32
_KINDS = {kind.value: kind for kind in Kind}


class Differences:
    """Differences in key order: appended one by one, read block by block.

    `clashes` are those among them where a directory stands against something else.
    """

    def __init__(self, found: Iterable[Difference] = (), block: int = BLOCK) -> None:
        self.clashes: list[Difference] = []
        self._size = block
        self._firsts: list[bytes] = []
        self._packed: list[bytes] = []
        self._open: list[Difference] = []
        self._extras = _Extras()
        self._count = 0
        for each in found:
            self.append(each)

    def append(self, difference: Difference) -> None:
        """Add the next one."""
        if len(self._open) == self._size:
            self._packed.append(_pack(self._open, self._extras))
            self._open = []
        if not self._open:
            self._firsts.append(difference.path.key)
        self._open.append(difference)
        self._count += 1
        if is_clash(difference.entries):
            self.clashes.append(difference)

    def __len__(self) -> int:
        return self._count

    @property
    def firsts(self) -> Sequence[bytes]:
        """The key that each block begins with."""
        return self._firsts

    def block(self, number: int) -> list[Difference]:
        """The differences of one block."""
        return _unpack(self._packed[number], self._extras) if number < len(self._packed) else list(self._open)

    def __iter__(self) -> Iterator[Difference]:
        for number in range(len(self._firsts)):
            yield from self.block(number)

    def find(self, path: RelPath) -> Difference | None:
        """The difference on a path, if there is one."""
        number = bisect_right(self._firsts, path.key) - 1
        block = self.block(number) if number >= 0 else []
        index = bisect_left(block, path.key, key=lambda each: each.path.key)
        return block[index] if index < len(block) and block[index].path == path else None


class _Extras:
    """The extras of all entries, each once, by number; 0 is none."""

    def __init__(self) -> None:
        self._numbers: dict[Extra | None, int] = {None: 0}
        self._found: list[Extra | None] = [None]

    def pack(self, extras: Sequence[Extra | None]) -> bytes:
        """A column of numbers; empty where there are none."""
        if not any(extras):
            return b""
        for extra in extras:
            if extra not in self._numbers:
                self._numbers[extra] = len(self._found)
                self._found.append(extra)
        return struct.pack(f"<{len(extras)}I", *map(self._numbers.__getitem__, extras))

    def unpack(self, column: bytes, count: int) -> list[Extra | None]:
        """The inverse of `pack`."""
        numbers = struct.unpack(f"<{len(column) // 4}I", column)
        return [self._found[number] for number in numbers] if column else [None] * count


def _pack(block: Sequence[Difference], known: _Extras) -> bytes:
    paths, versions = zip(*block, strict=True)
    columns = [b"\0".join(paths)]
    for own in zip(*versions, strict=True):
        columns += _columns(own, known)
    lengths = struct.pack(f"<{len(columns) + 1}I", len(columns), *map(len, columns))
    return zlib.compress(lengths + b"".join(columns), _FASTEST)


def _columns(versions: Sequence[Entry | None], known: _Extras) -> list[bytes]:
    """The columns of one replica; the paths of its entries are those of the block."""
    present = bytes([entry is not None for entry in versions])
    entries = [entry for entry in versions if entry is not None]
    if not entries:
        return [present, b"", b"", b"", b""]
    _, *numbers, contents, targets, extras = zip(*entries, strict=True)
    flat = [number for column in numbers for number in column]
    return [present, struct.pack(f"<{len(flat)}q", *flat), b"".join(contents), b"\0".join(targets), known.pack(extras)]


def _unpack(packed: bytes, known: _Extras) -> list[Difference]:
    data = zlib.decompress(packed)
    (width,) = struct.unpack_from("<I", data)
    at, columns = 4 * (width + 1), []
    for length in struct.unpack_from(f"<{width}I", data, 4):
        columns.append(data[at : at + length])
        at += length
    paths = [RelPath.again(path) for path in columns[0].split(b"\0")]
    own = [_versions(paths, known, *columns[i : i + 5]) for i in range(1, width, 5)]
    return list(map(Difference, paths, zip(*own, strict=True)))


def _versions(
    paths: list[RelPath],
    known: _Extras,
    present: bytes,
    numbers: bytes,
    contents: bytes,
    targets: bytes,
    extras: bytes,
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
        [contents[i : i + _CONTENT] for i in range(0, len(contents), _CONTENT)],
        targets.split(b"\0"),
        known.unpack(extras, count),
    )
    return list(entries) if count == len(paths) else [next(entries) if there else None for there in present]
