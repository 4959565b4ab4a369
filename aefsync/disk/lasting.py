"""Lasting files: those of ours that are appended to and made durable as a run goes on (the journal, what is intended).

Once one could not be made durable it takes nothing any more: what it held may be lost, and the file system would call the
next attempt a success (`durability`).
"""

from __future__ import annotations

import errno
import os

from aefsync.disk.confined import ConfinedRoot, split
from aefsync.disk.durability import Durable

_APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW


class LastingFile:
    """One of them, at a path below a home; it is made when something is first appended.  Methods raise `OSError`."""

    def __init__(self, home: ConfinedRoot, path: bytes, durable: Durable) -> None:
        self._home = home
        self._path = path
        self._folder = split(path)[0]
        self._durable = durable
        self._fd = -1
        self._is_named = False
        self._is_spoiled = False

    @property
    def is_open(self) -> bool:
        """Whether anything was appended since it was closed."""
        return self._fd >= 0

    def append(self, data: bytes) -> None:
        """Append all or nothing."""
        self._check()
        if not self.is_open:
            if self._folder:
                self._home.make_directories(self._folder)
            self._fd = self._home.open(self._path, _APPEND, 0o600)
        before, view = os.fstat(self._fd).st_size, memoryview(data)
        try:
            while view:
                view = view[os.write(self._fd, view) :]
        except OSError:
            os.ftruncate(self._fd, before)
            raise

    def sync(self) -> None:
        """Have all of it last, its name too."""
        self._check()
        if not self.is_open:
            return
        try:
            self._durable.file(self._fd)
            if not self._is_named:
                with self._home.directory(self._folder) as folder:
                    self._durable.names(folder, self._home.fd)
                self._is_named = True
        except OSError:
            self._is_spoiled = True
            raise

    def _check(self) -> None:
        if self._is_spoiled:
            raise OSError(errno.EIO, "could not be made durable before")

    def remove(self) -> None:
        """Have no file, if there is one."""
        if self.is_open:
            self._home.unlink(self._path)

    def close(self) -> None:
        """Let go of it; what is appended afterwards goes to the file that is there by then."""
        if self.is_open:
            os.close(self._fd)
            self._fd, self._is_named = -1, False


def words(*each: bytes) -> bytes:
    """Words, each closed by NUL."""
    return b"".join([word + b"\0" for word in each])
