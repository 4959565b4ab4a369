"""Confined file operations: everything that touches a replica goes through a `ConfinedRoot`.

Every path is resolved from the root's descriptor, component by component, and no symlink is ever followed, so that a
link planted in the tree, even while a run is going on, leads nowhere.  `openat2` does the walk in one call; where the
kernel lacks it (or a sandbox forbids it) each component is opened with `O_NOFOLLOW`.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from aefsync.disk import syscalls
from aefsync.disk.hashing import HashFailure, Seen, hash_file

if TYPE_CHECKING:
    from aefsync.disk.readable import Readable

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
_LONGEST = 4000
"""Bytes of path in one call; the kernel takes 4095."""


def split(path: bytes) -> tuple[bytes, bytes]:
    """The directory part (empty for the root) and the name of a relative path."""
    directory, _, name = path.rpartition(b"/")
    return directory, name


def exists(root: Readable, path: bytes) -> bool:
    """Whether anything at all stands at a path."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        root.lstat(path)
        return True
    return False


def is_directory(root: Readable, path: bytes) -> bool:
    """Whether a directory stands at a path."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        return stat.S_ISDIR(root.lstat(path).st_mode)
    return False


def _stat(fd: int, name: bytes) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=fd, follow_symlinks=False)
    except FileNotFoundError:
        return None


class ConfinedRoot:
    """A root directory by descriptor, and the operations below it.  Paths are relative bytes; empty is the root."""

    def __init__(self, fd: int, *, openat2: bool = True) -> None:
        self.fd = fd
        self._openat2 = openat2

    def open(self, path: bytes, flags: int, mode: int = 0) -> int:
        """Open below the root; raises `OSError` (ELOOP or ENOTDIR where a component is a symlink)."""
        if b".." in path and b".." in path.split(b"/"):
            raise OSError(errno.EXDEV, "leads out of the root")
        if not path:
            return os.open(b".", flags | os.O_CLOEXEC, dir_fd=self.fd)
        if len(path) <= _LONGEST:
            return self._open_at(self.fd, path, flags, mode)
        with self._near(path) as (fd, rest):
            return self._open_at(fd, rest, flags, mode)

    def open_directory(self, path: bytes) -> int:
        return self.open(path, _DIRECTORY)

    def open_file(self, path: bytes) -> int:
        """Open a regular file for reading; anything else there raises `OSError`, without blocking on a FIFO."""
        fd = self.open(path, os.O_RDONLY | _FILE)
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise OSError(errno.EINVAL, "no longer a regular file")
        return fd

    @contextlib.contextmanager
    def directory(self, path: bytes) -> Iterator[int]:
        """The descriptor of a directory, for as long as the block lasts."""
        fd = self.open_directory(path)
        try:
            yield fd
        finally:
            os.close(fd)

    def lstat(self, path: bytes) -> os.stat_result:
        directory, name = split(path)
        with self.directory(directory) as fd:
            return os.stat(name, dir_fd=fd, follow_symlinks=False)

    def names(self, path: bytes) -> list[bytes]:
        """What is in a directory."""
        with self.directory(path) as fd:
            return list(map(os.fsencode, os.listdir(fd)))

    def stats(self, path: bytes, names: Sequence[bytes]) -> list[os.stat_result | None]:
        """What stands in a directory under these names (`None`: no longer anything)."""
        with self.directory(path) as fd:
            return [_stat(fd, name) for name in names]

    def readlink(self, path: bytes) -> bytes:
        directory, name = split(path)
        with self.directory(directory) as fd:
            return os.readlink(name, dir_fd=fd)

    def unlink(self, path: bytes) -> None:
        directory, name = split(path)
        with self.directory(directory) as fd:
            os.unlink(name, dir_fd=fd)

    def content(self, path: bytes, seen: Seen) -> bytes | HashFailure:
        """The content digest of a file, while it is what was seen."""
        directory, name = split(path)
        with self.directory(directory) as fd:
            return hash_file(fd, name, seen)

    def make_directories(self, path: bytes, mode: int = 0o700) -> None:
        """Create a directory and those above it; what is there already stays."""
        above, name = split(path)
        missing = [name]
        while (fd := self._directory_or_none(above)) is None:
            above, name = split(above)
            missing.append(name)
        try:
            while True:
                name = missing.pop()
                with contextlib.suppress(FileExistsError):
                    os.mkdir(name, mode, dir_fd=fd)
                if not missing:
                    return
                deeper = self._open_at(fd, name, _DIRECTORY, 0)
                os.close(fd)
                fd = deeper
        finally:
            os.close(fd)

    def _directory_or_none(self, path: bytes) -> int | None:
        """The descriptor of a directory; `None` where it is not there, which the root always is."""
        try:
            return self.open_directory(path)
        except FileNotFoundError:
            if not path:
                raise
            return None

    @contextlib.contextmanager
    def _near(self, path: bytes) -> Iterator[tuple[int, bytes]]:
        """A descriptor above a path that is too long for one call, and the rest of it, which is not."""
        fd, rest = os.dup(self.fd), path
        try:
            while len(rest) > _LONGEST:
                cut = rest.rindex(b"/", 0, _LONGEST)
                deeper = self._open_at(fd, rest[:cut], _DIRECTORY, 0)
                os.close(fd)
                fd, rest = deeper, rest[cut + 1 :]
            yield fd, rest
        finally:
            os.close(fd)

    def _open_at(self, dir_fd: int, path: bytes, flags: int, mode: int) -> int:
        if self._openat2:
            try:
                return syscalls.openat2_beneath(dir_fd, path, flags, mode)
            except OSError as error:
                if error.errno not in (errno.ENOSYS, errno.EPERM):
                    raise
                self._openat2 = False
        return self._walk(dir_fd, path, flags, mode)

    @staticmethod
    def _walk(dir_fd: int, path: bytes, flags: int, mode: int) -> int:
        *above, name = path.split(b"/")
        fd = os.dup(dir_fd)
        try:
            for part in above:
                deeper = os.open(part, _DIRECTORY, dir_fd=fd)
                os.close(fd)
                fd = deeper
            return os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, mode, dir_fd=fd)
        finally:
            os.close(fd)
