"""Passing modes: directories that have another mode for a while than the one that is theirs.

A new directory has to be filled, and so does one that its owner may not write to; a run that ends meanwhile must not
leave what it made of the mode for the user's own.  So that is written down before, and whoever writes next puts the mode
right before it looks at the tree, unless somebody has set another one since.

`.aefsync/modes/RUN` holds two words for each: the mode that is to be, with those that it may have for a while, and the
path.  Every word ends with NUL; what has no such end was never written whole.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator

from aefsync.core.metadata import PERMISSIONS, USABLE
from aefsync.core.named_tuple import NamedTuple
from aefsync.disk.confined import ConfinedRoot
from aefsync.disk.durability import Durable
from aefsync.disk.home import Home
from aefsync.disk.interrupted import Putting, finish_all, finish_one
from aefsync.disk.lasting import LastingFile, words

MADE = 0o700
"""What a directory is made with."""
MODES = b"modes"
_WRITTEN = re.compile(rb"[0-7]{1,5}(?: [0-7]{1,5})*")
"""The first of two words, as it was written."""


class PassingMode(NamedTuple):
    """A directory is to have a mode, and may be found with one of `passing` until then."""

    path: bytes
    mode: int
    passing: tuple[int, ...]

    @property
    def lasts(self) -> bool:
        """Whether its owner cannot fill it as it is to be: it will be long until it is."""
        return self.mode & USABLE != USABLE


def of_new(path: bytes, mode: int) -> PassingMode:
    """Those of a directory that is made, and left usable until it is filled."""
    return PassingMode(path, mode, (MADE, mode | USABLE))


class PassingModes:
    """The passing modes of one run."""

    def __init__(self, home: Home, run: str, durable: Durable) -> None:
        self._home = home
        self._path = MODES + b"/" + run.encode()
        self._file = LastingFile(home, self._path, durable)

    def declare(self, modes: Iterable[PassingMode], *, briefly: bool = False) -> None:
        """Write down what is about to be, durably unless it passes `briefly`: no machine crashes at that very moment.

        Raises `OSError`; then no mode may be changed.
        """
        todo = list(modes)
        if not todo:
            return
        self._file.append(declared(todo))
        if not briefly and any(each.lasts for each in todo):
            self._file.sync()

    def clear(self, root: ConfinedRoot) -> None:
        """Forget them: everything is made, and filled as far as it will be."""
        if self._file.is_open:
            self._file.close()
            finish_one(self._home, self._path, _putting(root), lambda each: each.lasts)

    def close(self) -> None:
        self._file.close()


def finish(root: ConfinedRoot, home: Home) -> None:
    """Put right the modes that interrupted runs left."""
    finish_all(home, MODES, _putting(root))


def _putting(root: ConfinedRoot) -> Putting[PassingMode]:
    return Putting(declared_in, lambda each: root.open_directory(each.path), _put_right)


def _put_right(fd: int, wanted: PassingMode) -> None:
    mode = righted(os.fstat(fd).st_mode, wanted)
    if mode is not None:
        os.fchmod(fd, mode)


def righted(st_mode: int, wanted: PassingMode) -> int | None:
    """The mode to be set on a directory that has one in passing; `None` where it has another."""
    now = stat.S_IMODE(st_mode)
    mode = wanted.mode | now & ~PERMISSIONS
    return mode if mode != now and now & PERMISSIONS in [each & PERMISSIONS for each in wanted.passing] else None


def declared(modes: Iterable[PassingMode]) -> bytes:
    """How passing modes are written down."""
    return b"".join(
        [words(b" ".join([b"%o" % mode for mode in (each.mode, *each.passing)]), each.path) for each in modes]
    )


def declared_in(data: bytes) -> Iterator[PassingMode]:
    """What was written down, as far as it makes sense (a machine may have lost its power meanwhile)."""
    cut = data.split(b"\0")[:-1]
    for modes, path in zip(cut[0::2], cut[1::2], strict=False):
        if not _WRITTEN.fullmatch(modes):
            return
        mode, *passing = (int(each, 8) for each in modes.split(b" "))
        yield PassingMode(path, mode, tuple(passing))
