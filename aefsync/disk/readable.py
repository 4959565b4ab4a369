"""What can be looked at below a root, wherever it is: for whoever is in no hurry, one look at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from aefsync.disk.hashing import HashFailure, Seen


class Looked(Protocol):
    """What a look shows: of `os.stat_result` what counts here."""

    @property
    def st_mode(self) -> int: ...

    @property
    def st_size(self) -> int: ...

    @property
    def st_mtime_ns(self) -> int: ...

    @property
    def st_ctime_ns(self) -> int: ...

    @property
    def st_ino(self) -> int: ...


class Readable(Protocol):
    """Paths are relative bytes, and no link is followed.  Every method may raise `OSError`."""

    def lstat(self, path: bytes) -> Looked: ...

    def names(self, path: bytes) -> list[bytes]:
        """What is in a directory."""

    def stats(self, path: bytes, names: Sequence[bytes]) -> Sequence[Looked | None]:
        """What stands in a directory under these names (`None`: no longer anything)."""

    def readlink(self, path: bytes) -> bytes: ...

    def open_file(self, path: bytes) -> int:
        """A descriptor for reading a regular file."""

    def content(self, path: bytes, seen: Seen) -> bytes | HashFailure:
        """The content digest of a file, while it is what was seen."""


class Shelf(Readable, Protocol):
    """A home, for whoever keeps it in order: what is there may also be removed.  Every method may raise `OSError`.

    `annexes` are the homes on mounts below the root, by the path of the mount.
    """

    @property
    def annexes(self) -> Mapping[bytes, Shelf]: ...

    @property
    def volume_bytes(self) -> int:
        """The size of the file system; 0 where it is not told."""

    def unlink(self, path: bytes) -> None: ...

    def remove_tree(self, path: bytes, *, alone: bool = False) -> None:
        """Remove whatever is at a path and all below it; `alone`: without the annexes."""

    def put(self, path: bytes, data: bytes) -> None:
        """Have a file of ours hold these bytes."""

    def measure(self, path: bytes) -> int:
        """The bytes that all that is below a path takes, the annexes left out."""
