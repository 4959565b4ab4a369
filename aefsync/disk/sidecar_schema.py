"""The schema of a sidecar: its tables, what tells that a database is one, and of which version."""

from __future__ import annotations

import sqlite3

from aefsync.errors import GuardError

_SCHEMA = 1
_APPLICATION = 0x61656673
_TABLES = {
    "meta": "word TEXT PRIMARY KEY, value BLOB",
    "vector": "number INTEGER PRIMARY KEY, digests BLOB, checksum BLOB, body BLOB",
    "page": "directory BLOB, first BLOB, count INTEGER, seal BLOB, versions BLOB, checksum BLOB, body BLOB",
    "grave": "directory BLOB, number INTEGER, versions BLOB, checksum BLOB, names BLOB",
    "pending": "number INTEGER PRIMARY KEY, checksum BLOB, body BLOB",
}
_KEYS = {"page": ", PRIMARY KEY (directory, first)", "grave": ", PRIMARY KEY (directory, number)"}
# All others with row ids, which nobody asks for: without, what a row has beyond a quarter of a page takes pages of its own.
_OPTIONS = {"meta": " WITHOUT ROWID"}
# As bytes: what is damaged may be no text.
_FOUND = """SELECT CAST(entry.name AS BLOB), CAST(info.name AS BLOB)
    FROM sqlite_master AS entry, pragma_table_info(entry.name) AS info"""


def make_tables(database: sqlite3.Connection, journal: str, synchronous: str) -> None:
    """Have the tables, made where there are none; raises as `check_schema`."""
    is_new = not database.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
    if is_new:
        database.execute("PRAGMA page_size = 2048")
    else:
        check_schema(database)
    database.execute(f"PRAGMA journal_mode = {journal}")
    database.execute(f"PRAGMA synchronous = {synchronous}")
    if is_new:
        marks = (f"PRAGMA application_id = {_APPLICATION}", f"PRAGMA user_version = {_SCHEMA}")
        for statement in ("BEGIN IMMEDIATE", *map(_made, _TABLES), *marks, "COMMIT"):
            database.execute(statement)


def _made(table: str) -> str:
    return f"CREATE TABLE {table} ({_TABLES[table]}{_KEYS.get(table, '')}){_OPTIONS.get(table, '')}"


def check_schema(database: sqlite3.Connection) -> None:
    """Raise `ValueError` where a database is no sidecar, or not whole, and `GuardError` where it is of a newer program."""
    application, schema = database.execute("SELECT * FROM pragma_application_id, pragma_user_version").fetchone()
    if application != _APPLICATION:
        raise ValueError("is no sidecar")
    if schema > _SCHEMA:
        raise GuardError(
            f".aefsync/sidecar.db was written by a newer aefsync (its version is {schema}, known are those up to "
            f"{_SCHEMA}): nothing was done, because what it remembers would be lost; upgrade aefsync on this machine"
        )
    if schema < 1:
        raise ValueError("has no version")
    # A bit that flipped in a name would look like a mistake of ours, in every run.
    found = set(database.execute(_FOUND))
    named = ((table, each.partition(" ")[0]) for table, columns in _TABLES.items() for each in columns.split(", "))
    if not {(table.encode(), column.encode()) for table, column in named} <= found:
        raise ValueError("its tables are not those of a sidecar")
