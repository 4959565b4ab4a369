"""Large files copied and hashed at once: what is told is the digest of the copy, whatever the source was."""

from __future__ import annotations

import errno
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from aefsync.core.digest import content_digest
from aefsync.disk.hashed_copy import copy_hashed
from aefsync.disk.sparse import WriteError

STRETCH = 1 << 20
NOISE = random.Random(3).randbytes(STRETCH)
SIZES = [0, 1, STRETCH - 1, STRETCH, STRETCH + 1, 3 * STRETCH + 5]
_in_kernel = os.copy_file_range


@pytest.fixture
def target(tmp_path: Path) -> Iterator[int]:
    fd = os.open(tmp_path / "target", os.O_RDWR | os.O_CREAT)
    yield fd
    os.close(fd)


@pytest.fixture
def source(tmp_path: Path) -> Iterator[int]:
    fd = os.open(tmp_path / "source", os.O_RDWR | os.O_CREAT)
    yield fd
    os.close(fd)


def content(fd: int) -> bytes:
    return os.pread(fd, 1 << 30, 0)


def refuse(*_: object) -> int:
    raise OSError(errno.EXDEV, "no")


def little(source: int, target: int, length: int, offset: int, place: int) -> int:
    """As a kernel that copies less than it is asked for."""
    return _in_kernel(source, target, min(length, 300_000), offset, place)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kernel", [_in_kernel, refuse, little, None])
def test_a_copy_and_its_digest(
    source: int, target: int, size: int, kernel: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kernel is None:
        monkeypatch.delattr(os, "copy_file_range")
    else:
        monkeypatch.setattr(os, "copy_file_range", kernel)
    data = (NOISE * 4)[:size]
    os.pwrite(source, data, 0)
    ends: list[int] = []
    assert copy_hashed(source, target, size, ends.append) == (size, content_digest(data))
    assert content(target) == data
    assert ends == sorted(ends)
    assert ends[-1:] == ([size] if size else [])


@pytest.mark.parametrize("place", [0, STRETCH - 70_000, 5 * STRETCH])
def test_holes_stay_holes(source: int, target: int, place: int) -> None:
    size = 9 * STRETCH
    os.ftruncate(source, size)
    os.pwrite(source, NOISE[:100_000], place)
    assert copy_hashed(source, target, size, lambda end: None) == (size, content_digest(content(source)))
    assert content(target) == content(source)
    assert os.fstat(target).st_blocks <= os.fstat(source).st_blocks


def test_a_source_that_is_shorter_than_it_was(source: int, target: int) -> None:
    os.pwrite(source, NOISE, 0)
    assert copy_hashed(source, target, 4 * STRETCH, lambda end: None) == (len(NOISE), content_digest(NOISE))


def test_bytes_that_did_not_arrive_are_not_vouched_for(
    source: int, target: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoil(_source: int, target: int, length: int, _offset: int, place: int) -> int:
        return os.pwrite(target, b"x" * length, place)

    os.pwrite(source, NOISE, 0)
    monkeypatch.setattr(os, "copy_file_range", spoil)
    assert copy_hashed(source, target, len(NOISE), lambda end: None)[1] == content_digest(b"x" * len(NOISE))


@pytest.mark.parametrize("reason", [errno.ENOSPC, errno.EDQUOT])
def test_no_room_is_trouble_with_the_copy(
    source: int, target: int, monkeypatch: pytest.MonkeyPatch, reason: int
) -> None:
    def full(*_: object) -> int:
        raise OSError(reason, os.strerror(reason))

    os.pwrite(source, NOISE, 0)
    monkeypatch.setattr(os, "copy_file_range", full)
    with pytest.raises(WriteError, match=os.strerror(reason)):
        copy_hashed(source, target, len(NOISE), lambda end: None)


@pytest.mark.parametrize("count", [0, -1])
def test_a_copy_that_cannot_be_read_back_is_trouble(
    source: int, target: int, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    def fail(*_: object) -> int:
        if count:
            raise OSError(errno.EIO, "input/output error")
        return count

    os.pwrite(source, NOISE, 0)
    monkeypatch.setattr(os, "preadv", fail)
    with pytest.raises(OSError, match="the copy ends early|input/output error"):
        copy_hashed(source, target, len(NOISE), lambda end: None)
