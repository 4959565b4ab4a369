"""Annexes: an `.aefsync/` at the top of a mount below the root, for what is meant for that mount or comes from it.

A rename between the root's own home and another mount ends with EXDEV, also where both are the same file system (bind
mounts).  So a file for it is copied from staging to the annex's, verified like all that is staged, and what it replaces
goes to the annex's trash, which shows below the mount's path in the root's own (`Home.annexes`).  `.aefsync/annexes`
in the root's home lists the mounts that have one: paths, each with a NUL at its end.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable

from aefsync.core.action import StageFile
from aefsync.core.entry import Entry
from aefsync.core.path import RESERVED, PathError, RelPath
from aefsync.disk.confined import ConfinedRoot
from aefsync.disk.durability import Durable
from aefsync.disk.home import Home, keep_from_git, open_home
from aefsync.disk.lasting import LastingFile, words
from aefsync.disk.listing import INODE
from aefsync.disk.looking import Refused
from aefsync.disk.mounts import covering, top_of
from aefsync.disk.staging import Staging
from aefsync.errors import AefsyncError

_LIST = b"annexes"


class Annexes:
    """The staging of one run in the annexes of a root; `new_staging` opens it in a home."""

    def __init__(self, root: ConfinedRoot, home: Home, run: str, new_staging: Callable[[Home], Staging]) -> None:
        self._root = root
        self._home = home
        self._run = run
        self._new_staging = new_staging
        self._stagings: dict[bytes, Staging] = {}

    def at(self, directory: bytes) -> Staging | None:
        """The staging for a directory that is known to be on another mount."""
        top = covering(sorted(self._home.annexes), directory)
        return self._staging(top) if top else None

    def make(self, directory: bytes) -> Staging:
        """The staging for a directory that turned out to be on another mount; raises `Refused`, or `OSError`."""
        top = top_of(self._root, directory)
        if not top:
            raise Refused("its directory is on another file system, whose top cannot be told")
        if top not in self._home.annexes:
            try:
                self._home.annexes[top] = _make(self._root, top)
            except AefsyncError as error:
                raise Refused(error.message) from None
            _enlist(self._home, top)
        return self._staging(top)

    def _staging(self, top: bytes) -> Staging:
        """Opened with the lock of the annex, so that no run at work on that mount alone clears it away."""
        if top not in self._stagings:
            annex = self._home.annexes[top]
            try:
                if not annex.lock.is_held:
                    annex.lock.take(self._run)
            except AefsyncError as error:
                raise Refused(error.message) from None
            self._stagings[top] = self._new_staging(annex)
        return self._stagings[top]

    def close(self) -> None:
        for staging in self._stagings.values():
            staging.close()
        self._stagings.clear()


def bring(staging: Staging, staged: bytes, annex: Staging, wanted: Entry) -> bytes:
    """Copy a complete file from the root's staging to an annex's, verified; its name there."""
    seen = os.stat(staged, dir_fd=staging.fd, follow_symlinks=False)
    source = wanted._replace(
        path=RelPath(staged), mtime_ns=seen.st_mtime_ns, ctime_ns=seen.st_ctime_ns, inode=seen.st_ino & INODE
    )
    copied = annex.stage([StageFile(source, wanted.path)], ConfinedRoot(staging.fd))
    name = annex.name(wanted.path)
    if name is None or not all(copied.contents):
        raise Refused(copied.reason)
    annex.take(wanted.path)
    return name


def _make(root: ConfinedRoot, top: bytes) -> Home:
    """The home at the top of a mount; no root of its own, so it gets no id."""
    with root.directory(top) as fd:
        with contextlib.suppress(FileExistsError):
            os.mkdir(RESERVED, 0o700, dir_fd=fd)
        home = open_home(ConfinedRoot(fd))
    assert home is not None
    keep_from_git(home)
    return home


def _enlist(home: Home, top: bytes) -> None:
    if top in _listed(home):
        return
    with contextlib.closing(LastingFile(home, _LIST, Durable())) as listed:
        listed.append(words(top))
        listed.sync()


def _listed(home: Home) -> list[bytes]:
    """The mounts that have an annex, or had one."""
    try:
        fd = home.open_file(_LIST)
    except OSError:
        return []
    with os.fdopen(fd, "rb") as file:
        words = file.read().split(b"\0")[:-1]
    found = []
    for word in dict.fromkeys(words):
        with contextlib.suppress(PathError):
            found.append(bytes(RelPath(word)))
    return found


def attach(root: ConfinedRoot, home: Home) -> None:
    """Have a home show what its annexes hold: those that are there, mounted now."""
    for top in _listed(home):
        with contextlib.suppress(OSError, AefsyncError), root.directory(top) as fd:
            annex = open_home(ConfinedRoot(fd))
            if annex is not None:
                home.annexes[top] = annex
