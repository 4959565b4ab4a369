"""A private directory of this machine, in the cache directory or where temporary files go, that goes with its process.

A process that is killed leaves it, and whoever makes the next one removes what nobody holds a lock on any more.
"""

from __future__ import annotations

import contextlib
import fcntl
import math
import os
import shutil
import tempfile
import time
from collections.abc import Iterator

_FOLDERS = "fetched"
_PREFIX = "aefsync-copy-"
_AGE_S = 60
"""So long after it was made, and its process not gone, it is locked."""


class Folder:
    """One of them; where there is no cache directory (empty), or none can be written, it is where temporary files go."""

    def __init__(self, cache_dir: str) -> None:
        self.path = ""
        if cache_dir:
            with contextlib.suppress(OSError):
                self._make_among(os.path.join(cache_dir, _FOLDERS))
        if not self.path:
            _sweep(tempfile.gettempdir(), _PREFIX, time.time() - _AGE_S)
            self._make(None)

    def _make_among(self, above: str) -> None:
        os.makedirs(above, mode=0o700, exist_ok=True)
        # One that was just made is not locked yet: nobody else makes or removes any meanwhile.
        with _locked(above, fcntl.LOCK_EX):
            _sweep(above, "", math.inf)
            self._make(above)

    def _make(self, above: str | None) -> None:
        self.path = tempfile.mkdtemp(prefix=_PREFIX, dir=above)
        self._fd = _open(self.path)
        fcntl.flock(self._fd, fcntl.LOCK_EX)

    def close(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._fd)


def _sweep(above: str, prefix: str, before_s: float) -> None:
    """Remove what processes of this user left that are gone, as far as it is older."""
    with contextlib.suppress(OSError):
        names = [name for name in os.listdir(above) if name.startswith(prefix)]
        for place in (os.path.join(above, name) for name in names):
            with contextlib.suppress(OSError), _locked(place, fcntl.LOCK_EX | fcntl.LOCK_NB) as seen:
                if seen.st_uid == os.geteuid() and seen.st_mtime < before_s:
                    shutil.rmtree(place, ignore_errors=True)


@contextlib.contextmanager
def _locked(directory: str, how: int) -> Iterator[os.stat_result]:
    fd = _open(directory)
    try:
        fcntl.flock(fd, how)
        yield os.fstat(fd)
    finally:
        os.close(fd)


def _open(directory: str) -> int:
    return os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
