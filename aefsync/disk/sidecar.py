"""The sidecar: what a replica must not lose, versions above all, in `.aefsync/sidecar.db`.

Unlike the index it is no cache, so every transaction is on the disk before anybody hears of what is in it.  A file that
is damaged is set aside and never deleted; one of a newer program stops the run.  Records and tombstones stand in pages,
never a row for each path, with a checksum for what is not read unless it is needed.

    meta     what the replica is, the last counter that it used, who takes part, what is mounted below (`standing`)
    vector   the versions, by number (`vectors`)
    page     records (`records`), by directory and the first name; the first page of a directory has its seal
    grave    tombstones, by directory
    pending  what a batch of actions was about to place (`pending`)
"""

from __future__ import annotations

import contextlib
import sqlite3
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from aefsync.core.named_tuple import NamedTuple
from aefsync.core.problem import reason_of
from aefsync.disk.carrying import Carried
from aefsync.disk.checksums import checksum_of, flat, is_of
from aefsync.disk.records import ROWS, Records, pack, unpack
from aefsync.disk.shrinking import shrink
from aefsync.disk.sidecar_schema import check_schema, make_tables
from aefsync.disk.vectors import VectorPage, packed, unpacked
from aefsync.errors import RootError

_CHECKSUM = "checksum"
"""The word that the others are checked by."""
_HEAD = (bytes, bytes, int, bytes, bytes)
Rows = Iterable[Sequence[Any]]


class Damaged(Exception):
    """The file is no sidecar, or not whole."""


class Head(NamedTuple):
    """A page of records without these: what is enough where nothing has changed.

    `seal` is in the first page of a directory (its `first` is empty) and stands for what the whole directory showed;
    `length` counts the records, `versions` are packed.
    """

    directory: bytes
    first: bytes
    length: int
    seal: bytes
    versions: bytes


