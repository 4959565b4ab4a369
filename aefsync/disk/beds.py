"""Beds: where small files that replace others are made ready, a directory in staging for those of one directory.

Each file stands in its bed under the name that it has in the root it comes from, so that no path is walked for a single
one, and several processes may copy at a time (`copying`).  Only what is plain is done: a file with which anything is
the matter is left to `staging`, which does it again by itself and says what the trouble is.
"""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Callable, Iterator, Sequence

from aefsync.core.action import StageFile
from aefsync.core.entry import Kind
from aefsync.core.growth import SMALL
from aefsync.core.metadata import Aspects
from aefsync.core.named_tuple import NamedTuple
from aefsync.disk.confined import ConfinedRoot, split
from aefsync.disk.copying import Copying
from aefsync.disk.ready import Job
from aefsync.disk.setting import new_mode
from aefsync.disk.small_files import NO_ROW, Files, Spoiled

_PATIENCE = 4
"""Few runs replace so many files, as most first copies bring, that starting workers for the rest of them pays."""
_FILE = Kind.FILE


class Laid(NamedTuple):
    """A file that is complete: its name in staging, and its content digest."""

    name: bytes
    content: bytes


class Beds:
    """Makes files ready in the staging open at `staging_fd`; `new_name` gives names that nothing has there."""

    def __init__(self, staging_fd: int, new_name: Callable[[], bytes], aspects: Aspects, parallel: int) -> None:
        """`parallel` processes may copy at the same time."""
        self._staging_fd = staging_fd
        self._new_name = new_name
        self._aspects = aspects
        self._copying = Copying(staging_fd, parallel, times=aspects.times, patience=_PATIENCE)

    def copy(self, files: Sequence[StageFile], origin: ConfinedRoot) -> dict[int, Laid]:
        """Copy what is small from another root, verified; what is complete now, by position among the files."""
        laid: dict[int, Laid] = {}
        if self._aspects.has_extras:
            return laid
        with contextlib.suppress(Spoiled, OSError):
            for job, written in self._copying.copy(origin, list(self._jobs(files))):
                for position, name, (row, content) in zip(job.positions, job.files.names, written, strict=True):
                    if row != NO_ROW:
                        laid[position] = Laid(job.place + b"/" + name, content)
        return laid

    def _jobs(self, files: Sequence[StageFile]) -> Iterator[Job[None]]:
        """What there is to copy out of each directory."""
        modes: dict[int, int] = {}
        small = (number for number, file in enumerate(files) if _is_small(file))
        for directory, group in itertools.groupby(small, key=lambda number: split(files[number].source.path)[0]):
            positions = list(group)
            entries = [files[number].source for number in positions]
            modes |= {each.mode: new_mode(each.mode, self._aspects) for each in entries if each.mode not in modes}
            place = self._new_name()
            os.mkdir(place, 0o700, dir_fd=self._staging_fd)
            columns = ([each.path.name for each in entries], [each[2:7] for each in entries])
            wanted = Files(*columns, [each.content for each in entries], [modes[each.mode] for each in entries])
            yield Job(None, directory, place, positions, wanted)

    def close(self) -> None:
        self._copying.close()


def _is_small(file: StageFile) -> bool:
    """Whether a file is copied so; one that the receiver holds itself is in another root than the others."""
    return file.held is None and file.source.kind is _FILE and file.source.size <= SMALL
