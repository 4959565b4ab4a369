"""Sites: where a replica under the contract lives, edited behind its back and looked at from outside."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Protocol, TypeVar

from aefsync.core.entry import Kind, kind_of
from aefsync.core.files import Abilities, Files, Task
from aefsync.core.path import RelPath
from aefsync.core.stores import SECOND_NS
from aefsync.disk.far.replica import FarReplica
from aefsync.disk.replica import LocalReplica
from aefsync.wire.serve import Served
from tests.support.memory import MemoryReplica, MemoryTree

T = TypeVar("T")
Seen = tuple[Kind, int, int, bytes]
"""Kind, permission bits (0 for symlinks), mtime_ns (0 for directories), bytes or target."""


class Site(Protocol):
    """One root, as its owner sees it."""

    root: bytes
    cache: bytes
    """where the index is kept that is not in the root; empty: nowhere"""

    def write_file(self, path: bytes, data: bytes, mode: int = 0o644, mtime_ns: int = 1) -> None: ...

    def make_directory(self, path: bytes, mode: int = 0o755) -> None: ...

    def make_link(self, path: bytes, target: bytes, mtime_ns: int = 1) -> None: ...

    def remove(self, path: bytes) -> None: ...

    def give(self, path: bytes, uid: int, gid: int) -> None:
        """Give something to another owner."""

    def owner(self, path: bytes) -> tuple[int, int]: ...

    def join(self, path: bytes, other: bytes) -> None:
        """Give a file another name."""

    def names(self, path: bytes) -> set[bytes]:
        """All names of a file, this one among them."""

    def attribute(self, path: bytes, **xattrs: bytes) -> None:
        """Give something these extended attributes of the user's, and no others."""

    def attributes(self, path: bytes) -> dict[str, bytes]: ...

    def kept(self, mtime_ns: int) -> int:
        """What can be known of an mtime."""

    def vanish(self) -> None:
        """Take the (empty) root away."""

    def exists(self) -> bool: ...

    def listing(self) -> dict[bytes, Seen]:
        """What stands below the root, by path."""

    def replica(self, peers: Mapping[int, Site] | None = None) -> Served:
        """A new replica of this root, which can copy directly from the sites `peers` of the same kind."""


class MemorySite:
    cache = b""

    def __init__(self, root: Path) -> None:
        self.root = os.fsencode(root)
        self.tree = MemoryTree()
        self.write_file = self.tree.write_file
        self.make_directory = self.tree.make_directory
        self.make_link = self.tree.make_link
        self.remove = self.tree.remove
        self.give = self.tree.give
        self.join = self.tree.join
        self.attribute = self.tree.attribute

    def names(self, path: bytes) -> set[bytes]:
        inode = self.tree.nodes[RelPath(path)].inode
        return {bytes(each) for each, node in self.tree.nodes.items() if node.inode == inode}

    def attributes(self, path: bytes) -> dict[str, bytes]:
        return {name.decode().removeprefix("user."): value for name, value in self.tree.nodes[RelPath(path)].xattrs}

    def owner(self, path: bytes) -> tuple[int, int]:
        return self.tree.nodes[RelPath(path)].uid, self.tree.nodes[RelPath(path)].gid

    def kept(self, mtime_ns: int) -> int:
        return mtime_ns

    def vanish(self) -> None:
        self.tree.exists = False

    def exists(self) -> bool:
        return self.tree.exists

    def listing(self) -> dict[bytes, Seen]:
        return {bytes(path): (n.kind, n.mode, n.mtime_ns, n.data) for path, n in self.tree.nodes.items()}

    def replica(self, peers: Mapping[int, Site] | None = None) -> Served:
        trees = {number: site.tree for number, site in (peers or {}).items() if isinstance(site, MemorySite)}
        return MemoryReplica(self.tree, trees)


