"""Lasting files: those of ours that are appended to and made durable as a run goes on (the journal, what is intended).

Once one could not be made durable it takes nothing any more: what it held may be lost, and the file system would call the
next attempt a success (`durability`).
"""

from __future__ import annotations

import errno
import os

from aefsync.disk.durability import Durable


class LastingFile:
    """One of them, open at `fd`, which is closed with it.  `append` and `sync` raise `OSError`."""

    def __init__(self, fd: int, durable: Durable) -> None:
        self._fd = fd
        self._durable = durable
        self._is_spoiled = False

    def append(self, data: bytes) -> None:
        """Append all or nothing."""
        self._check()
        before, view = os.fstat(self._fd).st_size, memoryview(data)
        try:
            while view:
                view = view[os.write(self._fd, view) :]
        except OSError:
            os.ftruncate(self._fd, before)
            raise

    def sync(self, *directories: int) -> None:
        """Have all of it last, and the names in these directories."""
        self._check()
        try:
            self._durable.file(self._fd)
            self._durable.names(*directories)
        except OSError:
            self._is_spoiled = True
            raise

    def _check(self) -> None:
        if self._is_spoiled:
            raise OSError(errno.EIO, "could not be made durable before")

    def close(self) -> None:
        os.close(self._fd)


def words(*each: bytes) -> bytes:
    """Words, each closed by NUL."""
    return b"".join([word + b"\0" for word in each])
