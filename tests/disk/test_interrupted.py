"""What interrupted runs had declared: put right, kept for the next run, or needed no more."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from aefsync.core.named_tuple import NamedTuple
from aefsync.disk.confined import ConfinedRoot
from aefsync.disk.interrupted import Putting, finish_all


class Note(NamedTuple):
    path: bytes


@pytest.fixture
def home(tmp_path: Path) -> Iterator[ConfinedRoot]:
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "run").write_bytes(b"there gone there")
    (tmp_path / "there").mkdir()
    fd = os.open(tmp_path, os.O_RDONLY)
    yield ConfinedRoot(fd)
    os.close(fd)


@pytest.mark.parametrize("fails", [0, errno.ENOENT, errno.EIO])
def test_what_is_gone_is_needed_no_more_and_what_failed_still_is(home: ConfinedRoot, fails: int) -> None:
    """Also where something else is missing then than what was declared: /proc, by which attributes are set."""
    put: list[bytes] = []

    def put_right(_fd: int, note: Note) -> None:
        put.append(note.path)
        if fails:
            raise OSError(fails, os.strerror(fails))

    putting = Putting(lambda data: map(Note, data.split()), lambda note: home.open_directory(note.path), put_right)
    finish_all(home, b"notes", putting)
    assert put == [b"there"]
    assert home.names(b"notes") == ([b"run"] if fails else [])
