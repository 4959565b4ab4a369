"""Files of state: small JSON files in the state directory that several runs share.

Replaced in one rename, and read again under a lock before it is written, so that concurrent runs lose nothing of each
other.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Callable, Iterator
from typing import Any


class StateFile:
    """`NAME.json` below `directory`; with no directory there is none, and nothing is kept."""

    def __init__(self, directory: str, name: str) -> None:
        self._directory = directory
        self._lock = os.path.join(directory, f"{name}.lock")
        self._file = os.path.join(directory, f"{name}.json")

    @property
    def is_kept(self) -> bool:
        return bool(self._directory)

    def read(self) -> Any:
        """What it says; `None` where it is missing or damaged."""
        if not self._directory:
            return None
        try:
            with open(self._file, "rb") as file:
                return json.load(file)
        except (OSError, ValueError, RecursionError):
            return None

    def change(self, change: Callable[[Any], Any]) -> None:
        """Have it say what `change` makes of what it says; `None`: leave it alone.  Raises `OSError`."""
        if not self._directory:
            return
        with self._locked():
            content = change(self.read())
            if content is not None:
                self._write(content)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        os.makedirs(self._directory, mode=0o700, exist_ok=True)
        fd = os.open(self._lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            # A file system without locks is used without: at worst one of two runs is forgotten.
            with contextlib.suppress(OSError):
                fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)

    def _write(self, content: Any) -> None:
        fresh = f"{self._file}.{os.urandom(4).hex()}"
        try:
            with open(fresh, "x", encoding="ascii") as file:
                json.dump(content, file, indent=1)
            os.replace(fresh, self._file)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(fresh)
            raise
