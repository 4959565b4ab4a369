"""Put things from the trash back; what is there now takes their place in the trash."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from typing import NamedTuple

from aefsync.core.action import Act, Action, Applied, KeptCopy
from aefsync.core.change import Change, Did
from aefsync.core.conflict import conflict_name
from aefsync.core.entry import Entry, Kind
from aefsync.core.past import TrashItem
from aefsync.core.path import RelPath
from aefsync.core.plan import USABLE
from aefsync.core.problem import Problem, reason_of
from aefsync.disk import syscalls
from aefsync.disk.apply import Applier
from aefsync.disk.confined import ConfinedRoot, split
from aefsync.disk.directories import OpenDirectories
from aefsync.disk.durability import Durable
from aefsync.disk.home import TRASH, Home
from aefsync.disk.intents import Intents
from aefsync.disk.journal import Journal
from aefsync.disk.journal_batch import NO_STAMP, Fate, Outcome, Stamp
from aefsync.disk.journaling import stamps_of
from aefsync.disk.listing import INODE
from aefsync.disk.looking import Refused, look, shows
from aefsync.disk.placing import replace_in_two
from aefsync.disk.present import entry_at, present
from aefsync.disk.renaming import NO_FLAGS, rename_new, rename_out
from aefsync.disk.trash import REPLACED, Trash

_MADE_MODE = 0o755
_ACTS = {Did.CREATED: Act.MKDIR, Did.DELETED: Act.DELETE, Did.MOVED: Act.MOVE, Did.METADATA: Act.METADATA}


class Step(NamedTuple):
    """A change to make: with what is in the trash at `slot` (a path below the home), or by an action."""

    change: Change
    slot: bytes = b""


class Made(NamedTuple):
    """What became of a step: why it could not be made (empty: it was), the stat that what was put in place has now, and
    the local edit that had to be set aside."""

    reason: str = ""
    stamp: Stamp = NO_STAMP
    kept: KeptCopy | None = None


class Restorer:
    """Makes changes with what is in the trash, and keeps the journal of it."""

    def __init__(
        self,
        root: ConfinedRoot,
        home: Home,
        trash: Trash,
        durable: Durable,
        applier: Applier,
        journal: Journal,
        intents: Intents,
        *,
        stable: bool,
    ) -> None:
        self._root = root
        self._home = home
        self._trash = trash
        self._durable = durable
        self._applier = applier
        self._journal = journal
        self._intents = intents
        self._stable = stable

    def perform(self, steps: Sequence[Step]) -> list[Made]:
        """Make changes in order; none of them where they cannot be written down first."""
        try:
            # Steps come a directory at a time.  An undo that a crash of the machine cut short is simply run again: what
            # it takes back stays remembered, and in the trash.
            self._journal.intend([step.change for step in steps], lasting=False)
        except OSError as error:
            return [Made(f"the journal cannot be written: {reason_of(error)}")] * len(steps)
        made = [self._make(step) for step in steps]
        fates = tuple(self._fate(step, each) for step, each in zip(steps, made, strict=True))
        stamps = tuple(each.stamp if self._stable else NO_STAMP for each in made)
        kept = {place: each.kept.kept_as for place, each in enumerate(made) if each.kept is not None}
        self._journal.confirm(Outcome(fates, stamps, kept))
        return made

    def _fate(self, step: Step, made: Made) -> Fate:
        if made.reason:
            return Fate.LEFT
        return Fate.THERE if not step.slot and step.change.path in self._applier.there else Fate.DONE

    def _make(self, step: Step) -> Made:
        change = step.change
        if step.slot:
            try:
                return self._put_back(change, step.slot)
            except (Refused, OSError) as error:
                return Made(reason_of(error))
        applied = self._applier.apply(_actions(change))
        if all(applied.done):
            return Made(stamp=stamps_of(self._applier.placed).get(change.path, NO_STAMP))
        return Made(applied.problems[0].reason if applied.problems else "left as it is")

    def _put_back(self, change: Change, slot: bytes) -> Made:
        """Put what is in a slot in place, or in the place of `change.before`."""
        directory, name = split(change.path)
        slot_directory, slot_name = split(slot)
        self._touch(change.path)
        with self._home.directory(slot_directory) as slot_fd, OpenDirectories(self._root, writable=True) as parents:
            parent = parents.get(directory)
            kept, before = None, self._applier.as_left(change.before)
            kept_in_slot = entry_at(slot_fd, RelPath(slot_name))
            if before is None:
                rename_new(slot_fd, slot_name, parent, name)
            else:
                kept = self._swap((slot_fd, slot_name), (parent, name), before)
            seen = os.stat(name, dir_fd=parent, follow_symlinks=False)
            self._applier.renew(kept_in_slot, seen)
            self._durable.step(parent, slot_fd)
        return Made(stamp=(seen.st_ctime_ns, seen.st_ino & INODE), kept=kept)

    def _touch(self, path: RelPath) -> None:
        self._applier.touched.add(path.key[: -len(path.name)])

    def _swap(self, slot: tuple[int, bytes], target: tuple[int, bytes], found: Entry) -> KeptCopy | None:
        """Exchange what is in the trash for what is there, which goes to a slot of its own; look before and after."""
        look(*target, found)
        home, fresh = self._trash.slot(REPLACED, found.path)
        directory, name = split(fresh)
        with home.directory(directory) as fd:
            try:
                syscalls.renameat2(*slot, *target, syscalls.RENAME_EXCHANGE)
            except OSError as error:
                if error.errno not in NO_FLAGS:
                    raise
                replace_in_two(self._intents, found.path, slot, (fd, name), target)
            else:
                rename_out(*slot, fd, name)
            self._durable.step(target[0], fd)
            return self._keep_edit(target[0], fd, name, found)

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


def _actions(change: Change) -> list[Action]:
    """What makes a change that needs nothing from the trash."""
    action = Action(_ACTS[change.did], change.path, change.after, change.before, change.source, change.displaced)
    if action.act is Act.MKDIR and change.after is not None and change.after.mode & USABLE != USABLE:
        return [action, action._replace(act=Act.METADATA, found=None)]
    return [action]


def slot_of(item: TrashItem) -> bytes:
    """Where a thing stands in the trash, as a path below the home."""
    return b"/".join([TRASH, os.fsencode(item.run), os.fsencode(item.why), item.path])


def steps_for(root: ConfinedRoot, home: Home, item: TrashItem) -> list[Step]:
    """What puts a thing from the trash in place, directories above it included; raises `OSError`."""
    with _home_directory(home, item) as fd:
        wanted = entry_at(fd, item.path)
    steps = [step for above in item.path.ancestors for step in _make_directory(root, above, _MADE_MODE)]
    if item.is_directory:
        return [*steps, *_make_directory(root, item.path, wanted.mode)]
    now = present(root, item.path)
    did = Did.CREATED if now is None else Did.REPLACED
    return [*steps, Step(Change(did, item.path, now, wanted), slot_of(item))]


def _home_directory(home: Home, item: TrashItem) -> contextlib.AbstractContextManager[int]:
    return home.directory(split(slot_of(item))[0])


def _make_directory(root: ConfinedRoot, path: RelPath, mode: int) -> list[Step]:
    """Make a directory where there is none; what else is there goes to the trash."""
    now = present(root, path)
    if now is not None and now.kind is Kind.DIRECTORY:
        return []
    wanted = Entry(path, Kind.DIRECTORY, mode, 0, 0, 0, 0, bytes(32))
    away = [] if now is None else [Step(Change(Did.DELETED, path, now, None))]
    return [*away, Step(Change(Did.CREATED, path, None, wanted))]


def restore(root: ConfinedRoot, home: Home, restorer: Restorer, items: Sequence[TrashItem]) -> Applied:
    """Restore in order (directories before what they hold); a problem for each that could not be."""
    steps: list[Step] = []
    owners: list[int] = []
    reasons = [""] * len(items)
    planned: set[RelPath] = set()
    for number, item in enumerate(items):
        try:
            new = [step for step in steps_for(root, home, item) if step.slot or step.change.path not in planned]
        except OSError as error:
            reasons[number] = reason_of(error)
            continue
        planned |= {step.change.path for step in new}
        steps += new
        owners += [number] * len(new)
    kept = []
    for owner, made in zip(owners, restorer.perform(steps), strict=True):
        reasons[owner] = reasons[owner] or made.reason
        kept += [made.kept] if made.kept else []
    problems = [Problem(bytes(item.path), why) for item, why in zip(items, reasons, strict=True) if why]
    return Applied(tuple(not why for why in reasons), tuple(problems), tuple(kept))
