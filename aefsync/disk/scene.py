"""The scene: what the steps of a run on one root share, and what they leave behind for the end of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from aefsync.core.action import KeptCopy
from aefsync.core.entry import Entry
from aefsync.core.path import RelPath
from aefsync.disk.confined import ConfinedRoot
from aefsync.disk.directories import OpenDirectories
from aefsync.disk.durability import Durable
from aefsync.disk.staging import Staging
from aefsync.disk.trash import Trash


@dataclass
class Scene:
    """One root while it is changed.

    `is_unmanaged` tells of a path whether filters leave it out.  `parents` are the directories that steps work in,
    open and writable for as long as a batch lasts.  `touched` collects the paths whose directories have to be looked
    at again, `stamps` the ctime_ns and inode of each file and symlink just after it was put in place: with those it is
    still what was put there.  `kept` are the local edits that raced the batch.
    """

    root: ConfinedRoot
    staging: Staging
    trash: Trash
    durable: Durable
    is_unmanaged: Callable[[bytes], bool]
    parents: OpenDirectories
    touched: set[RelPath] = field(default_factory=set)
    stamps: dict[RelPath, tuple[int, int]] = field(default_factory=dict)
    kept: list[KeptCopy] = field(default_factory=list)

    def as_left(self, entry: Entry | None) -> Entry | None:
        """An entry of the snapshot with the ctime that it has since this run moved it or set its metadata."""
        stamp = self.stamps.get(entry.path) if entry is not None else None
        if entry is None or stamp is None or stamp[1] != entry.inode:
            return entry
        return entry._replace(ctime_ns=stamp[0])
