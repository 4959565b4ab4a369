"""Sight: how a scan sees a root.  `Sight` is the port, `LocalSight` fills it in for a directory of this machine.

A scan decides what to look at, and what that means; this looks, and knows how (`spreading` is its way of doing it with
several processes).  The other one is that of a root behind SFTP (`far/sight`).
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import time
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from aefsync.core.digest import content_digest, content_digester
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.problem import reason_of
from aefsync.core.view import STAT
from aefsync.disk.building import Limits, directory_path
from aefsync.disk.confined import ConfinedRoot, split
from aefsync.disk.crew import NOBODY, Crew
from aefsync.disk.filesystem import FileSystem, file_system_of
from aefsync.disk.hashing import HashFailure, Passed, Seen, hash_file, nobody
from aefsync.disk.large_directory import LARGE, list_large_directory
from aefsync.disk.listing import Listing, list_directory, list_names, read_directory
from aefsync.disk.mount_changes import LocalMounts, MountPoints
from aefsync.disk.packed_stats import born_ns
from aefsync.disk.page import Page, PageKey
from aefsync.disk.spill import Spill
from aefsync.disk.spreading import Look, Spread, looks, spread, used_up

Wanted = dict[PageKey, "array[int]"]
"""Positions within pages."""
Results = Mapping[int, bytes | HashFailure]
"""Content digests of files of one page, by position."""
_PART_BYTES = 1 << 28
"""So much content is worth keeping by itself: reading it again may take a second."""


class Read(NamedTuple):
    """What was read of the file at a position: its size, and content digest."""

    position: int
    size: int
    result: bytes | HashFailure


def in_parts(files: Iterable[Read]) -> Iterator[Results]:
    """The results of one page in parts, each of which can be kept by itself.

    Of what has vanished the last part tells: what is known of a page then leaves it out, and positions change.
    """
    part: dict[int, bytes | HashFailure] = {}
    gone: dict[int, bytes | HashFailure] = {}
    size = 0
    for index, length, result in files:
        (gone if isinstance(result, HashFailure) and result.vanished else part)[index] = result
        size += length
        if size >= _PART_BYTES:
            yield part
            part, size = {}, 0
    if part or gone:
        yield {**part, **gone}


class Sight(Protocol):
    """What a scan needs of a root.

    `mounts` are the mount points below it, `unexamined` the directories that were left alone because they are on other
    file systems.
    """

    mounts: MountPoints
    unexamined: set[bytes]

    def ahead(self, pending: list[bytes], entries: int, *, eager: bool) -> Iterator[tuple[bytes, Look | None]]:
        """Some directories of `pending` (at least one), by their keys with a closing NUL, taken out of it; the caller may
        add to it as they come.

        With what was seen of each, or `None`: that is to be looked at by itself.  `entries` were seen so far.  `eager`:
        small files may be read on the way.
        """

    def look(self, prefix: bytes, *, eager: bool) -> Look | None:
        """See one directory; `None` where nothing is to be known of it; raises `OSError`."""

    def link_contents(self, prefix: bytes, names: Mapping[int, bytes]) -> Results:
        """The digests of the targets of symlinks in a directory, as far as they are there, by whatever numbers they have."""

    def read(
        self, pages: Mapping[PageKey, Page], wanted: Wanted, passed: Passed = nobody
    ) -> Iterator[tuple[PageKey, Results]]:
        """Hash files, page by page, in any order; a page of much content comes in several parts, that of what has vanished
        last.  `passed` hears of the bytes of large files as they are read."""

    def born_ns(self, path: bytes) -> int | None:
        """When the file at a path came to be, in ns since 1970; `None` where nobody knows."""


class LocalSight(Sight):
    """A directory of this machine; `file_system` is that of the root, and what would fill memory is put away in
    `directory`."""

    def __init__(
        self,
        root: ConfinedRoot,
        file_system: FileSystem,
        limits: Limits,
        *,
        crew: Crew = NOBODY,
        clock_ns: Callable[[], int] = time.time_ns,
        directory: str | None = None,
    ) -> None:
        self.mounts: MountPoints = LocalMounts(root, limits.mounts, limits.compares)
        self.unexamined: set[bytes] = set()
        self._root = root
        self._limits = limits
        self._narrowing = limits.narrowing
        self._crew = crew
        self._clock_ns = clock_ns
        self._directory = directory
        self._device = os.fstat(root.fd).st_dev
        self._file_systems = {self._device: file_system}

    def ahead(self, pending: list[bytes], entries: int, *, eager: bool) -> Iterator[tuple[bytes, Look | None]]:
        if not (self._crew.pays(entries) and self._file_systems[self._device].stable):
            yield pending.pop(), None
            return
        for prefix, look in looks(self._crew, pending, self._device, self._clock_ns, eager=eager):
            yield prefix, look if self._narrowing.names(prefix) is None else None

    def look(self, prefix: bytes, *, eager: bool) -> Look | None:
        path = directory_path(prefix)
        with self._root.directory(path) as fd:
            seen = os.fstat(fd)
            device = seen.st_dev
            if device != self._device:
                if self._limits.one_file_system:
                    self.unexamined.add(path)
                    return None
                self._file_systems[device] = file_system_of(fd)
                self.mounts.cross(path)
            if path in self.mounts.changed:
                return None
            seen_at, file_system = self._clock_ns(), self._file_systems[device]
            if seen.st_size >= LARGE and self._narrowing.names(prefix) is None:
                listings = list_large_directory(fd, Spill(self._directory), stable=file_system.stable)
                return Look(seen_at, listings, {}, file_system)
            listed, contents = self._list(fd, prefix, file_system.stable, eager)
            return Look(seen_at, used_up(listed), contents, file_system)

    def _list(self, fd: int, prefix: bytes, stable: bool, eager: bool) -> tuple[list[Listing], dict[bytes, bytes]]:  # noqa: FBT001
        """List a directory; with it read its files, if that is wanted and ctimes can be trusted."""
        names = self._narrowing.names(prefix)
        if names is not None:
            return list_names(fd, list(names), stable=stable), {}
        if eager and stable:
            with contextlib.suppress(OSError):
                return read_directory(fd, stable=True)
        return list_directory(fd, stable=stable), {}

    def link_contents(self, prefix: bytes, names: Mapping[int, bytes]) -> Results:
        try:
            with self._root.directory(directory_path(prefix)) as fd:
                return {number: _link_content(fd, name) for number, name in names.items()}
        except OSError as error:
            return dict.fromkeys(names, _failure(error))

    def read(
        self, pages: Mapping[PageKey, Page], wanted: Wanted, passed: Passed = nobody
    ) -> Iterator[tuple[PageKey, Results]]:
        pays = self._crew.pays(sum(map(len, wanted.values())))
        alone: Iterator[Spread] = ((key, {}) for key in sorted(wanted))
        for key, known in spread(self._crew, pages, wanted) if pays else alone:
            if len(known) == len(wanted[key]):
                yield key, known
                continue
            ready = (Read(index, 0, content) for index, content in known.items())
            left = [index for index in wanted[key] if index not in known]
            for part in in_parts(itertools.chain(ready, self._hashed(key, pages[key], left, passed))):
                yield key, part

    def _hashed(self, key: PageKey, page: Page, positions: Sequence[int], passed: Passed) -> Iterator[Read]:
        names, stats = page.name_list(), list(STAT.iter_unpack(page.stats))
        done, digest = 0, content_digester()
        try:
            with self._root.directory(directory_path(key[0])) as fd:
                for index in positions:
                    seen = Seen._make(stats[index][1:])
                    read = Read(index, seen.size, hash_file(fd, names[index], seen, digest, passed))
                    done += 1
                    yield read
        except OSError as error:
            failure = HashFailure(reason_of(error), vanished=isinstance(error, FileNotFoundError))
            yield from (Read(index, 0, failure) for index in positions[done:])

    def born_ns(self, path: bytes) -> int | None:
        above, name = split(path)
        with contextlib.suppress(OSError), self._root.directory(above) as fd:
            return born_ns(fd, name)
        return None


def _link_content(fd: int, name: bytes) -> bytes | HashFailure:
    try:
        return content_digest(os.readlink(name, dir_fd=fd))
    except OSError as error:
        return _failure(error)


def _failure(error: OSError) -> HashFailure:
    """Why a link could not be read; what is none any more, or is below one, has vanished as a link."""
    return HashFailure(
        reason_of(error), vanished=error.errno in (errno.ENOENT, errno.EINVAL, errno.ENOTDIR, errno.ELOOP)
    )
