"""Growing: new entries that come by columns (`core.growth`) are made ready in staging, to be put in place together.

For each directory of the tree that gets something new there is a **bed**, a directory in staging where that stands under
its final name: files and links, and new directories with all that is in them (`planting` empties the beds).

Only what is plain is done: wherever anything is in the way, of one entry or of all, it is left to the ordinary way, which
does it again by itself and says what the trouble is.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import stat
from collections.abc import Iterable, Iterator, Sequence

from aefsync.core.entry import UNKNOWN, Entry, Kind
from aefsync.core.growth import Growth, content_at, kinds_of, modes_of
from aefsync.core.metadata import PERMISSIONS, SPECIAL, USABLE, Aspects
from aefsync.core.path import RelPath
from aefsync.core.snapshot import Block
from aefsync.core.view import STAT
from aefsync.disk.building import directory_path
from aefsync.disk.confined import ConfinedRoot
from aefsync.disk.copying import Copying
from aefsync.disk.directories import OpenDirectories
from aefsync.disk.listing import INODE
from aefsync.disk.modes import MADE, PassingMode, of_new
from aefsync.disk.ready import Bed, Job, Ready
from aefsync.disk.setting import finish_link, new_mode
from aefsync.disk.small_files import NO_ROW, Files, Row, Spoiled, Written, discard, small_of, write_files
from aefsync.disk.staging import Staging

_INHERITED_ACL = "system.posix_acl_default"


class Growing:
    """What is growing on one root, and where in staging it stands."""

    def __init__(self, root: ConfinedRoot, staging: Staging, aspects: Aspects, parallel: int = 1) -> None:
        """`parallel` processes may copy at the same time."""
        self._root = root
        self._staging = staging
        self._aspects = aspects
        self._copying = Copying(staging.fd, parallel, times=aspects.times)
        self._modes: dict[int, int] = {}
        """the mode of what is made, for each mode that was wanted"""
        self._begin()

    def _begin(self) -> None:
        self._ready: list[Ready] = []
        self._targets: list[bytes] = []
        self._beds: dict[bytes, Bed | None] = {}
        """by key with a closing NUL; `None` where a directory can have none"""
        self._made: dict[bytes, bytes] = {}
        """where new directories stand, by key with a closing NUL"""
        self._passing: list[PassingMode] = []
        self._is_spoiled = False

    def take(self) -> tuple[list[Ready], tuple[bytes, ...], list[PassingMode]]:
        """All blocks, targets and passing modes since the last time, and begin anew."""
        ready, targets, passing = self._ready, tuple(self._targets), self._passing
        if self._is_spoiled:
            for each in ready:
                each.flags[:] = bytes(len(each.flags))
        self._begin()
        return ready, targets, passing

    def grow(self, growth: Growth, data: bytes | memoryview, origin: ConfinedRoot | None) -> bytes:
        """Have new entries ready, files as in `data` or copied from another root; content digests as the port says."""
        modes = {mode for block in growth.blocks for mode in modes_of(block)} - self._modes.keys()
        self._modes |= {mode: new_mode(mode & (PERMISSIONS | SPECIAL), self._aspects) for mode in modes}
        targets, bounds = iter(growth.targets), itertools.pairwise(itertools.accumulate(growth.sizes_read(), initial=0))
        self._targets += growth.targets
        made: list[Ready] = []
        with OpenDirectories(ConfinedRoot(self._staging.fd)) as places:
            try:
                for block in growth.blocks:
                    made.append(self._prepare(block))
                    with contextlib.suppress(OSError):  # what is flagged is there, and nothing else
                        self._make_others(made[-1], targets, places)
                if origin is not None:
                    self._copy(made, origin)
                for ready in made if origin is None else ():
                    self._write(ready, memoryview(data), list(itertools.islice(bounds, ready.block.length)), places)
            except Spoiled:
                self._is_spoiled = True
        made += [_nothing_ready(block) for block in growth.blocks[len(made) :]]
        self._ready += made
        return b"".join([content for ready in made for content in ready.contents])

    def _copy(self, made: Sequence[Ready], origin: ConfinedRoot) -> None:
        """Copy the small files of some blocks."""
        jobs = [self._job(ready, ready.place, range(ready.block.length)) for ready in made if ready.place is not None]
        for job, written in self._copying.copy(origin, [job for job in jobs if job.positions]):
            self._done(job, written)

    def _prepare(self, block: Block) -> Ready:
        place, bed = self._place(block.prefix)
        return _nothing_ready(block)._replace(place=place, bed=bed)

    def _place(self, prefix: bytes) -> tuple[bytes | None, Bed | None]:
        """Where in staging entries of a directory are made ready; its bed, if it is one of the tree."""
        if prefix in self._made:
            return self._made[prefix], None
        if prefix not in self._beds:
            self._beds[prefix] = None
            with contextlib.suppress(OSError):
                self._beds[prefix] = self._make_bed(prefix)
        bed = self._beds[prefix]
        return (None, None) if bed is None else (bed.name, bed)

    def _make_bed(self, prefix: bytes) -> Bed | None:
        with self._root.directory(directory_path(prefix)) as fd:
            # A rename would not bring along what a directory hands down to what is made in it, nor reach another mount.
            if os.fstat(fd).st_dev != os.fstat(self._staging.fd).st_dev or _hands_down(fd):
                return None
        bed = Bed(prefix, self._staging.new_name())
        os.mkdir(bed.name, 0o700, dir_fd=self._staging.fd)
        return bed

    def _make_others(self, ready: Ready, targets: Iterator[bytes], places: OpenDirectories) -> None:
        """Make the directories and symlinks of a block."""
        modes, kinds = modes_of(ready.block), kinds_of(ready.block)
        others = [index for index, kind in enumerate(kinds) if kind != stat.S_IFREG]
        linked = {index: next(targets) for index in others if kinds[index] == stat.S_IFLNK}
        if ready.place is None:
            return
        for index in others:
            entry, fd = ready.block.entry(index), places.get(ready.place)
            with contextlib.suppress(OSError):
                if index not in linked:
                    self._make_directory(entry.path, modes[index], fd)
                    self._made[entry.path.key + b"\0"] = b"%b/%b" % (ready.place, entry.path.name)
                    ready.put(index, NO_ROW, UNKNOWN)
                elif linked[index]:
                    ready.put(index, self._make_link(entry._replace(target=linked[index]), fd), entry.content)

    def _make_directory(self, path: RelPath, mode: int, fd: int) -> None:
        passing = of_new(path, self._modes[mode])
        os.mkdir(path.name, MADE, dir_fd=fd)
        try:
            os.chmod(path.name, passing.mode | USABLE, dir_fd=fd)
        except OSError as error:
            raise Spoiled from error
        if passing.lasts:
            self._passing.append(passing)

    def _make_link(self, entry: Entry, fd: int) -> Row:
        name = entry.path.name
        os.symlink(entry.target, name, dir_fd=fd)
        try:
            finish_link(name, entry, self._aspects, fd)
            seen = os.stat(name, dir_fd=fd, follow_symlinks=False)
        except OSError:
            discard(fd, name)
            raise
        return Kind.SYMLINK, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_ino & INODE

    def _write(
        self, ready: Ready, data: memoryview, bounds: Sequence[tuple[int, int]], places: OpenDirectories
    ) -> None:
        """Write the small files of a block of which there are bytes."""
        if ready.place is None:
            return
        read = [index for index in range(ready.block.length) if content_at(ready.block, index) != UNKNOWN]
        job = self._job(ready, ready.place, read)
        parts = (data[slice(*bounds[index])] for index in job.positions)
        with contextlib.suppress(OSError):
            self._done(job, write_files(job.files, parts, places.get(ready.place), times=self._aspects.times))

    def _job(self, ready: Ready, place: bytes, positions: Iterable[int]) -> Job[Ready]:
        """The small files among those at these positions."""
        block = ready.block
        rows, names = list(STAT.iter_unpack(block.stats)), block.name_list()
        wanted = small_of(block, rows, positions)
        modes = [self._modes[rows[i][0]] for i in wanted]
        files = Files(
            [names[i] for i in wanted], [rows[i] for i in wanted], [content_at(block, i) for i in wanted], modes
        )
        return Job(ready, directory_path(block.prefix), place, wanted, files)

    def _done(self, job: Job[Ready], written: Sequence[Written]) -> None:
        for index, (row, content) in zip(job.positions, written, strict=True):
            if row != NO_ROW:
                job.of.put(index, row, content)
        self._staging.count(sum(row[1] for row, _ in written))

    def close(self) -> None:
        self._copying.close()


def _nothing_ready(block: Block) -> Ready:
    return Ready(block, None, None, bytearray(block.length), [NO_ROW] * block.length, [UNKNOWN] * block.length)


def _hands_down(directory: int) -> bool:
    """Whether what is made in a directory takes over its group, or an access list."""
    if os.fstat(directory).st_mode & stat.S_ISGID:
        return True
    with contextlib.suppress(OSError, AttributeError):
        return bool(os.getxattr(directory, _INHERITED_ACL))
    return False
