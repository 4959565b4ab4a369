"""Rot, planted as a disk might: bytes that change while size, times and inode stay as they are.

A store through a shared mapping moves the times only where the system has to hear of it first (the page is clean): so
each page is stored to before the file is recorded, and once more, differently, afterwards.
"""

from __future__ import annotations

import mmap
import os
import sqlite3
import time
from pathlib import Path


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
        self._map.close()


def settle(root: Path) -> None:
    """Have what the index of a root knows count as read long after it was written."""
    database = sqlite3.connect(root / ".aefsync" / "index.db")
    with database:
        database.execute("UPDATE age SET since = ?", (time.time_ns() + 10**12,))
    database.close()
