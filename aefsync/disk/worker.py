"""The worker: a process that looks at directories and reads small files for a replica (`crew`).

It gets the root by descriptor, works below it only, confined as the replica is, and writes nothing.  What it is told
and what it answers are columns of bytes (`columns`); no columns: "do that yourself".
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
from aefsync.disk.columns import receive_columns, send_columns
from aefsync.disk.confined import ConfinedRoot
from aefsync.disk.hashing import HashFailure, Seen, hash_files
from aefsync.disk.listing import Listing, list_directory, read_directory

LOOK, READ = b"look", b"read"
_DEVICE = struct.Struct("=Q")
_SEEN = struct.Struct("=4q")


def main() -> None:
    """Work for the replica at the other end of the descriptor named first, below the one named second."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    gc.disable()
    connection, root = socket.socket(fileno=int(sys.argv[1])), ConfinedRoot(int(sys.argv[2]))
    serve(connection, root)
    os._exit(0)


def serve(connection: socket.socket, root: ConfinedRoot) -> None:
    """Do one piece of work after the other, until the replica is gone."""
    while (told := receive_columns(connection)) is not None:
        kind, *columns = told
        try:
            done = _look(root, *columns) if kind == LOOK else _read(root, *columns)
        except OSError:
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
        if _DEVICE.pack(os.fstat(fd).st_dev) != device:
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
