"""Stat many names of a directory into packed stats, without a Python object for what is found.

Each name costs one call of statx, which writes into a row of a buffer; whole columns of that are then moved by C loops.
An `os.stat_result` an entry, packed afterwards, took a third longer.
"""

from __future__ import annotations

import ctypes
import errno
import os
import sys
import threading
from collections.abc import Sequence
from functools import cache
from itertools import repeat
from typing import Any

from aefsync.core.snapshot import STAT_COLUMNS
from aefsync.core.view import STAT
from aefsync.disk.syscalls import STATX_FLAGS, STATX_MASK, statx

_ROW = 256
"""Bytes of `struct statx`, in Linux's headers; what is not asked for is zero."""
_MODE = 28 // 2
_INODE, _SIZE, _CTIME, _MTIME = 32 // 8, 40 // 8, 96 // 8, 112 // 8
"""Where they stand in a row, in their own width; after each time the nanoseconds follow, as wide."""
_BTIME, _BTIME_ASKED = 80 // 8, 0x800
_WORDS = _ROW // 8
_SEVEN_BITS = bytes(byte & 0x7F for byte in range(256))
_BATCH = 256
"""Names at once: a signal waits for no more than these, and the rows stay in the processor's cache."""
_SECOND = 10**9


class _Rows(threading.local):
    """A buffer of `_BATCH` rows of this thread, and where each begins."""

    def __init__(self) -> None:
        buffer = bytearray(_ROW * _BATCH)
        begin = ctypes.addressof(ctypes.c_char.from_buffer(buffer))
        self.places = [ctypes.c_void_p(begin + _ROW * index) for index in range(_BATCH)]
        view = memoryview(buffer)
        self.words, self.quarters = view.cast("q"), view.cast("H")


_rows = _Rows()


def packed_stats(fd: int, names: Sequence[bytes], *, stable: bool) -> bytes:
    """The stats of these names in the directory open at `fd`, packed as `STAT`, no link followed.

    Not `stable`: ctimes and inode numbers mean nothing there, and are zero.

    Raises `OSError` where one of them cannot be had or has a time before 1970 or after 2106, and on a platform without
    statx: whoever asked then looks at each by itself.
    """
    if sys.byteorder != "little":
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    look = statx()
    return b"".join(
        [_batch(look, fd, names[low : low + _BATCH], stable=stable) for low in range(0, len(names), _BATCH)]
    )


def _batch(look: Any, fd: int, names: Sequence[bytes], *, stable: bool) -> bytes:
    if any(map(look, repeat(fd), names, repeat(STATX_FLAGS), repeat(STATX_MASK), _rows.places)):
        raise OSError(errno.EIO, "not all of them can be looked at")
    count = len(names)
    packed = bytearray(STAT.size * count)
    view = memoryview(packed)
    quarters, words = view.cast("H"), view.cast("q")
    rows = _rows.words[: _WORDS * count]
    quarters[:: STAT_COLUMNS * 4] = _rows.quarters[_MODE : _WORDS * 4 * count : _WORDS * 4]
    words[1::STAT_COLUMNS] = rows[_SIZE::_WORDS]
    times = _nanoseconds(rows, count)
    words[2::STAT_COLUMNS] = times[:count]
    if stable:
        words[3::STAT_COLUMNS] = times[count:]
        words[4::STAT_COLUMNS] = rows[_INODE::_WORDS]
        packed[STAT.size - 1 :: STAT.size] = packed[STAT.size - 1 :: STAT.size].translate(_SEVEN_BITS)
    return bytes(packed)


def _nanoseconds(rows: memoryview, count: int) -> memoryview:
    """The mtimes and the ctimes: all of them are one large number, 64 bits each, of which none runs over into the next."""
    seconds = int.from_bytes(rows[_MTIME::_WORDS].tobytes() + rows[_CTIME::_WORDS].tobytes(), "little")
    parts = int.from_bytes(rows[_MTIME + 1 :: _WORDS].tobytes() + rows[_CTIME + 1 :: _WORDS].tobytes(), "little")
    if seconds & _upper_halves(2 * count):
        raise OSError(errno.EOVERFLOW, os.strerror(errno.EOVERFLOW))
    return memoryview((seconds * _SECOND + parts).to_bytes(2 * count * 8, "little")).cast("q")


@cache
def _upper_halves(count: int) -> int:
    """The upper 32 bits of each of so many numbers of 64."""
    return int.from_bytes((bytes(4) + b"\xff" * 4) * count, "little")


def born_ns(fd: int, name: bytes) -> int | None:
    """When the file that has a name now came to be, in ns since 1970; `None` where nobody knows."""
    if sys.byteorder != "little":
        return None
    try:
        if statx()(fd, name, STATX_FLAGS, _BTIME_ASKED, _rows.places[0]) != 0:
            return None
    except OSError:
        return None
    words = _rows.words
    return words[_BTIME] * _SECOND + (words[_BTIME + 1] & 0xFFFFFFFF) if words[0] & _BTIME_ASKED else None
