"""Putting back: what is in the trash takes its place again, by a rename, with a look before and after."""

from __future__ import annotations

import os

from aefsync.core.action import KeptCopy
from aefsync.core.change import Change
from aefsync.core.conflict_name import conflict_name
from aefsync.core.entry import Entry
from aefsync.core.path import RelPath
from aefsync.disk import syscalls
from aefsync.disk.apply import Applier
from aefsync.disk.confined import ConfinedRoot, split
from aefsync.disk.directories import OpenDirectories
from aefsync.disk.durability import Durable
from aefsync.disk.home import Home
from aefsync.disk.intents import Intent, Intents
from aefsync.disk.listing import INODE
from aefsync.disk.looking import look, shows
from aefsync.disk.placing import replace_in_two
from aefsync.disk.present import entry_of
from aefsync.disk.renaming import NO_FLAGS, rename_new, rename_out
from aefsync.disk.restoring import Made
from aefsync.disk.trash import REPLACED, Trash


class Putting:
    """Puts things of one home back."""

    def __init__(
        self,
        root: ConfinedRoot,
        home: Home,
        trash: Trash,
        durable: Durable,
        applier: Applier,
        intents: Intents,
    ) -> None:
        self._root = root
        self._home = home
        self._trash = trash
        self._durable = durable
        self._applier = applier
        self._intents = intents

    def put_back(self, change: Change, slot: bytes) -> Made:
        """Put what is in a slot in place, or in the place of `change.before`."""
        directory, name = split(change.path)
        slot_directory, slot_name = split(slot)
        self._touch(change.path)
        with (
            self._home.directory(slot_directory) as slot_fd,
            OpenDirectories(self._root, self._intents.modes) as parents,
        ):
            parent = parents.get(directory)
            kept, before = None, self._applier.as_left(change.before)
            kept_in_slot = entry_of(change.path, os.stat(slot_name, dir_fd=slot_fd, follow_symlinks=False))
            if before is None:
                rename_new(slot_fd, slot_name, parent, name)
            else:
                kept = self._swap((slot_fd, slot_name), (parent, name), before)
            seen = os.stat(name, dir_fd=parent, follow_symlinks=False)
            self._applier.renew(kept_in_slot, seen)
            self._durable.step(parent, slot_fd)
        return Made(stamp=(seen.st_ctime_ns, seen.st_ino & INODE), kept=kept)

    def _touch(self, path: RelPath) -> None:
        self._applier.touched.add(path.prefix)

    def _swap(self, slot: tuple[int, bytes], target: tuple[int, bytes], found: Entry) -> KeptCopy | None:
        """Exchange what is in the trash for what is there, which goes to a slot of its own; look before and after."""
        look(*target, found)
        fresh = self._trash.slot(REPLACED, found.path)
        try:
            syscalls.renameat2(*slot, *target, syscalls.RENAME_EXCHANGE)
        except OSError as error:
            if error.errno not in NO_FLAGS:
                raise
            replace_in_two(self._intents, Intent(REPLACED, found.path, found.path), slot, fresh, target)
        else:
            rename_out(*slot, *fresh)
        self._durable.step(target[0], fresh[0])
        return self._keep_edit(target[0], *fresh, found)

    def _keep_edit(self, parent: int, slot_fd: int, slot: bytes, found: Entry) -> KeptCopy | None:
        """What came out must be what was looked at; an edit that raced us stays beside what was restored."""
        seen = os.stat(slot, dir_fd=slot_fd, follow_symlinks=False)
        if shows(seen, found, after_rename=True):
            self._applier.renew(found, seen)
            return None
        kept_as = found.path.sibling(conflict_name(found.path.name, b"", seen.st_mtime_ns, os.urandom(32)))
        rename_new(slot_fd, slot, parent, kept_as.name)
        self._touch(kept_as)
        return KeptCopy(found.path, kept_as)
