"""The worker: a process that looks at directories and reads small files for a replica (`crew`).

It gets the root by descriptor, works below it only, confined as the replica is, and writes nothing, unless it was given a
staging as well: then it copies files of the root into the directories there.  What it is told and what it answers are
columns of bytes (`columns`); no columns: "do that yourself".
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import struct
import sys
from collections.abc import Sequence

from aefsync.core.entry import UNKNOWN
from aefsync.core.snapshot import CONTENT
from aefsync.core.view import STAT
from aefsync.disk.columns import receive_columns, send_columns
from aefsync.disk.confined import ConfinedRoot
from aefsync.disk.hashing import HashFailure, Seen, hash_files
from aefsync.disk.large_directory import LARGE
from aefsync.disk.listing import Listing, list_directory, read_directory
from aefsync.disk.small_files import Files, Spoiled, Written, copy_files

LOOK, READ, COPY = b"look", b"read", b"copy"
_DEVICE = struct.Struct("=Q")
_SEEN = struct.Struct("=4q")


def main() -> None:
    """Work for the replica at the other end of the descriptor named first, below the one named second; the third, if any,
    is the staging that files are copied to."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    gc.disable()
    connection, *roots = map(int, sys.argv[1:])
    serve(socket.socket(fileno=connection), *map(ConfinedRoot, roots))
    os._exit(0)


def serve(connection: socket.socket, root: ConfinedRoot, staging: ConfinedRoot | None = None) -> None:
    """Do one piece of work after the other, until the replica is gone."""
    while (told := receive_columns(connection)) is not None:
        kind, *columns = told
        try:
            if kind == COPY and staging is not None:
                done = _copy(root, staging, *columns)
            else:
                done = _look(root, *columns) if kind == LOOK else _read(root, *columns)
        except (OSError, Spoiled):
            done = []
        try:
            send_columns(connection, done)
        except OSError:
            return


def look_columns(path: bytes, device: int, *, eager: bool) -> tuple[bytes, ...]:
    """Tell a worker to list a directory of this device, whose ctimes can be trusted; `eager`: and read its files."""
    return LOOK, path, _DEVICE.pack(device), b"eager" if eager else b""


def _look(root: ConfinedRoot, path: bytes, device: bytes, eager: bytes) -> list[bytes]:
    with root.directory(path) as fd:
        seen = os.fstat(fd)
        if _DEVICE.pack(seen.st_dev) != device or seen.st_size >= LARGE:
            return []
        listings, contents = read_directory(fd, stable=True) if eager else (list_directory(fd, stable=True), {})
    if any(listing.failed for listing in listings):
        return []
    parts = [column for listing in listings for column in (listing.names, listing.stats)]
    return [b"\0".join(contents), b"".join(contents.values()), *parts]


def looked(columns: Sequence[bytes]) -> tuple[list[Listing], dict[bytes, bytes]]:
    """What a worker found: the listings, and the contents by name where it read them."""
    names, contents, *parts = columns
    digests = [contents[i : i + CONTENT] for i in range(0, len(contents), CONTENT)]
    found = dict(zip(names.split(b"\0"), digests, strict=True)) if digests else {}
    return [Listing(*pair, ()) for pair in zip(parts[0::2], parts[1::2], strict=True)], found


def read_columns(path: bytes, names: Sequence[bytes], seen: Sequence[Seen]) -> tuple[bytes, ...]:
    """Tell a worker to read these files of a directory, as they were seen."""
    return READ, path, b"\0".join(names), b"".join([_SEEN.pack(*row) for row in seen])


def _read(root: ConfinedRoot, path: bytes, names: bytes, seen: bytes) -> list[bytes]:
    with root.directory(path) as fd:
        found = hash_files(fd, names.split(b"\0"), [Seen._make(row) for row in _SEEN.iter_unpack(seen)])
    # What a file's trouble is, the replica finds out and reports.
    return [b"".join([UNKNOWN if isinstance(each, HashFailure) else each for each in found])]


def contents_read(columns: Sequence[bytes]) -> list[bytes]:
    """The content digests that `_read` found, `UNKNOWN` where a file was in any trouble."""
    (joined,) = columns
    return [joined[i : i + CONTENT] for i in range(0, len(joined), CONTENT)]


def copy_columns(path: bytes, place: bytes, files: Files, *, times: bool) -> tuple[bytes, ...]:
    """Tell a worker to copy these files of a directory to one of the staging."""
    rows = b"".join([STAT.pack(*row) for row in files.rows])
    modes = struct.pack(f"={len(files.modes)}I", *files.modes)
    return COPY, path, place, b"\0".join(files.names), rows, b"".join(files.contents), modes, b"times" if times else b""


def _copy(root: ConfinedRoot, staging: ConfinedRoot, path: bytes, place: bytes, *columns: bytes) -> list[bytes]:
    names, rows, contents, modes, times = columns
    digests = [contents[i : i + CONTENT] for i in range(0, len(contents), CONTENT)]
    numbers = struct.unpack(f"={len(modes) // 4}I", modes)
    files = Files(names.split(b"\0"), list(STAT.iter_unpack(rows)), digests, numbers)
    with root.directory(path) as origin, staging.directory(place) as directory:
        written = copy_files(files, origin, directory, times=bool(times))
    return [b"".join([STAT.pack(*row) for row, _ in written]), b"".join([content for _, content in written])]


def copied(columns: Sequence[bytes]) -> list[Written]:
    """What a worker has written."""
    rows, contents = columns
    digests = (contents[i : i + CONTENT] for i in range(0, len(contents), CONTENT))
    return list(zip(STAT.iter_unpack(rows), digests, strict=True))
