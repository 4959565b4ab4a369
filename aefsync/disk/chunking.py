"""Cut files into content-defined chunks (theory: `core.recipe`).  The package's one door to pyfastcdc."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import cache
from typing import TYPE_CHECKING

from aefsync.core.digest import content_digest, content_hasher
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.recipe import LEVELS, Recipe, Run
from aefsync.disk.hashing import Passed, nobody

if TYPE_CHECKING:
    from pyfastcdc import FastCDC

_WINDOW = 16 << 20
"""Bytes held at a time; several times the longest chunk, so that few are cut twice."""

See = Callable[[memoryview], object]


def _overlook(_: memoryview) -> None:
    return None


class Chunks(NamedTuple):
    """A run as chunks: their lengths, and digests of as many bytes each as the level says."""

    lengths: list[int]
    digests: bytes


@cache
def _cutter(level: int) -> FastCDC:
    from pyfastcdc import FastCDC

    average, least, most, _ = LEVELS[level]
    return FastCDC(average, min_size=least, max_size=most)


def cut(fd: int, offset: int, length: int, level: int, see: See = _overlook, passed: Passed = nobody) -> Chunks:
    """Cut a run of an open file; fewer bytes come out where it has shrunk.

    `see` is shown all bytes on the way, and `passed` hears how many they are.
    """
    lengths: list[int] = []
    digests: list[bytes] = []
    size = LEVELS[level].digest
    for chunk in _chunks(fd, offset, length, level, see, passed):
        lengths.append(len(chunk))
        digests.append(content_digest(chunk)[:size])
    return Chunks(lengths, b"".join(digests))


def cutting(run: Run, level: int, passed: Passed = nobody) -> Callable[[int], Recipe]:
    """Cuts a run of an open file, taking its content digest on the way where the run is all of it."""

    def cut_run(fd: int) -> Recipe:
        whole = content_hasher(threads=True) if run.offset == 0 and run.length == os.fstat(fd).st_size else None
        see = whole.update if whole is not None else _overlook
        lengths, digests = cut(fd, run.offset, run.length, level, see, passed)
        if sum(lengths) != run.length:
            return Recipe(run.path, run.offset, (), b"")
        return Recipe(run.path, run.offset, tuple(lengths), digests, whole.digest() if whole is not None else b"")

    return cut_run


def _chunks(fd: int, offset: int, length: int, level: int, see: See, passed: Passed) -> Iterator[memoryview]:
    """The chunks, each valid until the next is asked for."""
    buffer = memoryview(bytearray(min(_WINDOW, length)))
    cutter, end, kept = _cutter(level), offset + length, 0
    while offset < end or kept:
        filled = kept + _fill(fd, buffer[kept:], offset, end)
        see(buffer[kept:filled])
        passed(filled - kept)
        offset += filled - kept
        is_last = offset >= end or filled < len(buffer)
        start = 0
        for chunk in cutter.cut_buf(buffer[:filled]):
            # The last chunk of a window may only end there because the window does.
            if chunk.offset + chunk.length == filled and not is_last:
                break
            yield chunk.data
            start = chunk.offset + chunk.length
        if is_last:
            return
        kept = filled - start
        buffer[:kept] = bytes(buffer[start:filled])


def _fill(fd: int, buffer: memoryview, offset: int, end: int) -> int:
    """Read as much of the run as fits; fewer bytes only at the end of the file."""
    filled, wanted = 0, min(len(buffer), end - offset)
    while filled < wanted:
        count = os.preadv(fd, [buffer[filled:wanted]], offset + filled)
        if not count:
            break
        filled += count
    return filled
