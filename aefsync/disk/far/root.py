"""`FarRoot`: a directory elsewhere and what is below it, as `Readable`, and as places for tasks.

No link is followed below it: before anything is done, each directory on the way is looked at.  That keeps accidents
away; against somebody who changes directories at that very moment there is no help over SFTP.
"""

from __future__ import annotations

import errno
import os
import stat
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any

from aefsync.core.digest import content_hasher
from aefsync.core.files import FarStat, Files, List, Lstat, Read, Readlink, Task, ask, raised, told
from aefsync.core.problem import reason_of
from aefsync.disk.hashing import CHANGED, HashFailure, Seen

BLOCK = 256 << 10
"""Bytes of content that one operation brings."""
_RUN = 16 * BLOCK


class FarRoot:
    """Paths are relative bytes; empty is the directory itself.  Every method may raise `OSError`."""

    def __init__(self, files: Files, path: bytes) -> None:
        self.files = files
        self.path = path

    def at(self, path: bytes) -> bytes:
        """Where something is, for operations."""
        return b"/".join([self.path.rstrip(b"/"), path]) if path else self.path

    def look(self, path: bytes) -> Task[FarStat | None]:
        """What stands at a path, if anything does; raises `OSError` where what is above it is no directory."""
        *above, seen = yield [Lstat(self.at(each)) for each in (*_above(path), path)]
        for each in above:
            if not stat.S_ISDIR(raised(each).st_mode):
                raise NotADirectoryError(errno.ENOTDIR, "what it is in is no directory, or no longer")
        return None if isinstance(seen, FileNotFoundError) else raised(seen)

    def lstat(self, path: bytes) -> FarStat:
        (seen,) = self.files.carry_out([self.look(path)])
        if seen is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT).lower())
        return seen

    def names(self, path: bytes) -> list[bytes]:
        return [name for name, _ in told(self.files, List(self.at(path)))]

    def stats(self, path: bytes, names: Sequence[bytes]) -> list[FarStat | None]:
        """What stands in a directory under these names (`None`: no longer anything)."""
        found = ask(self.files, *[Lstat(self.at(path + b"/" + name if path else name)) for name in names])
        return [None if isinstance(seen, FileNotFoundError) else raised(seen) for seen in found]

    def readlink(self, path: bytes) -> bytes:
        target: bytes = told(self.files, Readlink(self.at(path)))
        return target

    def open_file(self, path: bytes) -> int:
        """A descriptor of a copy of a file that is gone with it."""
        size = self.lstat(path).st_size
        with tempfile.TemporaryFile() as copy:
            for data in self._blocks(path, size):
                copy.write(data)
            copy.flush()
            copy.seek(0)
            return os.dup(copy.fileno())

    def _blocks(self, path: bytes, size: int) -> Iterator[bytes]:
        for got in self.files.carry_out(block(self.at(path), offset) for offset in range(0, max(size, 1), BLOCK)):
            yield raised(got).data

    def content(self, path: bytes, seen: Seen) -> bytes | HashFailure:
        """The content digest of a file, while it is what was seen."""
        (content,) = self.files.carry_out([self.hashing(path, seen)])
        return content

    def hashing(self, path: bytes, seen: Seen) -> Task[bytes | HashFailure]:
        """The same as a task."""
        hasher, place = content_hasher(), self.at(path)
        for start in range(0, max(seen.size, 1), _RUN):
            offsets = range(start, min(start + _RUN, max(seen.size, 1)), BLOCK)
            blocks = yield [Read(place, offset, BLOCK) for offset in offsets]
            for offset, got in zip(offsets, blocks, strict=True):
                failure = failure_of(got, seen, offset)
                if failure is not None:
                    return failure
                hasher.update(got.data)
        return hasher.digest()


def block(place: bytes, offset: int) -> Task[Any]:
    """One block of a file's content: a `Got`, or the `OSError` in its way."""
    return (yield [Read(place, offset, BLOCK)])[0]


def failure_of(got: Any, seen: Seen, offset: int) -> HashFailure | None:
    """Why a block is not that of the file that was seen."""
    if isinstance(got, FileNotFoundError):
        return HashFailure("vanished", vanished=True)
    if isinstance(got, OSError):
        return HashFailure(reason_of(got))
    same = (got.seen.st_size, got.seen.st_mtime_ns) == (seen.size, seen.mtime_ns)
    return None if same and len(got.data) == min(BLOCK, seen.size - offset) else CHANGED


def _above(path: bytes) -> Iterator[bytes]:
    """The directories above a path, outermost first, the root left out."""
    for end, byte in enumerate(path):
        if byte == ord("/"):
            yield path[:end]
