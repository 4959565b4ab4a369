"""The index: a cache of pages, a row each, that may be deleted at any time.

It lives in `.aefsync/` where a run may write there, else in the user's cache directory.  SQLite lets concurrent runs
share it and makes a kill harmless; a checksum in each row makes damage harmless, and a file that SQLite refuses is
made anew.  A page is only ever a claim that is checked against the directory, so a lost row costs time and nothing
else.  Of each directory it is kept since when it is known: no digest in its pages was taken before (`core.rot`).
"""

from __future__ import annotations

import contextlib
import itertools
import os
import sqlite3
import stat
from collections.abc import Collection, Iterator
from typing import Any

from aefsync.core.digest import framed_digest
from aefsync.disk.page import Brief, Page, PageKey, pack, pack_brief, unpack, unpack_brief
from aefsync.disk.read_ahead import ReadAhead
from aefsync.disk.read_only import read_only

_VERSION = 4
_SELECT = "SELECT checksum, body FROM page WHERE directory = ? AND number = ?"
_SELECT_NUMBERS = "SELECT number FROM page WHERE directory = ?"
_SELECT_SINCE = "SELECT since FROM age WHERE directory = ?"
_NEVER = (1 << 63) - 1
_FLUSH = 8 << 20
"""Bytes of pages kept in memory before they are written."""


