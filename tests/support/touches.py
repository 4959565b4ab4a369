"""Touches: the calls by which a process reaches its disk, counted as they are made, and one of them singled out.

What happens at that one is up to whoever counts: the process ends before it, or in the midst of what it writes; it fails
as a disk would; or somebody else edits the tree just before it.  SQLite makes its calls itself: there, a statement is one
touch, and what half of it would leave is SQLite's business.  Nothing is made durable: the end of a process leaves all
that it wrote.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest

import aefsync
from aefsync.disk import syscalls

_READS = (
    *("stat", "lstat", "fstat", "access", "read", "readv", "pread", "listdir", "scandir", "readlink"),
    *("getxattr", "listxattr", "open"),
)
_WRITES = (
    *(
        "mkdir",
        "rmdir",
        "rename",
        "link",
        "symlink",
        "unlink",
        "write",
        "pwrite",
        "ftruncate",
        "utime",
        "chmod",
        "fchmod",
    ),
    *("chown", "fchown", "setxattr", "removexattr", "fsync"),
)
_CREATES = os.O_CREAT | os.O_TRUNC
_SYNCS = ("fsync", "syncfs")
_READING = ("SELECT", "PRAGMA")
_UNSYNCED = {"PRAGMA synchronous = FULL": "PRAGMA synchronous = OFF"}
_fstat, _write, _pwrite = os.fstat, os.write, os.pwrite
_PACKAGE = os.path.dirname(aefsync.__file__)
_CALLERS = 3
Place = tuple[tuple[str, int], ...]
"""Where in the program a touch is made: file and line, the callers' after it."""


class Touch(NamedTuple):
    """One call; `writes`: it may change something.  The name of an SQLite statement is its first word."""

    name: str
    writes: bool
    arguments: tuple[Any, ...]

    @property
    def is_sql(self) -> bool:
        return self.name.isupper()

    @property
    def is_synced(self) -> bool:
        """Whether something is made durable."""
        return self.name in _SYNCS

    @property
    def file(self) -> tuple[int, int]:
        """Device and inode of the descriptor that it works on."""
        seen = _fstat(self.arguments[0])
        return seen.st_dev, seen.st_ino

    def halve(self) -> None:
        """Do the first half of what is to be written."""
        if self.name == "write":
            _write(self.arguments[0], self.arguments[1][: len(self.arguments[1]) // 2])
        elif self.name == "pwrite":
            _pwrite(self.arguments[0], self.arguments[1][: len(self.arguments[1]) // 2], self.arguments[2])


def place_here() -> Place:
    """The place in the program from which this is called: the innermost of its lines."""
    found: list[tuple[str, int]] = []
    frame = sys._getframe(1)
    while frame is not None and len(found) < _CALLERS:
        if frame.f_code.co_filename.startswith(_PACKAGE):
            found.append((frame.f_code.co_filename, frame.f_lineno))
        frame = frame.f_back
    return tuple(found)


class Moment:
    """The touch at which something happens: by number among all, or among those that are made at one place."""

    def __init__(self, number: int, place: Place | None = None) -> None:
        self._left = number
        self._place = place
        self.is_now = self.is_over = False

    def pass_by(self) -> None:
        """A touch is about to be made: from now on it is said whether this is the one, or it is over."""
        self.is_over |= self.is_now
        self._left -= self._place is None or place_here() == self._place
        self.is_now = not self._left and not self.is_over


Before = Callable[[Touch], object]
"""Called before each touch; what it raises is raised in its place, and `SHORT` lets no more than a byte be read or
written."""
SHORT = object()


class _Announcing:
    """Passes calls on, telling of each before."""

    def __init__(self, before: Before) -> None:
        self._before = before
        self._turn = threading.Lock()
        self._own = threading.local()

    def tell(self, name: str, arguments: tuple[Any, ...], *, writes: bool) -> object:
        """Tell of a call, unless whoever is told makes it."""
        if getattr(self._own, "is_told", False):
            return None
        with self._turn:
            self._own.is_told = True
            try:
                return self._before(Touch(name, writes, arguments))
            finally:
                self._own.is_told = False

    def around(self, call: Callable[..., Any], name: str, *, writes: bool) -> Callable[..., Any]:
        flags = {"open": 1, "openat2_beneath": 2}.get(name)

        def announced(*arguments: Any, **more: Any) -> Any:
            creates = flags is not None and bool(arguments[flags] & _CREATES)
            if self.tell(name, arguments, writes=writes or creates) is SHORT:
                return call(*_shortened(name, arguments), **more)
            return None if name in _SYNCS else call(*arguments, **more)

        return announced

    def connections(self) -> type[sqlite3.Connection]:
        tell = self.tell

        class Connection(sqlite3.Connection):
            """A connection whose statements are touches."""

            def execute(self, statement: str, *parameters: Any) -> sqlite3.Cursor:
                word = statement.split(None, 1)[0]
                tell(word, (statement,), writes=word not in _READING)
                return super().execute(_UNSYNCED.get(statement, statement), *parameters)

            def executemany(self, statement: str, *parameters: Any) -> sqlite3.Cursor:
                tell(statement.split(None, 1)[0], (statement,), writes=True)
                return super().executemany(statement, *parameters)

        return Connection


@contextlib.contextmanager
def touching(before: Before) -> Iterator[None]:
    """While the context lasts, every touch of this process is told of before."""
    announcing = _Announcing(before)
    connect, factory = sqlite3.connect, announcing.connections()
    with pytest.MonkeyPatch.context() as patch:
        for owner, names, writes in (
            (os, _READS, False),
            (os, _WRITES, True),
            (syscalls, ("openat2_beneath",), False),
            (syscalls, ("renameat2", "syncfs"), True),
        ):
            for name in names:
                patch.setattr(owner, name, announcing.around(getattr(owner, name), name, writes=writes))
        patch.setattr(sqlite3, "connect", lambda *words, **more: connect(*words, **{**more, "factory": factory}))
        yield


def _shortened(name: str, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    if name in ("write", "pwrite"):
        fd, data, *rest = arguments
        return (fd, data[:1], *rest)
    if name in ("read", "pread"):
        fd, count, *rest = arguments
        return (fd, min(count, 1), *rest)
    return arguments
