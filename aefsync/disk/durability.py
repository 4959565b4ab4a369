"""Durability: what a session writes is forced to the disk, at the level that the user chose.

The order is the same at every level: data durable, then renames, then the directories, then what is recorded of them.
A file system that could not write something has forgotten about it by the time it says so, and would call the next
attempt a success (fsync's page, "fsyncgate"): what a failed call covered is discarded, and never tried again.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterable, Sequence

from aefsync.core.problem import reason_of
from aefsync.core.writing import Durability
from aefsync.disk import syscalls
from aefsync.disk.confined import ConfinedRoot

FEW = 64
"""Up to so many files, or directories, are made durable one by one; more by one call for the whole file system."""
_NOT_FOR_DIRECTORIES = (errno.EINVAL, errno.EBADF, errno.ENOSYS, errno.EOPNOTSUPP)
"""How a file system says that it does not do that for directories (CIFS, FUSE): they are as durable as they get."""


Directory = tuple[ConfinedRoot, bytes]
"""A path below the root of a tree, or below a home."""


class Durable:
    """Makes durable what one session writes to one root."""

    def __init__(self, level: Durability = Durability.BATCH) -> None:
        self._level = level
        self._failed: set[tuple[int, int]] = set()
        """Directories that could not be made durable once, by device and inode: asked again, a disk that has lost what it
        was given would say that all is well."""

    def is_each(self, count: int) -> bool:
        """Whether each of so many files is to be made durable by itself, when it is complete."""
        return self._level is Durability.FULL or (self._level is Durability.BATCH and count <= FEW)

    def file(self, fd: int) -> None:
        """Make one file durable, or an intent; raises `OSError`."""
        if self._level is not Durability.NONE:
            os.fsync(fd)

    def begin(self, fd: int, offset: int, length: int) -> None:
        """Let the disk begin with a part of a file that is large: less is left to wait for when it is complete."""
        if self._level is not Durability.NONE:
            with contextlib.suppress(OSError):
                syscalls.begin_writing(fd, offset, length)

    def files(self, mount: int, count: int) -> None:
        """Make so many files durable that were written since `mount` was opened; raises `OSError`."""
        if self._level is Durability.BATCH and count > FEW:
            syscalls.syncfs(mount)

    def names(self, *directories: int) -> None:
        """Make the names in these directories durable at once; raises `OSError`."""
        if self._level is not Durability.NONE:
            for fd in dict.fromkeys(directories):
                self._sync_directory(fd)

    def everything(self, mount: int) -> None:
        """Make durable all that was written since `mount` was opened; raises `OSError`."""
        if self._level is not Durability.NONE:
            syscalls.syncfs(mount)

    def step(self, *directories: int) -> None:
        """Make a rename between these directories durable as it goes, at the level that asks for it."""
        if self._level is Durability.FULL:
            self.names(*directories)

    def directories(self, directories: Iterable[Directory], mounts: Sequence[int]) -> dict[Directory, str]:
        """Make the renames in directories durable; those that could not be, with the reasons.

        `mounts` are descriptors on all file systems that they are on, opened before anything was written.
        """
        if self._level is not Durability.BATCH:
            return {}
        todo = list(directories)
        if len(todo) <= FEW:
            return {each: reason for each in todo if (reason := self._failure(*each))}
        try:
            for mount in mounts:
                syscalls.syncfs(mount)
        except OSError as error:
            return dict.fromkeys(todo, reason_of(error))
        return {}

    def _failure(self, root: ConfinedRoot, path: bytes) -> str:
        """Why a directory could not be made durable; empty where it is, or is gone."""
        try:
            fd = root.open_directory(path)
        except OSError:
            return ""
        try:
            self._sync_directory(fd)
        except OSError as error:
            return reason_of(error)
        finally:
            os.close(fd)
        return ""

    def _sync_directory(self, fd: int) -> None:
        if self._failed and _identity(fd) in self._failed:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        try:
            os.fsync(fd)
        except OSError as error:
            if error.errno not in _NOT_FOR_DIRECTORIES:
                self._failed.add(_identity(fd))
                raise


def _identity(fd: int) -> tuple[int, int]:
    seen = os.fstat(fd)
    return seen.st_dev, seen.st_ino
