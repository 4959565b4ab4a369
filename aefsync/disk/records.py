"""Records: what a replica remembers of up to `ROWS` neighbours in one directory, column by column, and its form on disk.

A record is the version of a path with the entry that it stands for, the stat as it was found.  Unlike the pages of a
scan, those of records are cut by names: a page holds the names from its `first` to that of the next, so a file that is
added to a large directory changes one page and not all that follow.
"""

from __future__ import annotations

import stat
import struct
import sys
import zlib
from array import array
from collections.abc import Iterator, Sequence

from aefsync.core.entry import FORMATS, UNKNOWN, Entry, Kind, kind_of
from aefsync.core.metadata import PERMISSIONS
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.path import RelPath
from aefsync.core.snapshot import CONTENT, STAT_COLUMNS
from aefsync.core.stores import SECOND_NS
from aefsync.core.view import STAT
from aefsync.disk.vectors import unpacked

ROWS = 1024
_HEAD = struct.Struct("<2I")


class Record(NamedTuple):
    """One of them: the packed stat, the content digest, flags (`RACY` counts), and the number of the version (`vectors`)."""

    stat: bytes
    content: bytes
    flags: int
    version: int

    @property
    def kind(self) -> Kind:
        """What it is a record of; raises `ValueError` where it is damaged."""
        return _kind(STAT.unpack_from(self.stat)[0])

    @property
    def is_read(self) -> bool:
        """Whether the content of a file is known."""
        return self.content != UNKNOWN

    def is_like(self, other: Record) -> bool:
        """Whether both have one stat, as far as it says something of an entry itself (that of a directory does not)."""
        mine, theirs = STAT.unpack(self.stat), STAT.unpack(other.stat)
        return mine == theirs or (mine[0] == theirs[0] and stat.S_ISDIR(mine[0]))

    def is_plainly_another(self, other: Record) -> bool:
        """Whether both are of regular files that differ in size, or by more than a second: whatever else is known, of these
        the one is an edit of the other, and no damage."""
        mine, theirs = STAT.unpack(self.stat), STAT.unpack(other.stat)
        if not (stat.S_ISREG(mine[0]) and stat.S_ISREG(theirs[0])):
            return False
        return bool(mine[1] != theirs[1] or mine[2] // SECOND_NS != theirs[2] // SECOND_NS)

    def entry(self, path: RelPath, mode_bits: int = PERMISSIONS) -> Entry:
        """The entry that it stands for, with these bits of its mode."""
        mode, size, mtime_ns, ctime_ns, inode = STAT.unpack(self.stat)
        kind = _kind(mode)
        permissions = 0 if kind is Kind.SYMLINK else mode & mode_bits
        return Entry(path, kind, permissions, size, mtime_ns, ctime_ns, inode, self.content)


def _kind(mode: int) -> Kind:
    kind = kind_of(mode)
    if kind is None:
        raise ValueError("a record of no known kind")
    return kind


def record_of(entry: Entry, version: int, content: bytes = b"") -> Record:
    """The record of an entry that is not as it was found, perhaps with a content that is known only here."""
    return Record(STAT.pack(FORMATS[entry.kind] | entry.mode, *entry[3:7]), content or entry.content, 0, version)


class Records(NamedTuple):
    """Records by name."""

    names: tuple[bytes, ...]
    stats: bytes
    contents: bytes
    flags: bytes
    versions: array[int]

    def each(self) -> Iterator[tuple[bytes, Record]]:
        """The records one by one, with their names."""
        size, wide = STAT.size, CONTENT
        stats = (self.stats[i : i + size] for i in range(0, len(self.stats), size))
        contents = (self.contents[i : i + wide] for i in range(0, len(self.contents), wide))
        return zip(self.names, map(Record, stats, contents, self.flags, self.versions), strict=True)


NOTHING = Records((), b"", b"", b"", array("I"))


def joined(records: Sequence[tuple[bytes, Record]]) -> Records:
    """Records by name, in order, as columns."""
    return Records(
        tuple(name for name, _ in records),
        b"".join([record.stat for _, record in records]),
        b"".join([record.content for _, record in records]),
        bytes([record.flags for _, record in records]),
        array("I", [record.version for _, record in records]),
    )


def pack(records: Records) -> bytes:
    """Everything but the versions."""
    names = b"\0".join(records.names)
    numbers = array("q", records.stats)
    if sys.byteorder == "big":
        numbers.byteswap()
    columns = [numbers[column::STAT_COLUMNS].tobytes() for column in range(STAT_COLUMNS)]
    head = _HEAD.pack(len(records.names), len(names))
    return zlib.compress(b"".join([head, names, records.flags, *columns, records.contents]), 1)


def unpack(body: bytes, versions: bytes) -> Records:
    """The inverse of `pack`, with the versions packed; raises `ValueError` where it does not fit together."""
    try:
        data = zlib.decompress(body)
        count, length = _HEAD.unpack_from(data)
    except (zlib.error, struct.error):
        raise ValueError("records are damaged") from None
    if len(data) != _HEAD.size + length + count * (1 + STAT.size + CONTENT):
        raise ValueError("records of the wrong length")
    at = _HEAD.size + length
    names = tuple(data[_HEAD.size : at].split(b"\0")) if count else ()
    if len(names) != count:
        raise ValueError("records do not fit together")
    flags = data[at : at + count]
    at += count
    stats = array("q", bytes(count * STAT.size))
    for column in range(STAT_COLUMNS):
        stats[column::STAT_COLUMNS] = array("q", data[at : at + count * 8])
        at += count * 8
    if sys.byteorder == "big":
        stats.byteswap()
    return Records(names, stats.tobytes(), data[at:], flags, unpacked(versions, count))


def pieces(records: Records) -> Iterator[Records]:
    """The records in pages that are full at most; one empty page where there are none."""
    count = len(records.names)
    parts = max(1, -(-count // ROWS))
    size = STAT.size
    for part in range(parts):
        low, high = count * part // parts, count * (part + 1) // parts
        yield Records(
            records.names[low:high],
            records.stats[low * size : high * size],
            records.contents[low * CONTENT : high * CONTENT],
            records.flags[low:high],
            records.versions[low:high],
        )
