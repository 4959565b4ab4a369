from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from aefsync.core.digest import content_digest
from aefsync.core.view import STAT
from aefsync.disk.fetching import BYTES, FILES, Fetching
from aefsync.disk.hashing import Seen
from aefsync.disk.records import Record
from aefsync.disk.rereading import Moved, reread
from aefsync.disk.verifying import Row


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[int]:
    fd = os.open(tmp_path, os.O_RDONLY)
    yield fd
    os.close(fd)


def files(directory: int, number: int, size: int = 1) -> list[Row]:
    rows = []
    for each in range(number):
        name = b"%03d" % each
        fd = os.open(name, os.O_CREAT | os.O_WRONLY, dir_fd=directory)
        os.truncate(fd, size)
        seen = os.fstat(fd)
        os.close(fd)
        stat = STAT.pack(seen.st_mode, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_ino)
        rows.append(Row(0, each, name, Record(stat, b"", 0, 0)))
    return rows


def opened() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_few_files_are_on_their_way_and_none_stays_open(directory: int) -> None:
    rows = files(directory, 3 * FILES)
    before, most = opened(), 0
    fetching = Fetching(directory, iter(rows))
    taken = []
    for row, there, _ in fetching.until(lambda: len(taken) == FILES):
        most = max(most, opened() - before)
        seen = Seen._make(STAT.unpack(row.shown.stat)[1:])
        assert reread(there, seen, content_digest, lambda size: None) == content_digest(b"\0")
        taken.append(row)
    assert most == FILES
    left = fetching.end()
    assert opened() == before
    assert left is not None
    assert [*taken, *left] == rows


def test_of_large_files_there_is_one_on_its_way(directory: int) -> None:
    rows = files(directory, 3, BYTES)
    before = opened()
    fetching = Fetching(directory, iter(rows))
    for _, there, _ in fetching.until(lambda: False):
        assert opened() == before + 1
        assert isinstance(there, int)
        os.close(there)
    assert fetching.end() is None


def test_what_cannot_be_opened_is_a_value(directory: int) -> None:
    rows = files(directory, 3)
    os.unlink(rows[0].name, dir_fd=directory)
    os.unlink(rows[1].name, dir_fd=directory)
    os.symlink("elsewhere", rows[1].name, dir_fd=directory)
    fetching = Fetching(directory, iter(rows))
    gone, link, there = (each.opened for each in fetching.until(lambda: False))
    assert (type(gone), type(link)) == (Moved, OSError)
    assert isinstance(there, int)
    os.close(there)


def test_what_was_begun_is_closed_when_it_is_enough(directory: int) -> None:
    rows = files(directory, 3)
    before = opened()
    fetching = Fetching(directory, iter(rows))
    assert list(fetching.until(lambda: True)) == []
    left = fetching.end()
    assert (opened(), left is not None and list(left)) == (before, rows)
