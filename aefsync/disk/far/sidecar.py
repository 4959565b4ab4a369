"""The sidecar of a root elsewhere: fetched, changed here by whatever changes a sidecar, and sent back.

The copy keeps a log (WAL).  What a transaction adds to that is appended to `sidecar.db-wal` over there before anybody
hears of what is in it, so at any time there is what a process of that machine would leave that ended then: whoever opens
it next, with an agent or as here, finds every transaction that counts.  In the end the log is merged into the copy,
which is sent whole under another name and takes the place of the old one by one rename; then the log goes.  A run that
ends just before leaves a log beside the file that it was merged into, which changes nothing there.

    sidecar.db      sidecar.db-wal
    old             -                    fetched
    old             a transaction more   with each that is committed here
    new             the same             the new one renamed
    new             -                    the log removed
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

from aefsync.core.files import Lstat, Op, Remove, Rename, Replace, Sync, Task, Write, ask, raised, told
from aefsync.disk.far.fetched import Fetched
from aefsync.disk.far.home import FarHome, why
from aefsync.disk.sidecar import Sidecar, connect
from aefsync.disk.sidecar_file import ALL, JOURNALS, LOG, NAME, NEW, name_aside
from aefsync.errors import RootError

_PIECE = 1 << 20
_HEADER, _FRAME = 32, 24
"""Bytes before the first frame of a log, and before the page in each (SQLite, "The Write-Ahead Log")."""


class FarSidecar:
    """That of one home; `clock_ns` is the far side's clock, `durable`: what is sent is made so."""

    def __init__(self, home: FarHome, fetched: Fetched, clock_ns: Callable[[], int], *, durable: bool) -> None:
        self._home = home
        self._fetched = fetched
        self._clock_ns = clock_ns
        self._durable = durable
        self._open: Sidecar | None = None
        self._is_whole = False
        """whether the file over there is the one here, but for what the log has"""
        self._sent = 0
        """bytes of the log that are over there"""

    @property
    def is_there(self) -> bool:
        """Whether there is anything by that name."""
        with self._trouble():
            (seen,) = ask(self._home.files, Lstat(self._at()))
            return not isinstance(seen, FileNotFoundError) and raised(seen) is not None

    def open_for_reading(self) -> Sidecar | None:
        """A copy of it as it is now; `None` where there is none."""
        return self._connect() if self._fetched.fetch(self._home, self._clock_ns) else None

    def open_for_writing(self) -> Sidecar:
        """A copy of it, new where there is none; all that is written there is sent."""
        if not self._home.files.abilities.replace:
            raise RootError("versions cannot be kept there: the server does not replace a file in one step")
        seen = self._fetched.fetch(self._home, self._clock_ns)
        self._is_whole, self._sent = seen.keys() == {""} and self._keeps_log(), 0
        sidecar = self._connect()
        sidecar.merge_log()
        sidecar.keep_log(self._send)
        self._open = sidecar
        return sidecar

    def _connect(self) -> Sidecar:
        return connect(self._fetched.place(), journal="WAL", synchronous="OFF")

    def _keeps_log(self) -> bool:
        """Whether the file was made for a log: what stands beside one that was not would not be looked at."""
        with open(self._fetched.place(), "rb") as file:
            return file.read(20)[18:] == b"\x02\x02"

    def _at(self, suffix: str = "") -> bytes:
        return self._home.at((NAME + suffix).encode())

    def _send(self) -> None:
        """Append what the last transaction added to the log."""
        self._home.lease.check()
        with self._all_or_nothing(), open(self._fetched.place(LOG), "rb") as log:
            end = committed(log, self._sent)
            if end == self._sent:
                return
            if not self._is_whole:
                self._put()
            self._write(LOG, log, self._sent, end)
            self._sent = end

    def merge(self) -> None:
        """Have one whole file there of what was changed."""
        if self._open is None or (self._is_whole and not self._sent):
            return
        self._home.lease.check()
        with self._all_or_nothing():
            self._open.merge_log()
            self._put()
            self._sent = 0
            self._fetched.is_now_there(self._home)

    def _put(self) -> None:
        """Put the file in the place of the one there."""
        place = self._fetched.place()
        ask(self._home.files, Remove(self._at(NEW)))
        with open(place, "rb") as file:
            self._write(NEW, file, 0, os.path.getsize(place))
        told(self._home.files, Replace(self._at(NEW), self._at()))
        # Only now: what it kept is in the file that has just come.
        gone: list[Op] = [Remove(self._at(suffix)) for suffix in JOURNALS]
        ask(self._home.files, *gone, *([Sync(self._home.path)] if self._durable else []))
        self._is_whole = True

    def _write(self, suffix: str, file: BinaryIO, low: int, high: int) -> None:
        """Send a part of a file to the same place of that one there, which ends with it; raises `OSError`."""
        place = self._at(suffix)
        for written in self._home.files.carry_out(_sending(place, file, low, high)):
            raised(written)
        seen, *synced = ask(self._home.files, Lstat(place), *([Sync(place)] if self._durable else []))
        for outcome in synced:
            raised(outcome)
        if raised(seen).st_size != high:
            raise OSError(f"{seen.st_size} bytes have come of {high}")

    def set_aside(self, run: str) -> str:
        """Rename it, with what belongs to it; its new name."""
        self._open = None
        with self._trouble():
            name = name_aside(run, map(os.fsdecode, self._home.names(b"")))
            for outcome in ask(
                self._home.files, *(Rename(self._at(each), self._home.at((name + each).encode())) for each in ALL)
            ):
                if not isinstance(outcome, FileNotFoundError):
                    raised(outcome)
        self._fetched.forget()
        return name

    @contextlib.contextmanager
    def _all_or_nothing(self) -> Iterator[None]:
        """Where not all has been sent, nothing more is: the copy is no longer that of what is there."""
        try:
            with self._trouble():
                yield
        except BaseException:
            self._open = None
            self._fetched.forget()
            raise

    @contextlib.contextmanager
    def _trouble(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise RootError(f".aefsync/{NAME}: {why(self._home, error)}") from None


def committed(log: BinaryIO, start: int) -> int:
    """Where the last transaction in a log ends that began at `start` or later; `start` where there is none."""
    log.seek(0)
    header = log.read(_HEADER)
    page, salts = int.from_bytes(header[8:12]), header[16:24]
    at, end = max(start, _HEADER), start
    while len(frame := _read(log, at)) == _FRAME and frame[8:16] == salts:
        at += _FRAME + page
        # The size of the database then; what was begun and not ended has none.
        if any(frame[4:8]):
            end = at
    return end


def _read(log: BinaryIO, at: int) -> bytes:
    log.seek(at)
    return log.read(_FRAME)


def _sending(place: bytes, file: BinaryIO, low: int, high: int) -> Iterator[Task[Any]]:
    for at in range(low, high, _PIECE):
        file.seek(at)
        yield _sent(Write(place, at, file.read(min(_PIECE, high - at))))


def _sent(op: Op) -> Task[Any]:
    return (yield [op])[0]