class Index:
    """Pages by directory and number; `path` `None` keeps nothing.

    `fallback` is read where `path` has no page; `seed` is an index that an empty one begins as a copy of.  No digest that
    the session takes was taken before `begun_ns` (0: nobody knows).
    """

    def __init__(
        self,
        path: str | None,
        *,
        fallback: str | None = None,
        seed: str | None = None,
        shared_memory: bool = True,
        begun_ns: int = 0,
    ) -> None:
        self._path = path
        self.begun_ns = begun_ns
        self._shared_memory = shared_memory
        self._database = self._open(path) if path else None
        self._fallback = _open_read_only(fallback) if fallback and os.path.exists(fallback) else None
        if seed and os.path.exists(seed) and self.is_empty:
            self._take_over(seed)
        self._pending: dict[PageKey, bytes] = {}
        self._pending_briefs: dict[PageKey, bytes | None] = {}
        self._pending_bytes = 0
        self._moved: set[bytes] = set()
        self._ahead: list[ReadAhead] | None = None

    def _take_over(self, seed: str) -> None:
        if self._database is None:
            return
        with contextlib.suppress(sqlite3.Error):
            self._database.execute("ATTACH ? AS seed", (seed,))
            with contextlib.suppress(sqlite3.Error), self._transaction(self._database) as database:
                if database.execute("PRAGMA seed.user_version").fetchone()[0] == _VERSION:
                    database.execute("INSERT OR IGNORE INTO page SELECT * FROM seed.page")
                    database.execute("INSERT OR IGNORE INTO brief SELECT * FROM seed.brief")
                    database.execute("INSERT OR IGNORE INTO age SELECT * FROM seed.age")
            self._database.execute("DETACH seed")

    @property
    def directory(self) -> str | None:
        """Where it lies, if it may write there."""
        return os.path.dirname(self._path) if self._path is not None and self._database is not None else None

    @property
    def is_empty(self) -> bool:
        """Whether nothing at all is known."""
        for database in (self._database, self._fallback):
            with contextlib.suppress(sqlite3.Error):
                if database is not None and database.execute("SELECT 1 FROM page LIMIT 1").fetchone():
                    return False
        return True

    def load(self, key: PageKey, seen: bytes | None = None) -> Page | None:
        """A page, if there is an undamaged one (of that listing)."""
        if key in self._pending:
            return unpack(self._pending[key])
        for rows in self._rows_of(_SELECT, key):
            for checksum, body in rows:
                if _checksum(key, _PAGE, body) == checksum:
                    with contextlib.suppress(ValueError):
                        page = unpack(body)
                        if seen in (None, page.seen):
                            return page
        return None

    def pages(self, directory: bytes) -> Iterator[Page]:
        """The undamaged pages of a directory, each loaded when it is asked for."""
        numbers = {number for rows in self._rows_of(_SELECT_NUMBERS, (directory,)) for (number,) in rows}
        for number in sorted(numbers):
            page = self.load((directory, number))
            if page is not None:
                yield page

    def briefs(self, directory: bytes) -> dict[int, Brief]:
        """The briefs of a directory's pages, by number, of those that may be recognised by them."""
        found: dict[int, Brief] = {}
        if self._ahead is None:
            self._ahead = [ReadAhead(each) for each in (self._database, self._fallback) if each is not None]
        for ahead in self._ahead:
            with contextlib.suppress(sqlite3.Error):
                for number, checksum, body in ahead.of(directory):
                    if number not in found and _checksum((directory, number), _BRIEF, body) == checksum:
                        with contextlib.suppress(ValueError):
                            found[number] = unpack_brief(body)
        return found

    def _rows_of(self, select: str, parameters: tuple[bytes | int, ...]) -> Iterator[list[tuple[Any, ...]]]:
        """What each database has; one that is in any trouble has nothing."""
        for database in (self._database, self._fallback):
            if database is not None:
                with contextlib.suppress(sqlite3.Error):
                    yield database.execute(select, parameters).fetchall()

    def since_ns(self, directory: bytes) -> int:
        """When the first digest of those in a directory's pages was taken, at the earliest; 0: nobody knows."""
        since = self._since_ns(directory)
        return 0 if since is None or since == _NEVER else since

    def _since_ns(self, directory: bytes) -> int | None:
        rows = itertools.chain.from_iterable(self._rows_of(_SELECT_SINCE, (directory,)))
        return next((int(since) for (since,) in rows), None)

    def moved(self, directory: bytes) -> None:
        """Digests come to the pages of a directory that were taken when the files were in another one."""
        self._moved.add(directory)

    def store(self, key: PageKey, page: Page) -> None:
        """Keep a page; it is written at `flush` or when many are waiting."""
        if self._database is None:
            return
        self._pending[key] = pack(page)
        self._pending_briefs[key] = pack_brief(page.brief()) if page.is_settled else None
        self._pending_bytes += len(self._pending[key])
        if self._pending_bytes > _FLUSH:
            self.flush()

    def cut(self, directory: bytes, count: int) -> None:
        """Forget all but the first `count` pages of a directory."""
        if self._database is not None:
            self._ahead = None
            with contextlib.suppress(sqlite3.Error):
                self._database.execute("DELETE FROM page WHERE directory = ? AND number >= ?", (directory, count))
                self._database.execute("DELETE FROM brief WHERE directory = ? AND number >= ?", (directory, count))

    def flush(self) -> None:
        """Write what is waiting; an index that cannot be written is given up without a word: it is a cache."""
        self._ahead = None
        if self._database is None or not self._pending:
            return
        try:
            self._write(self._database)
        except sqlite3.Error as error:
            # That very class says that the file is damaged; a lock or a full disk is a subclass.
            if type(error) is sqlite3.DatabaseError and self._path is not None:
                self._database.close()
                _remove(self._path)
                self._database = self._open(self._path)
        self._pending.clear()
        self._moved.clear()
        self._pending_briefs.clear()
        self._pending_bytes = 0

    def _write(self, database: sqlite3.Connection) -> None:
        with self._transaction(database):
            pages = ((*key, _checksum(key, _PAGE, body), body) for key, body in self._pending.items())
            database.executemany("INSERT OR REPLACE INTO page VALUES (?, ?, ?, ?)", pages)
            briefs = self._pending_briefs.items()
            lost = [key for key, body in briefs if not body]
            database.executemany("DELETE FROM brief WHERE directory = ? AND number = ?", lost)
            fresh = [(*key, _checksum(key, _BRIEF, body), body) for key, body in briefs if body]
            database.executemany("INSERT OR REPLACE INTO brief VALUES (?, ?, ?, ?)", fresh)
            directories = {directory for directory, _ in self._pending}
            # What comes from the other database is as old as it is there.
            known = {each: self._since_ns(each) for each in directories} if self._fallback is not None else {}
            ages = [(each, self.begun_ns if known.get(each) is None else known[each]) for each in directories]
            database.executemany("INSERT OR IGNORE INTO age VALUES (?, ?)", ages)
            database.executemany("INSERT OR REPLACE INTO age VALUES (?, ?)", [(each, _NEVER) for each in self._moved])

    def vanished(self, kept: Collection[bytes]) -> list[bytes]:
        """The directories that have pages and are not among these."""
        gone: set[bytes] = set()
        for database in (self._database, self._fallback):
            with contextlib.suppress(sqlite3.Error):
                if database is not None:
                    known = database.execute("SELECT directory FROM page WHERE number = 0")
                    gone.update(directory for (directory,) in known if directory not in kept)
        return sorted(gone)

    def forget(self, directories: Collection[bytes]) -> None:
        """Drop the pages of directories that are no longer there."""
        if self._database is None or not directories:
            return
        self._ahead = None
        rows = [(directory,) for directory in directories]
        with contextlib.suppress(sqlite3.Error), self._transaction(self._database) as database:
            database.executemany("DELETE FROM page WHERE directory = ?", rows)
            database.executemany("DELETE FROM brief WHERE directory = ?", rows)
            database.executemany("DELETE FROM age WHERE directory = ?", rows)

    def close(self) -> None:
        self.flush()
        for database in (self._database, self._fallback):
            if database is not None:
                with contextlib.suppress(sqlite3.Error):
                    database.close()
        self._database = self._fallback = None

    @staticmethod
    @contextlib.contextmanager
    def _transaction(database: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
        database.execute("BEGIN IMMEDIATE")
        try:
            yield database
            database.execute("COMMIT")
        except sqlite3.Error:
            with contextlib.suppress(sqlite3.Error):
                database.execute("ROLLBACK")
            raise

    def _open(self, path: str) -> sqlite3.Connection | None:
        for _ in range(2):
            try:
                return self._connect(path)
            except sqlite3.OperationalError:
                return None
            except (sqlite3.DatabaseError, _OtherVersion):
                _remove(path)
        return None

    def _connect(self, path: str) -> sqlite3.Connection:
        with contextlib.suppress(OSError):
            if not stat.S_ISREG(os.lstat(path).st_mode):
                raise _OtherVersion
        database = sqlite3.connect(path, isolation_level=None, timeout=10)
        try:
            # Whatever a power cut leaves of a cache is checked page by page; nothing has to wait for it.
            database.execute("PRAGMA synchronous = OFF")
            database.execute(f"PRAGMA journal_mode = {'WAL' if self._shared_memory else 'TRUNCATE'}")
            version = database.execute("PRAGMA user_version").fetchone()[0]
            if version not in (0, _VERSION):
                raise _OtherVersion
            for table in ("page", "brief"):
                database.execute(
                    f"CREATE TABLE IF NOT EXISTS {table} (directory BLOB, number INTEGER, checksum BLOB, body BLOB,"
                    " PRIMARY KEY (directory, number)) WITHOUT ROWID"
                )
            database.execute("CREATE TABLE IF NOT EXISTS age (directory BLOB PRIMARY KEY, since INTEGER) WITHOUT ROWID")
            database.execute(f"PRAGMA user_version = {_VERSION}")
        except BaseException:
            database.close()
            raise
        return database


class _OtherVersion(Exception):
    pass


def _remove(path: str) -> None:
    """Remove an index, its journals first, so that they are never taken for those of a new one."""
    for suffix in ("-wal", "-shm", "-journal", ""):
        with contextlib.suppress(OSError):
            os.unlink(path + suffix)


def _open_read_only(path: str) -> sqlite3.Connection | None:
    """Open without creating anything beside the file: as if nobody wrote to it, which its checksums make safe."""
    try:
        database = sqlite3.connect(read_only(path, unchanging=True), uri=True, isolation_level=None)
    except sqlite3.Error:
        return None
    with contextlib.suppress(sqlite3.Error):
        if database.execute("PRAGMA user_version").fetchone()[0] == _VERSION:
            return database
    database.close()
    return None


_PAGE, _BRIEF = b"page", b"brief"


def _checksum(key: PageKey, table: bytes, body: bytes) -> bytes:
    directory, number = key
    return framed_digest((directory, number.to_bytes(8), table, body), 8)
