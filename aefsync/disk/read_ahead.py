"""Rows of briefs read ahead: many directories in one query, in key order, which is the order in which a scan asks."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

Row = tuple[int, bytes, bytes]
"""The number of the page in its directory, the checksum, the body."""
ROWS = 256
"""A row is 17 KiB where the page is full."""
_SELECT = "SELECT directory, number, checksum, body FROM brief WHERE directory >= ? ORDER BY directory, number LIMIT ?"
_SELECT_ONE = "SELECT directory, number, checksum, body FROM brief WHERE directory = ?"


class ReadAhead:
    """The rows of one database, as they were when they were read: whoever writes to it needs another one.

    `rows` is how many are read at a time.
    """

    def __init__(self, database: sqlite3.Connection, rows: int = ROWS) -> None:
        self._database = database
        self._count = rows
        self._rows: dict[bytes, list[Row]] = {}
        self._from = b""
        self._until: bytes | None = b""
        """The rows of all directories from the one up to this one, itself left out, are here (`None`: of all)."""

    def of(self, directory: bytes) -> Sequence[Row]:
        """The rows of a directory; raises `sqlite3.Error`."""
        if directory < self._from or (self._until is not None and directory >= self._until):
            self._read(directory)
        return self._rows.get(directory, ())

    def _read(self, directory: bytes) -> None:
        found = self._database.execute(_SELECT, (directory, self._count)).fetchall()
        until = found[-1][0] if len(found) == self._count else None
        if until == directory:
            found = self._database.execute(_SELECT_ONE, (directory,)).fetchall()
            until = directory + b"\0"
        self._rows = {}
        for key, *row in found:
            if key != until:
                self._rows.setdefault(key, []).append((row[0], row[1], row[2]))
        self._from, self._until = directory, until
