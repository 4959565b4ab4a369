"""A directory kept open across the many small operations in it, made writable for as long where it must be."""

from __future__ import annotations

import contextlib
import os
from types import TracebackType

from aefsync.core.metadata import USABLE
from aefsync.disk.confined import ConfinedRoot
from aefsync.disk.modes import PassingMode, PassingModes


class OpenDirectories:
    """The last directory used, by descriptor.  Paths come in key order, so one is enough.

    Directories are made writable only where `modes` are written down.
    """

    def __init__(self, root: ConfinedRoot, modes: PassingModes | None = None) -> None:
        self._root = root
        self._modes = modes
        self._path: bytes | None = None
        self._fd = -1
        self._mode: int | None = None

    def get(self, path: bytes) -> int:
        """The descriptor of a directory, valid until the next call; raises `OSError`."""
        if path != self._path:
            self.close()
            self._fd = self._root.open_directory(path)
            self._path = path
            if self._modes is not None:
                self._make_writable(path, self._modes)
        return self._fd

    def _make_writable(self, path: bytes, modes: PassingModes) -> None:
        if os.access(b".", os.W_OK | os.X_OK, dir_fd=self._fd, effective_ids=True):
            return
        mode = os.fstat(self._fd).st_mode & 0o7777
        with contextlib.suppress(OSError):
            modes.declare([PassingMode(path, mode, (mode | USABLE,))], briefly=True)
            os.fchmod(self._fd, mode | USABLE)
            self._mode = mode

    def is_at(self, path: bytes) -> bool:
        """Whether this directory is the one that is open."""
        return self._path == path

    def let_go(self) -> None:
        """Close the directory if it is writable only for as long as it is open."""
        if self._mode is not None:
            self.close()

    def close(self) -> None:
        """Put the directory's mode back and let go of it."""
        if self._path is None:
            return
        if self._mode is not None:
            with contextlib.suppress(OSError):
                os.fchmod(self._fd, self._mode)
        os.close(self._fd)
        self._path, self._mode = None, None

    def __enter__(self) -> OpenDirectories:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
