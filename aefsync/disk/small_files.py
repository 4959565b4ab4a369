"""Small files, many at a time: read in one call each, verified, and written complete with mode and time.

Each is looked at once, after it was read: what was changed since the scan, even meanwhile, shows another ctime, or
where that proves nothing another mtime.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Sequence
from operator import attrgetter

from aefsync.core.digest import content_digest
from aefsync.core.entry import UNKNOWN, Kind, kind_of
from aefsync.core.growth import SMALL, Gathered, Growth, content_at, link_contents, modes_of
from aefsync.core.metadata import PERMISSIONS, SPECIAL
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.snapshot import Block
from aefsync.core.view import STAT
from aefsync.disk.building import directory_path
from aefsync.disk.confined import ConfinedRoot
from aefsync.disk.hashing import READ_FLAGS
from aefsync.disk.listing import INODE

_FILE = Kind.FILE.value
_MODE = PERMISSIONS | SPECIAL
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

Row = tuple[int, ...]
"""A packed stat: mode (of what was written: kind), size, mtime_ns, ctime_ns, inode."""
NO_ROW: Row = (0, 0, 0, 0, 0)


class Spoiled(Exception):
    """Something that should not be there could not be taken away again."""


class Files(NamedTuple):
    """Small files of one directory: names, stats as they were seen, content digests (`UNKNOWN`: not read yet), and the
    modes that they are to have."""

    names: Sequence[bytes]
    rows: Sequence[Row]
    contents: Sequence[bytes]
    modes: Sequence[int]


Written = tuple[Row, bytes]
"""The stat of a file that was written and its content digest."""
NOT_WRITTEN: Written = (NO_ROW, UNKNOWN)
_LOOK = attrgetter("st_size", "st_mtime_ns", "st_ctime_ns", "st_ino")
_MADE = attrgetter("st_mode", "st_size", "st_mtime_ns", "st_ctime_ns", "st_ino")


def copy_files(files: Files, origin: int, directory: int, *, times: bool) -> list[Written]:
    """Copy files from one directory to one of ours, verified; one that is in any trouble is not there (`NO_ROW`).

    Raises `Spoiled`.
    """
    written: list[Written] = []
    room = memoryview(bytearray(SMALL + 1))
    for name, row, content, mode in zip(*files, strict=True):
        try:
            written.append(_write(directory, name, _read(origin, name, row, room), content, mode, row[2], times))
        except OSError:
            written.append(NOT_WRITTEN)
    return written


def write_files(files: Files, parts: Iterable[memoryview], directory: int, *, times: bool) -> list[Written]:
    """The same, of files that consist of these bytes."""
    written: list[Written] = []
    for name, row, content, mode, part in zip(*files, parts, strict=True):
        try:
            written.append(_write(directory, name, part, content, mode, row[2], times))
        except OSError:
            written.append(NOT_WRITTEN)
    return written


def _read(directory: int, name: bytes, row: Row, room: memoryview) -> memoryview:
    """The bytes of a file that still is as it was seen, in the room, which is larger; raises `OSError`."""
    fd = os.open(name, READ_FLAGS, dir_fd=directory)
    try:
        count = os.readv(fd, (room,))
        seen = _LOOK(os.fstat(fd))
    finally:
        os.close(fd)
    if seen != row[1:] and (seen[:2] != row[1:3] or (row[4] and (seen[2], seen[3] & INODE) != row[3:])):
        raise OSError("changed since the scan")
    if count != row[1]:
        raise OSError("changed while it was read")
    return room[:count]


def _write(
    directory: int,
    name: bytes,
    data: memoryview,
    wanted: bytes,
    mode: int,
    mtime_ns: int,
    times: bool,  # noqa: FBT001  called for every file
) -> Written:
    """Make a file of these bytes; raises `OSError`, and then it is not there."""
    content = content_digest(data)
    if wanted not in (content, UNKNOWN):
        raise OSError("other bytes than those that were compared")
    fd = os.open(name, _CREATE, mode & PERMISSIONS, dir_fd=directory)
    try:
        if os.write(fd, data) != len(data):
            raise OSError("written in part")
        if times:
            os.utime(fd, ns=(mtime_ns, mtime_ns))
        made, *seen = _MADE(os.fstat(fd))
        if made & _MODE != mode:
            # The umask is the whole process's; and writing takes special bits away.
            os.fchmod(fd, mode)
            made, *seen = _MADE(os.fstat(fd))
    except OSError:
        discard(directory, name)
        raise
    finally:
        os.close(fd)
    return (_FILE, *seen[:3], seen[3] & INODE), content


def discard(directory: int, name: bytes) -> None:
    """Take away something of ours that was not completed; raises `Spoiled`."""
    try:
        os.unlink(name, dir_fd=directory)
    except OSError as error:
        raise Spoiled from error


def gather(root: ConfinedRoot, growth: Growth, room: memoryview) -> Gathered:
    """The small files of a growth, as far as they are what the snapshot shows, and was read if it was.

    Their bytes lie in `room`, which has to have one byte more than they are meant to be.
    """
    contents: list[bytes] = []
    used = 0
    for block in growth.blocks:
        found = link_contents(block)
        with contextlib.suppress(OSError), root.directory(directory_path(block.prefix)) as fd:
            names, rows = block.name_list(), list(STAT.iter_unpack(block.stats))
            for index in small_of(block, rows, range(block.length)):
                try:
                    part = _read(fd, names[index], rows[index], room[used : used + rows[index][1] + 1])
                except OSError:
                    continue
                content = content_digest(part)
                # Other bytes under the same stat than those that were read before are damage: they stay here.
                if content_at(block, index) in (content, UNKNOWN):
                    used += len(part)
                    found[index] = content
        contents += found
    return Gathered(b"".join(contents), room[:used])


def small_of(block: Block, rows: Sequence[Row], positions: Iterable[int]) -> list[int]:
    """Which of these entries of a block are files that are brought by columns; `rows` are the stats of all."""
    files = {mode for mode in set(modes_of(block)) if kind_of(mode) is Kind.FILE}
    return [index for index in positions if rows[index][0] in files and rows[index][1] <= SMALL]
