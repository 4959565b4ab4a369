"""Sparse files: read without asking the disk for their holes, copied without filling them.

Holes count as zeros in a content digest like all other bytes, so they are hashed, from one buffer of zeros: several GB
a second, and no page of the cache.  What is written piece by piece leaves holes wherever a slice is all zeros.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator

from aefsync.core.named_tuple import NamedTuple

BLOCK = 8 << 20
SLICE = 64 << 10
"""Zeros of so many bytes, aligned, are worth a hole."""

_ZEROS = memoryview(bytes(BLOCK))
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_DATA, _HOLE = getattr(os, "SEEK_DATA", -1), getattr(os, "SEEK_HOLE", -1)


class WriteError(OSError):
    """Trouble with the file that is written, not with what it is written from."""


class Run(NamedTuple):
    """A run of a file's bytes: `data` lasts until the next one; `is_hole` where they are zeros that nobody wrote."""

    offset: int
    data: memoryview
    is_hole: bool = False


def on_disk(seen: os.stat_result) -> int:
    """The bytes that a file takes on the disk; `st_blocks` counts by 512 whatever the file system's own blocks are."""
    return seen.st_blocks * 512


def read_runs(fd: int) -> Iterator[Run]:
    """Every byte of a file, in order; raises `OSError`."""
    view = memoryview(bytearray(min(BLOCK, os.fstat(fd).st_size + 1)))
    offset = 0
    for start, stop in _data(fd):
        yield from _zeros(offset, start)
        os.lseek(fd, start, os.SEEK_SET)
        offset = start
        while (stop is None or offset < stop) and (count := os.readv(fd, [_room(view, offset, stop)])):
            yield Run(offset, view[:count])
            offset += count
        if stop is None or offset < stop:
            return  # the end, too early perhaps: what was not read is no hole
    yield from _zeros(offset, os.fstat(fd).st_size)


class Stretch(NamedTuple):
    """Bytes of a file that lie one behind the other; `is_hole` where they are zeros that nobody wrote."""

    offset: int
    length: int
    is_hole: bool = False


def stretches(fd: int, size: int, most: int) -> Iterator[Stretch]:
    """The first so many bytes of a file, in order, each stretch of at most `most`."""
    end = 0
    for start, stop in _data(fd):
        yield from _cut(end, min(start, size), most, is_hole=True)
        end = size if stop is None else min(stop, size)
        yield from _cut(min(start, size), end, most, is_hole=False)
    yield from _cut(end, size, most, is_hole=True)


def _cut(start: int, stop: int, most: int, *, is_hole: bool) -> Iterator[Stretch]:
    for offset in range(start, stop, most):
        yield Stretch(offset, min(most, stop - offset), is_hole)


def copy_range(source: int, target: int, offset: int, place: int, length: int) -> int:
    """Copy bytes from one file to another, within the kernel where it can; how many there were.

    Raises `OSError` for trouble with the source, and `WriteError`.
    """
    done = 0
    while done < length:
        count = _copy_part(source, target, offset + done, place + done, length - done)
        if not count:
            break
        done += count
    return done


def _copy_part(source: int, target: int, offset: int, place: int, length: int) -> int:
    try:
        return os.copy_file_range(source, target, length, offset, place)
    except AttributeError:
        pass  # Linux alone has it
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise WriteError(error.errno, error.strerror) from None
        # It does not copy, or something is in the way: in the way of which of the two, they tell.
    data = os.pread(source, min(length, BLOCK), offset)
    write_all(target, data, place)
    return len(data)


def _data(fd: int) -> Iterator[tuple[int, int | None]]:
    """Where a file has data; a file without holes is read to its end, wherever that is by then (`None`)."""
    seen = os.fstat(fd)
    if _DATA < 0 or on_disk(seen) >= seen.st_size:
        yield 0, None
        return
    offset = 0
    while offset < seen.st_size:
        try:
            offset = os.lseek(fd, offset, _DATA)
            stop = os.lseek(fd, offset, _HOLE)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return
            yield offset, None
            return
        yield offset, stop
        offset = stop


def _room(view: memoryview, offset: int, stop: int | None) -> memoryview:
    return view if stop is None else view[: min(len(view), stop - offset)]


def _zeros(start: int, stop: int) -> Iterator[Run]:
    for offset in range(start, stop, BLOCK):
        yield Run(offset, _ZEROS[: min(BLOCK, stop - offset)], is_hole=True)


def write_all(fd: int, data: bytes | memoryview, offset: int) -> None:
    """Write bytes at an offset; raises `WriteError`."""
    view = memoryview(data)
    try:
        while view:
            count = os.pwrite(fd, view, offset)
            view = view[count:]
            offset += count
    except OSError as error:
        raise WriteError(error.errno, error.strerror) from None


def write_sparsely(fd: int, data: bytes | memoryview, offset: int) -> None:
    """Write bytes to where nothing was written yet, all but aligned slices of zeros; the file covers these as well."""
    end, start = offset + len(data), offset
    view = memoryview(data)
    while start < end:
        stop = min(end, start - start % SLICE + SLICE)
        part = view[start - offset : stop - offset]
        if stop - start < SLICE or part != _ZEROS[:SLICE]:
            write_all(fd, part, start)
        start = stop
    if os.fstat(fd).st_size < end:
        os.ftruncate(fd, end)
