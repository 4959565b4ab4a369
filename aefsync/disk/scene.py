"""The scene: what the steps of a run on one root share, and what they leave behind for the end of it."""

from __future__ import annotations

import os
from collections.abc import Callable

from aefsync.core.action import KeptCopy
from aefsync.core.entry import Entry, Kind
from aefsync.core.metadata import Aspects
from aefsync.core.path import RelPath
from aefsync.disk.annexes import Annexes
from aefsync.disk.confined import ConfinedRoot
from aefsync.disk.directories import OpenDirectories
from aefsync.disk.durability import Durable
from aefsync.disk.intents import Intents
from aefsync.disk.listing import INODE
from aefsync.disk.staging import Staging
from aefsync.disk.trash import Trash

Times = tuple[int, int]
"""mtime_ns and ctime_ns."""


class Scene:
    """One root while it is changed.

    `aspects` is the metadata that counts.  `is_unmanaged` tells of a path whether filters leave it out.  `parents` are
    the directories that steps work in, open and writable for as long as a batch lasts, `olds` those that things are
    moved out of.  `touched` collects the
    directories that have to be looked at again, by key with a closing NUL (the root's is empty).  `placed` are the
    files and symlinks that the batch put in place, with the mtime_ns (perhaps not the one that was wanted), ctime_ns
    and inode they had right afterwards: with those they are still what was put there.  `moved` gives the last two of all
    that the run moved within the root.  `kept` are the local edits that raced the batch, `there` the paths where it had
    nothing to put, because what was wanted stood there already.  `spared` are the paths that stay as they are for the sake
    of what filters leave out: of directories that are not empty without it, and where it is in the way.  `renewed` gives,
    for a file with several names, by its inode, the times that it had, as often as this run moved or changed it under one
    of them, and last those that it has since.  `anchors` are files of which other paths may become further names, as they
    were put in place, or found there and read.
    """

    def __init__(
        self,
        root: ConfinedRoot,
        staging: Staging,
        trash: Trash,
        durable: Durable,
        aspects: Aspects,
        annexes: Annexes,
        intents: Intents,
        is_unmanaged: Callable[[bytes], bool],
    ) -> None:
        self.root = root
        self.staging = staging
        self.trash = trash
        self.durable = durable
        self.aspects = aspects
        self.annexes = annexes
        self.intents = intents
        self.is_unmanaged = is_unmanaged
        self.parents = OpenDirectories(root, intents.modes)
        self.olds = OpenDirectories(root, intents.modes)
        self.touched: set[bytes] = set()
        self.placed: list[Entry] = []
        self.moved: dict[RelPath, tuple[int, int]] = {}
        self.kept: list[KeptCopy] = []
        self.there: set[RelPath] = set()
        self.spared: set[bytes] = set()
        self.renewed: dict[int, tuple[Times, ...]] = {}
        self.anchors: dict[RelPath, Entry] = {}

    def as_left(self, entry: Entry | None) -> Entry | None:
        """An entry of the snapshot with the times that it has since this run moved it, or changed it under another name."""
        if entry is None:
            return None
        times = self.renewed.get(entry.inode, ())
        if (entry.mtime_ns, entry.ctime_ns) in times:
            return entry._replace(mtime_ns=times[-1][0], ctime_ns=times[-1][1])
        stamp = self.moved.get(entry.path)
        return entry._replace(ctime_ns=stamp[0]) if stamp is not None and stamp[1] == entry.inode else entry

    def renew(self, found: Entry | None, seen: os.stat_result) -> None:
        """Note what this run made of the times of something that may have other names."""
        if found is not None and found.kind is not Kind.DIRECTORY and found.inode and seen.st_nlink > 1:
            before = found.mtime_ns, found.ctime_ns
            known = self.renewed.get(found.inode, ())
            earlier = known if before in known else (before,)
            # A plan names the first of them, whoever looks in between one of the last.
            self.renewed[found.inode] = (*earlier[:1], *earlier[1:][-2:], (seen.st_mtime_ns, seen.st_ctime_ns))

    def touch(self, path: RelPath) -> None:
        """Have the directory that holds `path` looked at again."""
        above = path.rpartition(b"/")[0]
        self.touched.add(above.replace(b"/", b"\0") + b"\0" if above else b"")

    def stamp(self, wanted: Entry, seen: os.stat_result, content: bytes = b"", *, moved: bool = False) -> None:
        """Note that an entry is in place, with the stat it has now, and with a content that was found only here."""
        stamp = seen.st_ctime_ns, seen.st_ino & INODE
        path, kind, mode, size, _, _, _, known, target, extra, version = wanted
        # Not `_replace`, which costs three times as much: every file that is placed comes by here.
        fresh = Entry(path, kind, mode, size, seen.st_mtime_ns, *stamp, content or known, target, extra, version)
        self.placed.append(fresh)
        if wanted.leader:
            self.anchors[wanted.path] = fresh
        if moved:
            self.moved[wanted.path] = stamp
