"""What scrubs remember of a root, in `.aefsync/scrub.db`: when each directory was verified last, and what was damaged.

It may be deleted at any time: the next scrub begins at the beginning, and finds again what it found.  Rows are those of
directories, never of files, but for what is damaged.  A scrub that was interrupted goes on behind the last name that
it verified in a directory.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Collection, Iterator, Mapping

from aefsync.core.named_tuple import NamedTuple
from aefsync.core.rot import Verdict
from aefsync.core.view import STAT
from aefsync.disk.listing import INODE
from aefsync.disk.readable import Readable

NAME = "scrub.db"
_VERSION = 1
_TABLES = (
    "verified (directory BLOB PRIMARY KEY, since INTEGER, begun INTEGER, upto BLOB) WITHOUT ROWID",
    "damage (path BLOB PRIMARY KEY, verdict TEXT, stat BLOB) WITHOUT ROWID",
)


class Mark(NamedTuple):
    """How far a directory is verified: all that is in it was since `since_ns` (0: never); since `begun_ns`, that up to
    the name `upto` (empty: no scrub is at work on it)."""

    since_ns: int = 0
    begun_ns: int = 0
    upto: bytes = b""


class Noted(NamedTuple):
    """Damage that a scrub, or a repair, found: the packed stat of the file then."""

    verdict: Verdict
    stat: bytes


class Verified:
    """All of it, in memory; `save` writes what has changed, where `path` may be written."""

    def __init__(self, path: str | None, *, writable: bool) -> None:
        self._path = path
        self._writable = writable and path is not None
        self.marks: dict[bytes, Mark] = {}
        self._damage: dict[bytes, Noted] = {}
        self._changed: set[bytes] = set()
        self._is_damage_changed = False
        # A cache: one that cannot be read, or was written by a newer program, has nothing.
        if path is not None and os.path.exists(path):
            with contextlib.suppress(sqlite3.Error, ValueError), _connected(path) as database:
                self._read(database)

    def _read(self, database: sqlite3.Connection) -> None:
        if database.execute("PRAGMA user_version").fetchone()[0] == _VERSION:
            for directory, *mark in database.execute("SELECT directory, since, begun, upto FROM verified"):
                self.marks[directory] = Mark(*mark)
            self._damage = _damage(database)

    @property
    def damage(self) -> Mapping[bytes, Noted]:
        """What was found damaged, by path."""
        return self._damage

    def look(self, root: Readable) -> None:
        """Let go of damage to files that are no longer what they were then: others are there, or none."""
        for path in [path for path, noted in self._damage.items() if not _shows(root, path, noted)]:
            self.clear(path)

    def only(self, directories: Collection[bytes]) -> None:
        """Let go of all other directories: they are no longer there."""
        for each in self.marks.keys() - directories:
            del self.marks[each]
            self._changed.add(each)

    def mark(self, directory: bytes, mark: Mark) -> None:
        """Note how far a directory is verified."""
        self.marks[directory] = mark
        self._changed.add(directory)

    def note(self, path: bytes, noted: Noted) -> None:
        """Note that a file is damaged."""
        if self._damage.get(path) != noted:
            self._damage[path] = noted
            self._is_damage_changed = True

    def clear(self, path: bytes) -> None:
        """Note that a file is what it should be, or is no longer there."""
        if self._damage.pop(path, None) is not None:
            self._is_damage_changed = True

    def save(self) -> None:
        """Write what has changed; where it cannot be written nothing is lost but time."""
        if self._path is None or not self._writable or not (self._changed or self._is_damage_changed):
            return
        with contextlib.suppress(sqlite3.Error), _connected(self._path) as database:
            self._write(database)
        self._changed.clear()
        self._is_damage_changed = False

    def _write(self, database: sqlite3.Connection) -> None:
        if database.execute("PRAGMA user_version").fetchone()[0] != _VERSION:
            for table in ("verified", "damage"):
                database.execute(f"DROP TABLE IF EXISTS {table}")
        for table in _TABLES:
            database.execute(f"CREATE TABLE IF NOT EXISTS {table}")
        database.execute(f"PRAGMA user_version = {_VERSION}")
        gone = [(each,) for each in self._changed if each not in self.marks]
        database.executemany("DELETE FROM verified WHERE directory = ?", gone)
        rows = [(each, *self.marks[each]) for each in self._changed if each in self.marks]
        database.executemany("INSERT OR REPLACE INTO verified VALUES (?, ?, ?, ?)", rows)
        if self._is_damage_changed:
            database.execute("DELETE FROM damage")
            known = [(path, verdict.value, stat) for path, (verdict, stat) in self._damage.items()]
            database.executemany("INSERT INTO damage VALUES (?, ?, ?)", known)


def damage(path: str | None) -> Mapping[bytes, Noted]:
    """What was found damaged, without the rest; nothing where that cannot be read."""
    if path is not None and os.path.exists(path):
        with contextlib.suppress(sqlite3.Error, ValueError), _connected(path) as database:
            if database.execute("PRAGMA user_version").fetchone()[0] == _VERSION:
                return _damage(database)
    return {}


def _damage(database: sqlite3.Connection) -> dict[bytes, Noted]:
    rows = database.execute("SELECT path, verdict, stat FROM damage")
    return {path: Noted(Verdict(verdict), stat) for path, verdict, stat in rows}


@contextlib.contextmanager
def _connected(path: str) -> Iterator[sqlite3.Connection]:
    database = sqlite3.connect(path, timeout=10)
    try:
        database.execute("PRAGMA synchronous = OFF")
        with database:
            yield database
    finally:
        database.close()


def _shows(root: Readable, path: bytes, noted: Noted) -> bool:
    _, size, mtime_ns, ctime_ns, inode = STAT.unpack(noted.stat)
    try:
        seen = root.lstat(path)
    except OSError:
        return False
    is_same = (seen.st_size, seen.st_mtime_ns) == (size, mtime_ns)
    return is_same and (not inode or (seen.st_ctime_ns, seen.st_ino & INODE) == (ctime_ns, inode))
