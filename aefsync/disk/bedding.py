"""Beds: directories in staging that may become directories of the tree, with the files in them (`planting`)."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from aefsync.core.action import StageFile
from aefsync.core.path import RelPath
from aefsync.disk.confined import ConfinedRoot
from aefsync.disk.directories import OpenDirectories

_FROM = 4
"""Files of one directory that come together before it pays to give them a bed."""


class Bed(NamedTuple):
    """A directory in staging, and the paths that the files in it are meant for."""

    name: bytes
    paths: set[RelPath]


class Beds:
    """The beds of one staging, by the path of the directory that each may become."""

    def __init__(self, staging: ConfinedRoot, new_name: Callable[[], bytes]) -> None:
        self.root = staging
        self._new_name = new_name
        self._beds: dict[bytes, Bed] = {}
        self._open = OpenDirectories(staging, writable=False)
        self._seen: dict[RelPath, os.stat_result] = {}
        self._planted: dict[RelPath, os.stat_result] = {}

    def get(self, directory: RelPath) -> Bed | None:
        """The bed of a directory, if it has one."""
        return self._beds.get(directory)

    def assign(self, files: Sequence[StageFile]) -> Iterator[tuple[StageFile, Bed | None]]:
        """Files with the beds that they are to be put in."""
        for directory, group in itertools.groupby(files, key=lambda file: file.path.parent):
            members = list(group)
            if directory and len(members) >= _FROM and directory not in self._beds:
                with contextlib.suppress(OSError):
                    name = self._new_name()
                    os.mkdir(name, 0o700, dir_fd=self.root.fd)
                    self._beds[directory] = Bed(name, set())
            bed = self._beds.get(directory)
            for member in members:
                yield member, bed

    def fd(self, name: bytes) -> int:
        """A bed's descriptor, valid until the next call."""
        return self._open.get(name)

    def put(self, path: RelPath, bed: Bed, seen: os.stat_result) -> None:
        """Note that a file is complete in its bed, with the stat that it has now."""
        bed.paths.add(path)
        self._seen[path] = seen

    def drop(self, path: RelPath) -> None:
        """Forget a file that is no longer in its bed."""
        self._seen.pop(path, None)
        bed = self._beds.get(path.parent)
        if bed is not None:
            bed.paths.discard(path)

    def leave(self, directory: RelPath) -> None:
        """Forget a bed: it is in place, and what it holds with it."""
        for path in self._beds.pop(directory).paths:
            self._planted[path] = self._seen.pop(path)
        self._open.close()

    def planted(self, path: RelPath) -> os.stat_result | None:
        """The stat of what came into place with its bed, as it was when it was complete; told once."""
        return self._planted.pop(path, None)

    def close(self) -> None:
        self._open.close()
