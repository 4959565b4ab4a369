"""A large file, copied and hashed at once: the kernel copies one stretch after the other, and the copy is hashed behind it.

What is hashed is read back from the copy, so that no store which reaches the source meanwhile comes between the two, and
in blocks that stay in a processor's cache: large buffers of ours, filled and written again, take half as much time again
(measured).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from queue import SimpleQueue

from aefsync.core.digest import content_hasher
from aefsync.disk.sparse import Stretch, copy_range, stretches

_STRETCH = 1 << 20
_BLOCK = 256 << 10
_ZEROS = bytes(_BLOCK)


def copy_hashed(source: int, target: int, size: int, copied: Callable[[int], None]) -> tuple[int, bytes]:
    """Copy `size` bytes of a file into an empty one: how many there were, and the content digest of the copy.

    `copied` hears where the copy ends, after each stretch.  Raises `OSError`, and `WriteError` for trouble with the copy.
    """
    end = 0
    behind = _Behind(target)
    try:
        for offset, length, is_hole in stretches(source, size, _STRETCH):
            count = length if is_hole else copy_range(source, target, offset, offset, length)
            behind.hash(Stretch(offset, count, is_hole))
            end = offset + count
            copied(end)
            if count < length:
                break
    except BaseException:
        behind.close()
        raise
    os.ftruncate(target, end)
    return end, behind.close()


class _Behind:
    """Hashes what a file has, in a thread of its own, as it comes."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._hasher = content_hasher()
        self._room = memoryview(bytearray(_BLOCK))
        self._due: SimpleQueue[Stretch | None] = SimpleQueue()
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def hash(self, stretch: Stretch) -> None:
        """Hear of what comes next."""
        self._due.put(stretch)

    def close(self) -> bytes:
        """The digest, once everything is hashed; raises `OSError`."""
        self._due.put(None)
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._hasher.digest()

    def _run(self) -> None:
        try:
            while (stretch := self._due.get()) is not None:
                self._take(stretch)
        except Exception as error:  # noqa: BLE001  it is raised again by whoever waits
            self._error = error

    def _take(self, stretch: Stretch) -> None:
        offset, stop = stretch.offset, stretch.offset + stretch.length
        while offset < stop:
            count = min(_BLOCK, stop - offset)
            if stretch.is_hole:
                self._hasher.update(memoryview(_ZEROS)[:count])
            else:
                count = os.preadv(self._fd, [self._room[:count]], offset)
                if not count:
                    raise OSError("the copy ends early")
                self._hasher.update(self._room[:count])
            offset += count
