"""Put things from the trash back; what is there now takes their place in the trash."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from aefsync.core.action import Act, Action, Applied, KeptCopy
from aefsync.core.change import Change, Did
from aefsync.core.entry import Entry, Kind
from aefsync.core.metadata import USABLE
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.past import TrashItem
from aefsync.core.path import RelPath
from aefsync.core.problem import Problem, reason_of
from aefsync.disk.journal import Journal
from aefsync.disk.journal_batch import NO_STAMP, Fate, Outcome, Stamp
from aefsync.disk.journaling import Applies, stamps_of
from aefsync.disk.looking import NOT_EMPTY, Refused
from aefsync.disk.present import entry_at, present
from aefsync.disk.readable import Readable
from aefsync.disk.shelves import shelf_of

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
    """Makes changes with what is in the trash, and keeps the journal of it.

    `put_back` puts what is in a slot in place, or in the place of what was there before the change; it raises `Refused`
    or `OSError`.
    """

    def __init__(
        self,
        journal: Journal,
        applier: Applies,
        put_back: Callable[[Change, bytes], Made],
        *,
        stable: bool,
    ) -> None:
        self._journal = journal
        self._applier = applier
        self._put_back = put_back
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
        refused = NOT_EMPTY if applied.spared else "left as it is"
        return Made(applied.problems[0].reason if applied.problems else refused)


def _actions(change: Change) -> list[Action]:
    """What makes a change that needs nothing from the trash."""
    action = Action(_ACTS[change.did], change.path, change.after, change.before, change.source, change.displaced)
    if action.act is Act.MKDIR and change.after is not None and change.after.mode & USABLE != USABLE:
        return [action, action._replace(act=Act.METADATA, found=None)]
    return [action]


def slot_of(item: TrashItem) -> bytes:
    """Where a thing stands in the trash, as a path below the home."""
    return b"/".join([shelf_of(item.why), os.fsencode(item.run), os.fsencode(item.why), item.path])


def steps_for(root: Readable, home: Readable, item: TrashItem) -> list[Step]:
    """What puts a thing from the trash in place, directories above it included; raises `OSError`."""
    wanted = entry_at(home, slot_of(item), item.path)
    steps = [step for above in item.path.ancestors for step in _make_directory(root, above, _MADE_MODE)]
    if item.is_directory:
        return [*steps, *_make_directory(root, item.path, wanted.mode)]
    now = present(root, item.path)
    did = Did.CREATED if now is None else Did.REPLACED
    return [*steps, Step(Change(did, item.path, now, wanted), slot_of(item))]


def _make_directory(root: Readable, path: RelPath, mode: int) -> list[Step]:
    """Make a directory where there is none; what else is there goes to the trash."""
    now = present(root, path)
    if now is not None and now.kind is Kind.DIRECTORY:
        return []
    wanted = Entry(path, Kind.DIRECTORY, mode, 0, 0, 0, 0, bytes(32))
    away = [] if now is None else [Step(Change(Did.DELETED, path, now, None))]
    return [*away, Step(Change(Did.CREATED, path, None, wanted))]


def restore(root: Readable, home: Readable, restorer: Restorer, items: Sequence[TrashItem]) -> Applied:
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