class Sidecar:
    """One open sidecar.  Methods raise `Damaged`, and `RootError` where the file cannot be used as it is now."""

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._on_commit: Callable[[], None] = lambda: None

    def keep_log(self, on_commit: Callable[[], None]) -> None:
        """Have the log (WAL) keep whatever is written until it is merged, and `on_commit` hear of each transaction."""
        self._run("PRAGMA wal_autocheckpoint = 0")
        self._on_commit = on_commit

    def merge_log(self) -> None:
        """Bring what the log keeps into the file itself."""
        self._run("PRAGMA wal_checkpoint(TRUNCATE)")

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; within another one, a part of that."""
        if self._database.in_transaction:
            yield
            return
        self._run("BEGIN IMMEDIATE")
        try:
            yield
            self._run("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                self._database.execute("ROLLBACK")
            raise
        self._on_commit()

    def _run(self, statement: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with trouble():
            return self._database.execute(statement, parameters).fetchall()

    def _put(self, statement: str, rows: Rows) -> None:
        with trouble():
            self._database.executemany(statement, rows)

    def words(self) -> dict[str, bytes]:
        """All of `meta`."""
        words = dict(self._run("SELECT word, value FROM meta"))
        checksum = words.pop(_CHECKSUM, None)
        if {*map(type, words), *map(type, words.values())} - {str, bytes}:
            raise Damaged("a word is damaged")
        if checksum is not None:
            _check(checksum, *flat(words))
        return words

    def set_words(self, words: Mapping[str, bytes]) -> None:
        """Have some words say something else."""
        with self.transaction():
            rows = {**words, _CHECKSUM: checksum_of(*flat({**self.words(), **words}))}
            self._put("INSERT OR REPLACE INTO meta VALUES (?, ?)", rows.items())

    def vectors(self) -> Iterator[VectorPage]:
        for number, digests, checksum, body in self._run("SELECT * FROM vector ORDER BY number"):
            _check(checksum, b"vector", number, digests, body)
            yield VectorPage(number, digests, body)

    def set_vectors(self, pages: Iterable[VectorPage]) -> None:
        rows = ((n, digests, checksum_of(b"vector", n, digests, body), body) for n, digests, body in pages)
        self._put("INSERT OR REPLACE INTO vector VALUES (?, ?, ?, ?)", rows)

    def heads(self) -> Iterator[Head]:
        """Of all pages of records, those of a directory together and in order."""
        with trouble():
            select = "SELECT directory, first, count, seal, versions FROM page ORDER BY directory, first"
            yield from map(_head, self._database.execute(select))

    def heads_of(self, directory: bytes) -> list[Head]:
        select = "SELECT directory, first, count, seal, versions FROM page WHERE directory = ? ORDER BY first"
        return [_head(row) for row in self._run(select, (directory,))]

    def records(self, directory: bytes, first: bytes) -> Records:
        """One page of records."""
        select = "SELECT versions, checksum, body FROM page WHERE directory = ? AND first = ?"
        rows = self._run(select, (directory, first))
        if not rows:
            raise Damaged("a page of records is missing")
        ((versions, checksum, body),) = rows
        _check(checksum, b"page", directory, first, versions, body)
        with trouble():
            return unpack(body, versions)

    def store(self, directory: bytes, first: bytes, seal: bytes, records: Records) -> None:
        """Keep a page of records."""
        versions, body = packed(records.versions), pack(records)
        checksum = checksum_of(b"page", directory, first, versions, body)
        row = (directory, first, len(records.names), seal, versions, checksum, body)
        self._run("INSERT OR REPLACE INTO page VALUES (?, ?, ?, ?, ?, ?, ?)", row)

    def set_seal(self, directory: bytes, seal: bytes) -> None:
        self._run("UPDATE page SET seal = ? WHERE directory = ? AND first = x''", (seal, directory))

    def drop(self, directory: bytes, first: bytes | None = None) -> None:
        """Forget a page of records, or all those of a directory."""
        if first is None:
            self._run("DELETE FROM page WHERE directory = ?", (directory,))
        else:
            self._run("DELETE FROM page WHERE directory = ? AND first = ?", (directory, first))

    def directories(self, low: bytes, high: bytes) -> list[bytes]:
        """The directories `low <= directory < high` that have records."""
        select = "SELECT DISTINCT directory FROM page WHERE directory >= ? AND directory < ?"
        return [directory for (directory,) in self._run(select, (low, high))]

    def rename(self, directory: bytes, name: bytes, carried: Carried | None = None) -> None:
        """Give the records of a directory to another one, of which there are none, with the versions that they have there."""
        for head in self.heads_of(directory):
            records = self.records(directory, head.first)
            numbers = records.versions if carried is None else carried.numbers(name, records.names)
            self.store(name, head.first, b"", records._replace(versions=numbers))
        self.drop(directory)

    def tombstones(self) -> dict[bytes, dict[bytes, int]]:
        """The numbers of the versions of all tombstones, by directory and name."""
        found: dict[bytes, dict[bytes, int]] = {}
        for directory, number, versions, checksum, names in self._run("SELECT * FROM grave ORDER BY directory, number"):
            _check(checksum, b"grave", directory, number, versions, names)
            cut = names.split(b"\0")
            with trouble():
                found.setdefault(directory, {}).update(zip(cut, unpacked(versions, len(cut)), strict=True))
        return found

    def set_tombstones(self, directory: bytes, tombstones: Mapping[bytes, int]) -> None:
        """The tombstones of a directory, replaced."""
        self._run("DELETE FROM grave WHERE directory = ?", (directory,))
        ordered = sorted(tombstones.items())
        for number, low in enumerate(range(0, len(ordered), ROWS)):
            part = ordered[low : low + ROWS]
            names, versions = b"\0".join([name for name, _ in part]), packed(array("I", [each for _, each in part]))
            checksum = checksum_of(b"grave", directory, number, versions, names)
            self._run("INSERT INTO grave VALUES (?, ?, ?, ?, ?)", (directory, number, versions, checksum, names))

    def pending(self) -> Iterator[bytes]:
        """What batches of actions were about to place, in order."""
        for (number,) in self._run("SELECT number FROM pending ORDER BY number"):
            for checksum, body in self._run("SELECT checksum, body FROM pending WHERE number = ?", (number,)):
                _check(checksum, b"pending", body)
                yield body

    def add_pending(self, body: bytes) -> None:
        self._run("INSERT INTO pending (checksum, body) VALUES (?, ?)", (checksum_of(b"pending", body), body))

    def clear_pending(self) -> None:
        self._run("DELETE FROM pending")

    def in_memory(self) -> sqlite3.Connection:
        """A copy that needs no file."""
        copy = sqlite3.connect(":memory:", isolation_level=None)
        with contextlib.ExitStack() as unless_whole, trouble():
            unless_whole.callback(copy.close)
            self._database.backup(copy)
            unless_whole.pop_all()
        return copy

    def shrink(self) -> None:
        """Give back what is free in the file, where that is much (`shrinking`)."""
        shrink(self._database)

    def close(self) -> None:
        with contextlib.suppress(sqlite3.Error):
            self._database.close()


@contextlib.contextmanager
def trouble() -> Iterator[None]:
    """Tell damage from a file that cannot be used now: that very class says that a file is malformed."""
    try:
        yield
    except sqlite3.Error as error:
        if type(error) is sqlite3.DatabaseError:
            raise Damaged(reason_of(error)) from None
        raise RootError(f".aefsync/sidecar.db: {reason_of(error)}") from None
    except ValueError as error:
        raise Damaged(str(error)) from None


def connect(place: str, *, journal: str | None, synchronous: str = "FULL") -> Sidecar:
    """Open the sidecar at a path, or an URI for reading only (`journal` `None`); made where it is missing.

    Raises `Damaged`, `GuardError` where it is of a newer program, `RootError` where it cannot be used.
    """
    with trouble():
        database = sqlite3.connect(place, uri=journal is None, isolation_level=None, timeout=10)
    try:
        with trouble():
            if journal is None:
                check_schema(database)
            else:
                make_tables(database, journal, synchronous)
    except BaseException:
        database.close()
        raise
    return Sidecar(database)


def _head(row: tuple[Any, ...]) -> Head:
    if tuple(map(type, row)) != _HEAD:
        raise Damaged("a row is damaged")
    return Head(*row)


def _check(checksum: bytes, *parts: bytes | int) -> None:
    if not is_of(checksum, *parts):
        raise Damaged("a row is damaged")
