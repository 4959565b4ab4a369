"""Planting: what has grown in staging (`growing`) is put in place: durable first, then one rename for each thing that
stands in a bed, a new directory with all that is in it.  A rename replaces nothing."""

from __future__ import annotations

import contextlib
import itertools
import os
import struct
from collections.abc import Callable, Sequence

from aefsync.core.growth import Growth
from aefsync.core.view import STAT
from aefsync.disk.building import directory_path
from aefsync.disk.confined import ConfinedRoot
from aefsync.disk.directories import OpenDirectories
from aefsync.disk.durability import Durable
from aefsync.disk.journal import Journal
from aefsync.disk.listing import INODE
from aefsync.disk.modes import PassingMode, PassingModes
from aefsync.disk.ready import Bed, Ready
from aefsync.disk.recording import Placed
from aefsync.disk.renaming import rename_new
from aefsync.disk.small_files import NO_ROW, Row

Intend = Callable[[Growth, bytes], None]
"""Hears what is about to be put in place: the entries of a growth with a byte 1."""


def unheard(growth: Growth, flags: bytes) -> None:
    """Where no versions count, nobody has to know."""


class Planting:
    """Puts in place what stands ready in the staging open at `staging_fd`; `touched` as in `Scene`."""

    def __init__(
        self,
        root: ConfinedRoot,
        staging_fd: int,
        durable: Durable,
        journal: Journal,
        modes: PassingModes,
        placed: Placed,
        touched: set[bytes],
        *,
        stable: bool,
    ) -> None:
        self._root = root
        self._staging_fd = staging_fd
        self._durable = durable
        self._journal = journal
        self._modes = modes
        self._placed = placed
        self._touched = touched
        self._stable = stable

    def plant(
        self,
        ready: Sequence[Ready],
        targets: tuple[bytes, ...],
        passing: Sequence[PassingMode] = (),
        intend: Intend = unheard,
    ) -> bytes:
        """A byte for each entry: 1 where it is in place now.  `intend` hears before of what is about to be."""
        if not any(any(each.flags) for each in ready):
            return bytes(sum(each.block.length for each in ready))
        growth = Growth(tuple(each.block._replace(contents=b"".join(each.contents)) for each in ready), targets)
        try:
            # A file system that could not write something has forgotten about it: none of it counts, nor is tried again.
            self._durable.everything(self._staging_fd)
            intend(growth, b"".join([bytes(each.flags) for each in ready]))
            self._modes.declare(passing)
            self._journal.intend_growth(growth)
        except OSError:
            return bytes(growth.length)
        with OpenDirectories(self._root, self._modes) as parents:
            for number, each in enumerate(ready):
                if each.bed is not None and any(each.flags):
                    self._empty(each.bed, ready, number, parents)
        flags = b"".join([bytes(each.flags) for each in ready])
        self._journal.confirm_growth(flags, self._stamps(ready))
        for each in ready:
            if any(each.flags):
                rows, contents = b"".join([STAT.pack(*row) for row in each.rows]), b"".join(each.contents)
                self._placed.add_columns(each.block.prefix, each.block.names, rows, contents)
        return flags

    def _empty(self, bed: Bed, ready: Sequence[Ready], number: int, parents: OpenDirectories) -> None:
        """Put in place what of one block stands in a bed; what cannot be is no longer flagged, nor what is in it."""
        each = ready[number]
        self._touched.add(bed.prefix)
        with ConfinedRoot(self._staging_fd).directory(bed.name) as fd:
            for index, name in enumerate(each.block.name_list()):
                if not each.flags[index]:
                    continue
                try:
                    parent = parents.get(directory_path(bed.prefix))
                    rename_new(fd, name, parent, name)
                except OSError:
                    each.flags[index] = 0
                    if each.rows[index] is NO_ROW:  # a directory
                        _wither(ready[number + 1 :], bed.prefix + name + b"\0")
                else:
                    each.rows[index] = _row_after(parent, name, each.rows[index])

    def _stamps(self, ready: Sequence[Ready]) -> bytes:
        """The ctime_ns and inode of each entry, as the journal keeps them."""
        rows = [row[3:] if self._stable else NO_ROW[3:] for each in ready for row in each.rows]
        return struct.pack(f"<{2 * len(rows)}q", *itertools.chain.from_iterable(rows))


def _wither(ready: Sequence[Ready], prefix: bytes) -> None:
    """What is in a directory that could not be put in place is not in place either."""
    for each in ready:
        if each.block.prefix.startswith(prefix):
            each.flags[:] = bytes(len(each.flags))


def _row_after(parent: int, name: bytes, row: Row) -> Row:
    """The stat of something as it is after its rename, which moves the ctime."""
    with contextlib.suppress(OSError):
        seen = os.stat(name, dir_fd=parent, follow_symlinks=False)
        if row is not NO_ROW and seen.st_ino & INODE == row[4]:
            return (*row[:3], seen.st_ctime_ns, row[4])
    return row
