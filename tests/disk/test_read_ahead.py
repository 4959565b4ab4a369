from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aefsync.disk.read_ahead import ROWS, ReadAhead, Row


@contextlib.contextmanager
def database(*rows: tuple[bytes, int]) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as made:
        made.execute(
            "CREATE TABLE brief (directory BLOB, number INTEGER, checksum BLOB, body BLOB,"
            " PRIMARY KEY (directory, number)) WITHOUT ROWID"
        )
        made.executemany("INSERT INTO brief VALUES (?, ?, ?, ?)", [(*row, b"sum", body(*row)) for row in rows])
        yield made


def body(directory: bytes, number: int) -> bytes:
    return b"%s/%d" % (directory, number)


def expected(directory: bytes, count: int) -> list[Row]:
    return [(number, b"sum", body(directory, number)) for number in range(count)]


def selects(connection: sqlite3.Connection) -> list[str]:
    """What the connection is asked from now on."""
    asked: list[str] = []
    connection.set_trace_callback(asked.append)
    return asked


def test_a_scan_in_key_order_asks_once_for_many_directories() -> None:
    names = [b"d%05d\0" % number for number in range(1000)]
    with database(*((name, number) for name in names for number in range(2))) as connection:
        ahead, asked = ReadAhead(connection), selects(connection)
        for name in names:
            assert ahead.of(name) == expected(name, 2)
            assert ahead.of(name + b"new\0") == ()
        assert len(asked) == -(-2000 // (ROWS - 2)), (
            "the last directory of each part may be cut, and is asked for again"
        )


def test_a_directory_of_more_pages_than_are_read_at_a_time() -> None:
    with database((b"a\0", 0), *((b"b\0", number) for number in range(ROWS + 5)), (b"c\0", 0)) as connection:
        ahead, asked = ReadAhead(connection), selects(connection)
        assert ahead.of(b"a\0") == expected(b"a\0", 1)
        assert ahead.of(b"b\0") == expected(b"b\0", ROWS + 5)
        assert ahead.of(b"b\0b\0") == ()
        assert ahead.of(b"c\0") == expected(b"c\0", 1)
        assert len(asked) == 4


def test_nothing_is_asked_twice_where_nothing_is() -> None:
    with database() as connection:
        ahead, asked = ReadAhead(connection), selects(connection)
        assert [ahead.of(b"d%d\0" % number) for number in range(5)] == [()] * 5
        assert len(asked) == 1


@given(st.lists(st.integers(0, 9)), st.dictionaries(st.integers(0, 9), st.integers(1, 9), max_size=6))
def test_whatever_the_order(order: Sequence[int], counts: dict[int, int]) -> None:
    names = [b"" if number == 0 else b"%d\0" % number for number in range(10)]
    rows = [(names[d], number) for d, count in counts.items() for number in range(count)]
    with database(*rows) as connection:
        ahead = ReadAhead(connection, 4)
        for number in order:
            assert list(ahead.of(names[number])) == expected(names[number], counts.get(number, 0))


def test_trouble_is_raised_and_passes() -> None:
    with database((b"a\0", 0)) as connection:
        ahead = ReadAhead(connection)
        connection.execute("ALTER TABLE brief RENAME TO gone")
        with pytest.raises(sqlite3.Error):
            ahead.of(b"a\0")
        connection.execute("ALTER TABLE gone RENAME TO brief")
        assert ahead.of(b"a\0") == expected(b"a\0", 1)
