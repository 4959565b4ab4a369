"""Files elsewhere that are appended to as a run goes on (as `disk/lasting`): its journal, and what it intends."""

from __future__ import annotations

from aefsync.core.files import Create, Remove, Sync, Truncate, Write, ask, raised, told
from aefsync.disk.confined import split
from aefsync.disk.far.home import FarHome


class FarLog:
    """A `Log` at a path below the home, sent frame by frame; `durable`: `sync` makes it so."""

    def __init__(self, home: FarHome, path: bytes, *, durable: bool) -> None:
        self._home = home
        self._folder = split(path)[0]
        self._place = home.at(path)
        self._durable = durable
        self._size = -1

    def append(self, frame: bytes) -> None:
        if self._size < 0:
            list(self._home.files.carry_out([self._home.make_directories(self._folder)]))
            told(self._home.files, Create(self._place, b""))
            self._size = 0
        (written,) = ask(self._home.files, Write(self._place, self._size, frame))
        if isinstance(written, OSError):
            ask(self._home.files, Truncate(self._place, self._size))
            raise written
        self._size += len(frame)

    def sync(self) -> None:
        if self._durable and self._size >= 0:
            for outcome in ask(
                self._home.files, Sync(self._place), Sync(self._home.at(self._folder)), Sync(self._home.path)
            ):
                raised(outcome)

    def remove(self) -> None:
        if self._size >= 0:
            told(self._home.files, Remove(self._place))

    def close(self) -> None:
        self._size = -1
