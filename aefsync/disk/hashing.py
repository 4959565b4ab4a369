"""Content digests of files on disk: packed work for small files, blocks and threads for large ones.

Large files are read in blocks rather than mapped: a mapped file that somebody truncates kills the process.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from operator import attrgetter

from aefsync.core.digest import content_digest, content_digester, content_hasher
from aefsync.core.entry import Entry
from aefsync.core.growth import SMALL
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.problem import reason_of
from aefsync.disk.sparse import read_runs

Passed = Callable[[int], None]
"""Hears of so many bytes as they come."""


def nobody(_size: int) -> None:
    """A `Passed` that does not listen."""


class Towards:
    """A `Passed` that tells how far it is on the way to `total`."""

    def __init__(self, tell: Callable[[int, int], None], total: int) -> None:
        self._tell = tell
        self._total = total
        self._done = 0

    def __call__(self, size: int) -> None:
        self._done += size
        self._tell(self._done, self._total)


READ_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


class Seen(NamedTuple):
    """The stat that a file must still have once it was read: size, mtime_ns, and ctime_ns and inode where stable."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int


class HashFailure(NamedTuple):
    """Why a file could not be read; `vanished` where it is simply no longer there."""

    reason: str
    vanished: bool = False


def seen_as(entry: Entry) -> Seen:
    """The stat that a file must still have for an entry to be true of it."""
    return Seen(entry.size, entry.mtime_ns, entry.ctime_ns, entry.inode)


CHANGED = HashFailure("changed while it was read")


_LOOK = attrgetter("st_size", "st_mtime_ns", "st_ctime_ns", "st_ino")
_LOOK_UNSTABLE = attrgetter("st_size", "st_mtime_ns")


def unchanged(fd: int, seen: Seen) -> bool:
    """Whether an open file still shows the stat that the scan saw."""
    now = os.fstat(fd)
    return bool(_LOOK(now) == seen if seen.inode else _LOOK_UNSTABLE(now) == seen[:2])


def hash_file(
    dir_fd: int, name: bytes, seen: Seen, digest: Callable[[bytes], bytes] = content_digest, passed: Passed = nobody
) -> bytes | HashFailure:
    """The content digest of a file of the directory `dir_fd`; `digest` takes that of a small one's bytes, and `passed` hears
    of a large one's as they come."""
    try:
        fd = os.open(name, READ_FLAGS, dir_fd=dir_fd)
    except FileNotFoundError:
        return HashFailure("vanished", vanished=True)
    except OSError as error:
        return HashFailure(reason_of(error))
    try:
        if seen.size <= SMALL:
            data = os.read(fd, seen.size + 1)
            if len(data) == seen.size and unchanged(fd, seen):
                return digest(data)
            return CHANGED
        found = hash_blocks(fd, passed)
        return found if unchanged(fd, seen) else CHANGED
    except OSError as error:
        return HashFailure(reason_of(error))
    finally:
        os.close(fd)


def hash_blocks(fd: int, passed: Passed = nobody) -> bytes:
    """The content digest of a large file, read from its beginning."""
    hasher = content_hasher(threads=True)
    with suppress(AttributeError, OSError):
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_SEQUENTIAL)
    for run in read_runs(fd):
        hasher.update(run.data)
        passed(len(run.data))
    return hasher.digest()


def hash_files(dir_fd: int, names: Sequence[bytes], seen: Sequence[Seen]) -> list[bytes | HashFailure]:
    """Content digests of some files of one directory, in order."""
    digest = content_digester()
    return [hash_file(dir_fd, name, stat, digest) for name, stat in zip(names, seen, strict=True)]
