"""Rot, planted as a disk might: bytes that change while size, times and inode stay as they are.

A store through a shared mapping moves the times only where the system has to hear of it first (the page is clean): so
each page is stored to before the file is recorded, and once more, differently, afterwards.  Where pages are written
back whenever the system sees fit, that may be too late: `quiet` is a place where they are not.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def quiet(folder: Path) -> Iterator[Path]:
    """A directory in memory, where there is such a thing; else `folder`."""
    if not os.access("/dev/shm", os.W_OK):
        yield folder
        return
    with tempfile.TemporaryDirectory(dir="/dev/shm") as place:
        yield Path(place)


class Mapped:
    """A file that can be damaged later: it is open for writing until then."""

    def __init__(self, path: Path | bytes, offset: int = 0, mtime_ns: int = 10**18) -> None:
        self._offset = offset
        with open(path, "r+b") as file:
            self._map = mmap.mmap(file.fileno(), 0)
        self._map[offset] = self._map[offset]
        os.utime(path, ns=(mtime_ns, mtime_ns))

    def flip(self, bit: int = 0) -> None:
        """Have one bit change, and let go of the file."""
        self._map[self._offset] ^= 1 << bit
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._map.close()


def settle(root: Path) -> None:
    """Have what the index of a root knows count as read long after it was written."""
    database = sqlite3.connect(root / ".aefsync" / "index.db")
    with database:
        database.execute("UPDATE age SET since = ?", (time.time_ns() + 10**12,))
    database.close()
