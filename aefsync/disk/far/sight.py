"""`FarSight`: how a scan sees a root elsewhere: many directories listed at a time, many files read at a time."""

from __future__ import annotations

import errno
import stat
from array import array
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from aefsync.core.digest import content_digest, content_hasher
from aefsync.core.files import FarStat, List, Lstat, Op, Readlink, Statfs, Task, Volume, ask, raised
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.path import RESERVED
from aefsync.core.problem import reason_of
from aefsync.core.view import STAT
from aefsync.disk.building import Limits, directory_path
from aefsync.disk.far.root import BLOCK, FarRoot, block, failure_of
from aefsync.disk.filesystem import REMOTE
from aefsync.disk.hashing import HashFailure, Passed, Seen, nobody
from aefsync.disk.listing import EMPTY, Listing, pack
from aefsync.disk.mount_changes import MountPoints
from aefsync.disk.page import ROWS, Page, PageKey
from aefsync.disk.sight import Read, Results, Sight, Wanted, in_parts
from aefsync.disk.spreading import Look, used_up

_Seen = tuple[Look, int]
"""What was seen of a directory, and the number of its file system."""


class FarMounts(MountPoints):
    """Where another file system begins, as far as the far side tells them apart."""

    def __init__(self, root: FarRoot, remembered: Sequence[bytes] | None, judged: Callable[[bytes], bool]) -> None:
        self._root = root
        super().__init__(remembered, judged)

    def _table(self) -> None:
        return None

    def _device(self, path: bytes) -> int:
        if not self._root.files.abilities.volumes:
            return 0
        (volume,) = ask(self._root.files, Statfs(self._root.at(path)))
        return volume.number if isinstance(volume, Volume) else 0


class FarSight(Sight):
    """A root elsewhere; `clock_ns` is the far side's clock."""

    def __init__(self, root: FarRoot, limits: Limits, clock_ns: Callable[[], int]) -> None:
        self.mounts: MountPoints = FarMounts(root, limits.mounts, limits.compares)
        self.unexamined: set[bytes] = set()
        self._root = root
        self._limits = limits
        self._clock_ns = clock_ns
        self._tells_volumes = root.files.abilities.volumes
        self._volume = self._number_of(b"")
        self._fetched: dict[bytes, _Seen] = {}

    def _number_of(self, path: bytes) -> int:
        return raised(ask(self._root.files, Statfs(self._root.at(path)))[0]).number if self._tells_volumes else 0

    def ahead(self, pending: list[bytes], entries: int, *, eager: bool) -> Iterator[tuple[bytes, Look | None]]:
        taken: deque[bytes] = deque()
        for seen in self._root.files.carry_out(_Following(lambda: self._follow(pending, taken))):
            prefix = taken.popleft()
            is_plain = isinstance(seen, tuple) and seen[1] == self._volume
            yield prefix, seen[0] if is_plain else None

    def _follow(self, pending: list[bytes], taken: deque[bytes]) -> Task[_Seen | OSError] | None:
        if not pending:
            return None
        taken.append(pending.pop())
        return self._attempt(taken[-1])

    def fetch(self, prefixes: Iterable[bytes]) -> None:
        """See directories that will be looked at next, many at a time."""
        wanted = list(prefixes)
        for prefix, seen in zip(wanted, self._root.files.carry_out(map(self._attempt, wanted)), strict=True):
            if isinstance(seen, tuple):
                self._fetched[prefix] = seen

    def look(self, prefix: bytes, *, eager: bool) -> Look | None:
        path = directory_path(prefix)
        fetched = self._fetched.pop(prefix, None)
        if fetched is None:
            (fetched,) = self._root.files.carry_out([self._see(prefix)])
        look, volume = fetched
        if volume != self._volume:
            if self._limits.one_file_system:
                self.unexamined.add(path)
                return None
            self.mounts.cross(path)
        return None if path in self.mounts.changed else look

    def _attempt(self, prefix: bytes) -> Task[_Seen | OSError]:
        try:
            return (yield from self._see(prefix))
        except OSError as error:
            return error

    def _see(self, prefix: bytes) -> Task[_Seen]:
        place, seen_at = self._root.at(directory_path(prefix)), self._clock_ns()
        names = self._limits.narrowing.names(prefix)
        which: list[Op] = [Statfs(place)] if self._tells_volumes else []
        if names is None:
            listed, *volumes = yield [List(place), *which]
            rows = [row for row in raised(listed) if row[0] != RESERVED]
        else:
            above, *found = yield [Lstat(place), *(Lstat(place + b"/" + name) for name in names), *which]
            if not stat.S_ISDIR(raised(above).st_mode):
                raise NotADirectoryError(errno.ENOTDIR, "not a directory")
            rows = [(name, raised(seen)) for name, seen in zip(names, found, strict=False) if not _is_gone(seen)]
            volumes = found[len(names) :]
        links = [name for name, seen in rows if stat.S_ISLNK(seen.st_mode)]
        targets = (yield [Readlink(place + b"/" + name) for name in links]) if links else []
        contents = {
            name: content_digest(target)
            for name, target in zip(links, targets, strict=True)
            if isinstance(target, bytes)
        }
        look = Look(seen_at, used_up(_listings(rows)), contents, REMOTE)
        return look, raised(volumes[0]).number if volumes else self._volume

    def link_contents(self, prefix: bytes, names: Mapping[int, bytes]) -> Results:
        path = directory_path(prefix)
        places = [self._root.at(path + b"/" + name if path else name) for name in names.values()]
        targets = zip(names, ask(self._root.files, *map(Readlink, places)), strict=True)
        return {
            number: content_digest(target)
            if isinstance(target, bytes)
            else HashFailure(reason_of(target), vanished=_is_gone(target))
            for number, target in targets
        }

    def read(
        self, pages: Mapping[PageKey, Page], wanted: Wanted, passed: Passed = nobody
    ) -> Iterator[tuple[PageKey, Results]]:
        keys = sorted(wanted)
        files = (file for key in keys for file in self._files(key, pages[key], wanted[key]))
        asked: deque[tuple[_File, int]] = deque()
        blocks = self._root.files.carry_out(_blocks(files, asked))
        for key in keys:
            for part in in_parts(_hash(asked, blocks, index, passed) for index in wanted[key]):
                yield key, part

    def born_ns(self, path: bytes) -> int | None:
        """Nobody asks who knows no inodes."""
        return None

    def _files(self, key: PageKey, page: Page, positions: array[int]) -> Iterator[_File]:
        path, names = directory_path(key[0]), page.name_list()
        for index in positions:
            name = names[index]
            seen = Seen._make(STAT.unpack_from(page.stats, index * STAT.size)[1:])
            yield _File(self._root.at(path + b"/" + name if path else name), seen)