class DiskSite:
    cache = b""

    def __init__(self, root: Path) -> None:
        root.mkdir()
        self.root = os.fsencode(root)

    def _place(self, path: bytes) -> bytes:
        return self.root + b"/" + RelPath(path)

    def write_file(self, path: bytes, data: bytes, mode: int = 0o644, mtime_ns: int = 1) -> None:
        place = self._place(path)
        with open(place, "wb") as file:
            file.write(data)
        os.chmod(place, mode)
        os.utime(place, ns=(mtime_ns, mtime_ns))

    def make_directory(self, path: bytes, mode: int = 0o755) -> None:
        os.mkdir(self._place(path))
        os.chmod(self._place(path), mode)

    def make_link(self, path: bytes, target: bytes, mtime_ns: int = 1) -> None:
        os.symlink(target, self._place(path))
        os.utime(self._place(path), ns=(mtime_ns, mtime_ns), follow_symlinks=False)

    def remove(self, path: bytes) -> None:
        place = self._place(path)
        (os.rmdir if stat.S_ISDIR(os.lstat(place).st_mode) else os.unlink)(place)

    def give(self, path: bytes, uid: int, gid: int) -> None:
        os.chown(self._place(path), uid, gid, follow_symlinks=False)

    def owner(self, path: bytes) -> tuple[int, int]:
        seen = os.lstat(self._place(path))
        return seen.st_uid, seen.st_gid

    def join(self, path: bytes, other: bytes) -> None:
        os.link(self._place(path), self._place(other))

    def names(self, path: bytes) -> set[bytes]:
        one = os.lstat(self._place(path))
        return {each for each in self.listing() if os.path.samestat(os.lstat(self._place(each)), one)}

    def attribute(self, path: bytes, **xattrs: bytes) -> None:
        place = self._place(path)
        for name in os.listxattr(place):
            os.removexattr(place, name)
        for name, value in xattrs.items():
            os.setxattr(place, f"user.{name}", value)

    def attributes(self, path: bytes) -> dict[str, bytes]:
        place = self._place(path)
        return {name.removeprefix("user."): os.getxattr(place, name) for name in os.listxattr(place)}

    def kept(self, mtime_ns: int) -> int:
        return mtime_ns

    def vanish(self) -> None:
        os.rmdir(self.root)

    def exists(self) -> bool:
        return os.path.exists(self.root)

    def listing(self) -> dict[bytes, Seen]:
        found = {}
        for directory, directories, files in os.walk(self.root):
            directories[:] = [name for name in directories if name != b".aefsync"]
            for place in (os.path.join(directory, name) for name in directories + files):
                found[os.path.relpath(place, self.root)] = _look(place)
        return found

    def replica(self, peers: Mapping[int, Site] | None = None) -> Served:
        sites = peers or {}
        return LocalReplica(peer_root=lambda number: os.open(sites[number].root, os.O_RDONLY | os.O_DIRECTORY))


class SftpSite(DiskSite):
    """A directory that its replica reaches by SFTP only, over `files`."""

    files: Files

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.cache = self.root + b".cache"

    def kept(self, mtime_ns: int) -> int:
        """Whole seconds since 1970."""
        return max(0, mtime_ns - mtime_ns % SECOND_NS)

    def write_file(self, path: bytes, data: bytes, mode: int = 0o644, mtime_ns: int = 1) -> None:
        super().write_file(path, data, mode, self.kept(mtime_ns))

    def make_link(self, path: bytes, target: bytes, mtime_ns: int = 1) -> None:
        super().make_link(path, target, self.kept(mtime_ns))

    def replica(self, peers: Mapping[int, Site] | None = None) -> Served:
        return FarReplica(lambda: Lent(self.files), b"box")


class Lent(Files):
    """Files that others go on using."""

    def __init__(self, files: Files) -> None:
        self._files = files

    @property
    def abilities(self) -> Abilities:
        return self._files.abilities

    def carry_out(self, tasks: Iterable[Task[T]]) -> Iterator[T]:
        return self._files.carry_out(tasks)

    def close(self) -> None:
        return None


def _look(place: bytes) -> Seen:
    seen = os.lstat(place)
    kind = kind_of(seen.st_mode)
    if kind is Kind.DIRECTORY:
        return kind, stat.S_IMODE(seen.st_mode), 0, b""
    if kind is Kind.SYMLINK:
        return kind, 0, seen.st_mtime_ns, os.readlink(place)
    assert kind is Kind.FILE
    return kind, stat.S_IMODE(seen.st_mode), seen.st_mtime_ns, Path(os.fsdecode(place)).read_bytes()


SITES: dict[str, Callable[[Path], Site]] = {"memory": MemorySite, "disk": DiskSite, "sftp": SftpSite}
