"""List one directory: names and packed stats, at a few operations an entry.

Whole columns are built by C loops (`map`, `struct.pack`), never an object per entry of our own: with 200,000 files the
stat calls themselves are then most of the time.
"""

from __future__ import annotations

import contextlib
import errno
import os
import struct
from collections.abc import Sequence
from itertools import chain, islice
from operator import attrgetter

from aefsync.core.digest import content_digester, framed_digest
from aefsync.core.entry import UNKNOWN
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.path import RESERVED
from aefsync.core.problem import reason_of
from aefsync.core.view import STAT
from aefsync.disk.hashing import READ_FLAGS
from aefsync.disk.packed_stats import packed_stats
from aefsync.disk.page import ROWS
from aefsync.disk.readable import Looked

_STABLE = attrgetter("st_mode", "st_size", "st_mtime_ns", "st_ctime_ns", "st_ino")
_UNSTABLE = attrgetter("st_mode", "st_size", "st_mtime_ns")
_RESERVED = RESERVED.decode()
INODE = (1 << 63) - 1
"""What of an inode number is kept."""
_EAGER = 64 << 10
"""Bytes read of each file at once; a longer file is left for later."""
MANY = 4096
"""Entries of a directory that are read along with its listing, and names that are encoded at once."""


class Listing(NamedTuple):
    """What a directory shows, up to `ROWS` names of it, sorted: `names` joined by NUL, packed `stats`, and what could
    not be statted, with the reason."""

    names: bytes
    stats: bytes
    failed: tuple[tuple[bytes, str], ...]

    def has_any(self) -> bool:
        """Whether there is any name: all of them may have vanished before they were looked at."""
        return bool(self.names or self.failed)

    @property
    def seen(self) -> bytes:
        """Identifies the listing; empty where it is not whole."""
        return b"" if self.failed else framed_digest((self.names, self.stats), 16)


EMPTY = Listing(b"", b"", ())


def list_directory(fd: int, *, stable: bool) -> list[Listing]:
    """List the directory open at `fd`, `.aefsync` left out.  Raises `OSError` where it cannot be read."""
    found, names = os.listdir(fd), list[bytes]()
    # From the end, so that the names of a large directory do not stand in memory twice.
    while found:
        names += encoded(found[-MANY:])
        del found[-MANY:]
    return list_names(fd, names, stable=stable)


def encoded(names: Sequence[str]) -> list[bytes]:
    """Some names (at least one) of a directory as the bytes that they are, `.aefsync` left out."""
    found = "\0".join(names).encode("utf-8", "surrogateescape").split(b"\0")
    if RESERVED in found:
        found.remove(RESERVED)
    return found


def list_names(fd: int, names: list[bytes], *, stable: bool) -> list[Listing]:
    """As `list_directory`, of these names only, as far as they are there; the list of names is used up."""
    # A name that is told twice is one.
    names[:] = sorted(set(names), reverse=True)
    listings = []
    # From the end, so that the names of a large directory make room for their stats.
    while names:
        part = names[: -ROWS - 1 : -1]
        del names[-ROWS:]
        listings.append(list_part(fd, part, stable=stable))
    return list(filter(Listing.has_any, listings)) or [EMPTY]


def list_part(fd: int, names: list[bytes], *, stable: bool) -> Listing:
    """The listing of these names, sorted, as far as they are there."""
    try:
        return Listing(b"\0".join(names), packed_stats(fd, names, stable=stable), ())
    except OSError:
        return _list_one_by_one(fd, names, stable=stable)


def read_directory(fd: int, *, stable: bool) -> tuple[list[Listing], dict[bytes, bytes]]:
    """List the directory open at `fd` and read its small files on the way: the listings, and their content digests.

    `UNKNOWN` stands for what was not read; in a directory of more than `MANY` entries nothing is.

    Each such file is looked at once, after it was read: if it was changed meanwhile, its ctime says so, and with that
    it counts as racy.  That saves one system call in five.  Raises `OSError` where anything at all is in the way.
    """
    with os.scandir(fd) as scan:
        entries = list(islice((entry for entry in scan if entry.name != _RESERVED), MANY + 1))
    if len(entries) > MANY:
        return list_directory(fd, stable=stable), {}
    by_name = {_encoded(entry): entry for entry in entries}
    names = sorted(by_name)
    stats: list[os.stat_result] = []
    contents: list[bytes] = []
    buffer = bytearray(_EAGER)
    buffers, view = [buffer], memoryview(buffer)
    digest = content_digester()
    for entry in map(by_name.__getitem__, names):
        if not entry.is_file(follow_symlinks=False):
            stats.append(entry.stat(follow_symlinks=False))
            contents.append(UNKNOWN)
            continue
        file = os.open(entry.name, READ_FLAGS, dir_fd=fd)
        try:
            count = os.readv(file, buffers)
            seen = os.fstat(file)
        finally:
            os.close(file)
        stats.append(seen)
        contents.append(digest(view[:count]) if count == seen.st_size else UNKNOWN)
    listings = [
        Listing(b"\0".join(names[low : low + ROWS]), pack(stats[low : low + ROWS], stable=stable), ())
        for low in range(0, len(names), ROWS)
    ]
    return listings or [EMPTY], dict(zip(names, contents, strict=True))


def _encoded(entry: os.DirEntry[str]) -> bytes:
    return entry.name.encode("utf-8", "surrogateescape")


def _list_one_by_one(fd: int, wanted: Sequence[bytes], *, stable: bool) -> Listing:
    names, stats, failed = [], [], []
    for name in wanted:
        try:
            seen = os.stat(name, dir_fd=fd, follow_symlinks=False)
            pack([seen], stable=stable)
        except FileNotFoundError:
            continue
        except OSError as error:
            failed.append((name, reason_of(error)))
            continue
        names.append(name)
        stats.append(seen)
    return Listing(b"\0".join(names), pack(stats, stable=stable), tuple(failed))


def pack(stats: Sequence[Looked], *, stable: bool) -> bytes:
    """Pack stats; raises `OSError` where a time lies outside of the years 1678 to 2261."""
    layout = f"={STAT.size // 8 * len(stats)}q"
    try:
        if not stable:
            return struct.pack(layout, *chain.from_iterable((*row, 0, 0) for row in map(_UNSTABLE, stats)))
        with contextlib.suppress(struct.error):
            return struct.pack(layout, *chain.from_iterable(map(_STABLE, stats)))
        return struct.pack(layout, *chain.from_iterable((*row[:4], row[4] & INODE) for row in map(_STABLE, stats)))
    except struct.error:
        raise OSError(errno.EOVERFLOW, "its time is out of range") from None


def without_sizes(stats: bytes, positions: Sequence[int]) -> bytes:
    """The packed stats with the sizes at `positions` (directories) zeroed: they mean nothing and change at will."""
    if not positions:
        return stats
    changed = bytearray(stats)
    for index in positions:
        struct.pack_into("=q", changed, index * STAT.size + 8, 0)
    return bytes(changed)