class _Following(Iterator[Any]):
    """What is given as long as there is any; that may be again after there was none."""

    def __init__(self, following: Callable[[], Any]) -> None:
        self._following = following

    def __next__(self) -> Any:
        following = self._following()
        if following is None:
            raise StopIteration
        return following


class _File(NamedTuple):
    place: bytes
    seen: Seen


def _blocks(files: Iterable[_File], asked: deque[tuple[_File, int]]) -> Iterator[Task[Any]]:
    """The blocks of files one after the other; `asked` tells whose they are, and where."""
    for file in files:
        for offset in range(0, max(file.seen.size, 1), BLOCK):
            asked.append((file, offset))
            yield block(file.place, offset)


def _hash(asked: deque[tuple[_File, int]], blocks: Iterator[Any], position: int, passed: Passed) -> Read:
    """The content of the file whose blocks come next."""
    hasher, failure, is_last = content_hasher(), None, False
    while not is_last:
        got = next(blocks)
        file, offset = asked.popleft()
        failure = failure or failure_of(got, file.seen, offset)
        if failure is None:
            hasher.update(got.data)
            passed(len(got.data))
        is_last = offset + BLOCK >= file.seen.size
    return Read(position, file.seen.size, failure or hasher.digest())


def _is_gone(seen: Any) -> bool:
    return isinstance(seen, FileNotFoundError)


def _listings(rows: list[tuple[bytes, FarStat]]) -> list[Listing]:
    # A name that is told twice is one.
    rows = sorted(dict(rows).items())
    parts = (rows[low : low + ROWS] for low in range(0, len(rows), ROWS))
    return [
        Listing(b"\0".join([name for name, _ in part]), pack([seen for _, seen in part], stable=False), ())
        for part in parts
    ] or [EMPTY]
