from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aefsync.core.view import STAT
from aefsync.disk import packed_stats as module
from aefsync.disk.listing import pack
from aefsync.disk.packed_stats import packed_stats
from tests.disk.ground import Ground
from tests.support.trees import NAMES

PLAIN = sorted(name for name in NAMES if b"/" not in name)
STATX = struct.Struct("=28xHxxQQ48xqI4xqI132x")
"""As much of Linux's `struct statx` as is asked for: mode, inode, size, ctime, mtime."""


def look(ground: Ground, names: list[bytes]) -> list[os.stat_result]:
    return [os.stat(name, dir_fd=ground.root.fd, follow_symlinks=False) for name in names]


@pytest.mark.parametrize("batch", [1, 3, 256])
@pytest.mark.parametrize("stable", [True, False])
def test_they_are_what_lstat_finds(
    ground: Ground, monkeypatch: pytest.MonkeyPatch, batch: int, *, stable: bool
) -> None:
    monkeypatch.setattr(module, "_BATCH", batch)
    for number, name in enumerate(PLAIN):
        ground.write(name, b"x" * number, mtime_ns=number * 10**16 + 999_999_999)
    os.chmod(ground.place(PLAIN[0]), 0o4751)
    os.mkdir(ground.place(b"directory"))
    os.mkfifo(ground.place(b"fifo"))
    os.symlink(b"nowhere", ground.place(b"link"))
    os.mknod(ground.place(b"socket"), 0o140644)
    os.truncate(ground.place(PLAIN[1]), 5 << 32)
    names = [*PLAIN, b"directory", b"fifo", b"link", b"socket"]
    assert packed_stats(ground.root.fd, names, stable=stable) == pack(look(ground, names), stable=stable)


def test_of_nothing(ground: Ground) -> None:
    assert packed_stats(ground.root.fd, [], stable=True) == b""


@pytest.mark.parametrize("seconds", [-1, 1 << 32, 10_413_792_000])
def test_times_before_1970_and_after_2106_are_for_another(ground: Ground, seconds: int) -> None:
    ground.write(b"a", b"", mtime_ns=0)
    ground.write(b"b", b"", mtime_ns=0)
    os.utime(ground.place(b"b"), (seconds, seconds))
    if os.stat(ground.place(b"b")).st_mtime != seconds:
        pytest.skip("this file system keeps no such times")
    with pytest.raises(OSError, match="too large"):
        packed_stats(ground.root.fd, [b"a", b"b"], stable=True)


def test_a_name_that_is_not_there_spoils_them(ground: Ground) -> None:
    ground.write(b"a", b"")
    with pytest.raises(OSError, match="not all of them"):
        packed_stats(ground.root.fd, [b"a", b"b"], stable=True)


def test_without_statx_or_the_layout_they_cannot_be_had(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    ground.write(b"a", b"")
    monkeypatch.setattr("sys.byteorder", "big")
    with pytest.raises(OSError, match="not implemented"):
        packed_stats(ground.root.fd, [b"a"], stable=True)


def test_each_thread_has_rows_of_its_own() -> None:
    with ThreadPoolExecutor(1) as other:
        theirs = other.submit(lambda: module._rows.places[0].value).result()
    assert theirs != module._rows.places[0].value


def showing(found: list[tuple[int, int, int, int, int, int, int]]) -> Callable[..., int]:
    """A statx of a kernel that finds these: modes, inodes, sizes, seconds and nanoseconds of ctime and mtime."""
    rows = iter(found)

    def call(_fd: int, _name: bytes, _flags: int, _mask: int, place: ctypes.c_void_p) -> int:
        ctypes.memmove(place, STATX.pack(*next(rows)), STATX.size)
        return 0

    return call


SECONDS, PARTS = st.integers(0, (1 << 32) - 1), st.integers(0, 10**9 - 1)
ROW = st.tuples(
    st.integers(0, (1 << 16) - 1),
    st.integers(0, (1 << 64) - 1),
    st.integers(0, (1 << 63) - 1),
    *(SECONDS, PARTS, SECONDS, PARTS),
)
LARGEST = ((1 << 16) - 1, (1 << 64) - 1, (1 << 63) - 1, (1 << 32) - 1, 10**9 - 1, (1 << 32) - 1, 10**9 - 1)


@given(st.lists(ROW, max_size=9))
@example([LARGEST] * 3)
@example([LARGEST, (0,) * 7, LARGEST])
def test_no_number_runs_over_into_the_next(found: list[tuple[int, int, int, int, int, int, int]]) -> None:
    """An inode number is cut to 63 bits."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "statx", lambda: showing(found))
        packed = packed_stats(-1, [b"name"] * len(found), stable=True)
    assert list(STAT.iter_unpack(packed)) == [
        (mode, size, seconds * 10**9 + parts, changed * 10**9 + odd, inode & ((1 << 63) - 1))
        for mode, inode, size, changed, odd, seconds, parts in found
    ]
