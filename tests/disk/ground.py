"""A root on disk, edited directly, with the parts of the disk floor put together over it one by one."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from aefsync.core.action import StageFile
from aefsync.core.digest import content_digest
from aefsync.core.entry import UNKNOWN, Entry, Kind, kind_of
from aefsync.core.metadata import PLAIN, Aspects
from aefsync.core.path import RESERVED, RelPath
from aefsync.core.ports import Piece
from aefsync.core.snapshot import Snapshot
from aefsync.core.writing import Durability
from aefsync.disk.annexes import Annexes
from aefsync.disk.apply import Applier
from aefsync.disk.blocks import assemble
from aefsync.disk.building import Limits
from aefsync.disk.confined import ConfinedRoot
from aefsync.disk.durability import Durable
from aefsync.disk.filesystem import LOCAL, FileSystem
from aefsync.disk.filter import Filter
from aefsync.disk.home import Home, furnish, open_home
from aefsync.disk.index import Index
from aefsync.disk.intents import Intents
from aefsync.disk.reading import read_pages, unread
from aefsync.disk.scan import Scanner
from aefsync.disk.scene import Scene
from aefsync.disk.sight import LocalSight
from aefsync.disk.staging import Staging
from aefsync.disk.trash import Trash

ALL = Limits(Filter(()))
NOBODY = 65534


def later() -> int:
    """A clock by which whatever was written until now is old."""
    return time.time_ns() + 10**10


def pass_the_step() -> None:
    """Until nothing that was written before counts as racy, nor as written within a step of what is written next: files
    are dated by a clock that is up to a tick behind this one."""
    until = time.time_ns() + 2 * LOCAL.step_ns
    while time.time_ns() <= until:
        pass


class Ground:
    """A root."""

    def __init__(self, path: Path) -> None:
        path.mkdir()
        self.path = path
        self.root = ConfinedRoot(os.open(path, os.O_RDONLY | os.O_DIRECTORY))

    def close(self) -> None:
        os.close(self.root.fd)

    def place(self, path: bytes) -> bytes:
        return os.fsencode(self.path) + b"/" + path

    def write(self, path: bytes, data: bytes = b"", *, mtime_ns: int | None = None, mode: int = 0o644) -> None:
        place = self.place(path)
        os.makedirs(os.path.dirname(place), exist_ok=True)
        with open(place, "wb") as file:
            file.write(data)
        os.chmod(place, mode)
        if mtime_ns is not None:
            os.utime(place, ns=(mtime_ns, mtime_ns))

    def read(self, path: bytes) -> bytes:
        with open(self.place(path), "rb") as file:
            return file.read()

    def exists(self, path: bytes) -> bool:
        return os.path.lexists(self.place(path))

    def mode(self, path: bytes) -> int:
        return os.lstat(self.place(path)).st_mode & 0o7777

    def contents(self, below: bytes = b"") -> dict[bytes, bytes]:
        """The bytes of every file, `.aefsync` included, by path."""
        found = {}
        for directory, _, files in os.walk(self.place(below)):
            for place in (os.path.join(directory, name) for name in files):
                if os.path.isfile(place) and not os.path.islink(place):
                    with open(place, "rb") as file:
                        found[os.path.relpath(place, os.fsencode(self.path))] = file.read()
        return found

    def names(self) -> set[bytes]:
        """The paths below the root, `.aefsync` left out."""
        found = set()
        for directory, directories, files in os.walk(os.fsencode(self.path)):
            if b".aefsync" in directories:
                directories.remove(b".aefsync")
            found |= {
                os.path.relpath(os.path.join(directory, name), os.fsencode(self.path)) for name in directories + files
            }
        return found

    def entry(self, path: bytes, *, read: bool = True) -> Entry:
        """The entry of a path as a scan would give it."""
        seen = os.lstat(self.place(path))
        kind = kind_of(seen.st_mode)
        assert kind is not None
        target = os.readlink(self.place(path)) if kind is Kind.SYMLINK else b""
        content = content_digest(target) if kind is Kind.SYMLINK else bytes(32)
        if kind is Kind.FILE:
            content = content_digest(self.read(path)) if read else UNKNOWN
        mode = 0 if kind is Kind.SYMLINK else seen.st_mode & 0o777
        size = 0 if kind is Kind.DIRECTORY else seen.st_size
        return Entry(RelPath(path), kind, mode, size, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_ino, content, target)

    def scanner(
        self,
        index: Index | None = None,
        limits: Limits = ALL,
        *,
        file_system: FileSystem = LOCAL,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> Scanner:
        """A scanner that has scanned."""
        scanner = Scanner(LocalSight(self.root, file_system, limits, clock_ns=clock_ns), index or Index(None), limits)
        scanner.scan()
        return scanner

    def look(
        self,
        index: Index | None = None,
        limits: Limits = ALL,
        *,
        file_system: FileSystem = LOCAL,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> dict[bytes, Entry]:
        """Scan, read everything, and give the entries by path."""
        return finish(self.scanner(index, limits, file_system=file_system, clock_ns=clock_ns))


def finish(scanner: Scanner) -> dict[bytes, Entry]:
    """Read what a scanner has not; the entries by path."""
    scanner.materialise()
    read_pages(scanner, unread(scanner.pages), lambda done: None)
    scanner.seal()
    scanner.index.flush()
    return {bytes(entry.path): entry for entry in Snapshot(assemble(scanner.pages)).entries()}


def home_of(root: ConfinedRoot) -> Home:
    """The home of a root, which need not have one yet."""
    with contextlib.suppress(FileExistsError):
        os.mkdir(RESERVED, dir_fd=root.fd)
    home = open_home(root)
    assert home is not None
    furnish(home)
    return home


class Site(Ground):
    """A root with a home, staging and trash, as a run that writes has them."""

    def __init__(
        self, path: Path, run: str = "run", durability: Durability = Durability.BATCH, aspects: Aspects = PLAIN
    ) -> None:
        super().__init__(path)
        home = self.home = home_of(self.root)
        self.durable = Durable(durability)
        self.staging = Staging(home, run, self.durable, aspects=aspects)
        self.trash = Trash(home, run)
        self.unmanaged: set[bytes] = set()
        self.intents = Intents(home, run, self.durable)
        self.annexes = Annexes(self.root, home, run, lambda annex: Staging(annex, run, self.durable))
        parts = (self.root, self.staging, self.trash, self.durable, aspects, self.annexes, self.intents)
        self.applier = Applier(Scene(*parts, lambda path: path in self.unmanaged))

    def close(self) -> None:
        self.annexes.close()
        self.intents.close()
        self.trash.close()
        self.staging.close()
        self.home.close()
        super().close()

    def staged(self, path: bytes, data: bytes, *, mtime_ns: int = 10**18, mode: int = 0o640) -> Entry:
        """Stage a file for `path`, as a peer would send it; the entry that is wanted there."""
        entry = wanted(path, data, mtime_ns=mtime_ns, mode=mode)
        if data:
            self.staging.write([Piece(entry.path, 0, len(data), data)])
        assert self.staging.stage([StageFile(entry, entry.path)], None).contents == (entry.content,)
        return entry


def wanted(path: bytes, data: bytes, *, mtime_ns: int = 10**18, mode: int = 0o640) -> Entry:
    """The entry of a file on another replica."""
    return Entry(RelPath(path), Kind.FILE, mode, len(data), mtime_ns, 1, 1, content_digest(data))


def wanted_link(path: bytes, target: bytes, mtime_ns: int = 10**18) -> Entry:
    return Entry(RelPath(path), Kind.SYMLINK, 0, len(target), mtime_ns, 1, 1, content_digest(target), target)


def wanted_directory(path: bytes, mode: int = 0o750) -> Entry:
    return Entry(RelPath(path), Kind.DIRECTORY, mode, 0, 0, 1, 1, bytes(32))


class Opens:
    """Counts the files that are opened, by name: directories do not count."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.names: list[bytes] = []
        self._open = os.open
        monkeypatch.setattr(os, "open", self)

    def __call__(self, path: bytes | str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if not flags & os.O_DIRECTORY and dir_fd is not None:
            self.names.append(os.fsencode(path))
        return self._open(path, flags, mode, dir_fd=dir_fd)


def give_away(*grounds: Ground) -> None:
    """Make nobody the owner, if that can be done: with that every ctime moves."""
    for ground in grounds if os.geteuid() == 0 else ():
        os.chown(ground.path, NOBODY, NOBODY)
        for directory, directories, files in os.walk(ground.path):
            for name in directories + files:
                os.chown(os.path.join(directory, name), NOBODY, NOBODY, follow_symlinks=False)


@contextlib.contextmanager
def unprivileged(*grounds: Ground) -> Iterator[None]:
    """As somebody whom permissions bind: root becomes nobody, who owns these grounds."""
    give_away(*grounds)
    if os.geteuid() != 0:
        yield
        return
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
