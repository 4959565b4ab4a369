"""The port to a file system elsewhere that only knows single operations on files: `Files`, filled in by `wire/sftp`.

Nothing on it takes a round trip of its own.  What is to be done is a **task**: a generator that yields operations, several
at once where they do not depend on each other, and is sent their outcomes, each a value or an `OSError`; what it
returns is its result.  `Files` has many tasks under way at the same time, so the time that a thousand files take is
that of the bytes, and not of a thousand round trips.  Operations that a task yields together are begun in order, and
those that only name paths, or tell of them, are carried out in that order.

    def stage(path: bytes, data: bytes) -> Task[int]:
        written, = yield [Write(path, 0, data)]
        raised(written)                                # an OSError of the far side is raised here
        seen, = yield [Lstat(path)]
        return raised(seen).st_size

    sizes = list(files.carry_out(stage(path, data) for path, data in wanted))

Paths are bytes, from the far side's own root.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

from aefsync.core.named_tuple import NamedTuple

T = TypeVar("T")


class FarStat(NamedTuple):
    """What is told of a file, under the names of `os.stat_result`; no link is followed.

    Times are whole seconds.  There is neither inode nor ctime, so they are 0, as everywhere that they prove nothing.
    """

    st_mode: int
    st_size: int
    st_mtime_ns: int
    st_ctime_ns: int = 0
    st_ino: int = 0


class Volume(NamedTuple):
    """The file system that something is on; `number` tells it from others."""

    number: int
    free_bytes: int
    total_bytes: int
    read_only: bool
    free_inodes: int | None = None


class Got(NamedTuple):
    """Bytes of a file (fewer than asked where it ends), and what it was like right after they were read."""

    data: bytes
    seen: FarStat


class Lstat(NamedTuple):
    """-> `FarStat`"""

    path: bytes


class Readlink(NamedTuple):
    """-> bytes"""

    path: bytes


class Resolve(NamedTuple):
    """-> bytes: the absolute path, links followed."""

    path: bytes


class List(NamedTuple):
    """-> tuple of (name, `FarStat`): what is in a directory (`ENOTDIR` where a link leads to one)."""

    path: bytes


class Statfs(NamedTuple):
    """-> `Volume`"""

    path: bytes


class Read(NamedTuple):
    """-> `Got`; anything but a regular file is refused, and never opened."""

    path: bytes
    offset: int
    length: int


class Create(NamedTuple):
    """A new file (mode 0600) with these bytes; fails where anything is."""

    path: bytes
    data: bytes


class Write(NamedTuple):
    """Bytes at a place of a file, which is made (mode 0600) where there is none."""

    path: bytes
    offset: int
    data: bytes


class Truncate(NamedTuple):
    """Cut a file."""

    path: bytes
    size: int


class Mkdir(NamedTuple):
    path: bytes
    mode: int


class Rmdir(NamedTuple):
    path: bytes


class Remove(NamedTuple):
    path: bytes


class Rename(NamedTuple):
    """Fails where `new` is there already."""

    old: bytes
    new: bytes


class Replace(NamedTuple):
    """What is at `new` gives way; for files of our own only."""

    old: bytes
    new: bytes


class Symlink(NamedTuple):
    target: bytes
    path: bytes


class SetStat(NamedTuple):
    """Permission bits and mtime, as far as given.  A link is followed, but for its time (`SetLinkTime`)."""

    path: bytes
    mode: int | None = None
    mtime_s: int | None = None


class SetLinkTime(NamedTuple):
    path: bytes
    mtime_s: int


class Sync(NamedTuple):
    """Make a file, or a directory, durable."""

    path: bytes


Op = (
    Lstat
    | Readlink
    | Resolve
    | List
    | Statfs
    | Read
    | Create
    | Write
    | Truncate
    | Mkdir
    | Rmdir
    | Remove
    | Rename
    | Replace
    | Symlink
    | SetStat
    | SetLinkTime
    | Sync
)
Task = Generator[Sequence[Op], Sequence[Any], T]


class Abilities(NamedTuple):
    """What the far side offers beyond the least: `Sync`, `SetLinkTime`, `Statfs`, `Replace`."""

    sync: bool = True
    link_times: bool = True
    volumes: bool = True
    replace: bool = True


class Files(Protocol):
    """A file system elsewhere.  Every method may raise `AefsyncError` where it is lost."""

    @property
    def abilities(self) -> Abilities: ...

    def carry_out(self, tasks: Iterable[Task[T]]) -> Iterator[T]:
        """The results of tasks, in their order; later ones are begun before earlier ones have ended.

        What a task raises is raised here.  Other tasks may be carried out while results are still to come.
        """

    def close(self) -> None: ...


def raised(outcome: Any) -> Any:
    """The outcome of an operation, which is raised where it is an error."""
    if isinstance(outcome, OSError):
        raise outcome
    return outcome


def together(ops: Sequence[Op]) -> Task[Sequence[Any]]:
    """The task that only does these."""
    return (yield ops)


def ask(files: Files, *ops: Op) -> Sequence[Any]:
    """The outcomes of a few operations, waited for."""
    (outcomes,) = files.carry_out([together(ops)])
    return outcomes


def told(files: Files, op: Op) -> Any:
    """The value of one operation, waited for; raises `OSError`."""
    return raised(ask(files, op)[0])
