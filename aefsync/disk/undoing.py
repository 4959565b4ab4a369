"""Take back what a run did here, batch by batch of its journal, what it did last first.

Each change is judged by what stands at its path now: still what the run left there, so it is taken back; what was
there before the run, so there is nothing to do (an undo that was interrupted goes on); anything else was touched since
and stays.  A stat with the inode and ctime that the run left proves that nothing was touched; else the content decides.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Sequence

from aefsync.core.action import RETURNED
from aefsync.core.change import Change, Did
from aefsync.core.conflict_name import original_name
from aefsync.core.entry import UNKNOWN, Entry, Kind
from aefsync.core.past import TakenBack, Undo
from aefsync.core.path import RelPath
from aefsync.core.problem import Problem, reason_of
from aefsync.disk.extras import Completing
from aefsync.disk.hashing import HashFailure, seen_as
from aefsync.disk.journal import Recorded
from aefsync.disk.looking import NOT_EMPTY
from aefsync.disk.present import entry_at, present
from aefsync.disk.readable import Readable
from aefsync.disk.restoring import Made, Step
from aefsync.disk.trash import DELETED, REPLACED
from aefsync.disk.trash_listing import shelves
from aefsync.errors import AefsyncError

Perform = Callable[[Sequence[Step]], Sequence[Made]]

CHANGED = "changed since that run"
GONE = "gone since that run"
TAKEN = "something else is there now"
PURGED = "what was there before is no longer in the trash"


class _Stays(Exception):
    """A change that cannot be taken back, with the reason."""


class Undoing:
    """Takes one run back, with the metadata that counted in it; `perform` makes changes (`None`: only look)."""

    def __init__(
        self, root: Readable, home: Readable, run: str, completing: Completing, perform: Perform | None = None
    ) -> None:
        self.run = run
        self._root = root
        self._home = home
        self.perform = perform
        self._pending: set[bytes | None] = set()
        self._expected: dict[bytes, Entry | None] = {}
        """where steps are only looked at: what would stand at their paths after them"""
        self._remade: set[bytes] = set()
        """and the directories that they would make, move or remove"""
        self._steps: list[Step] = []
        self._taken: list[tuple[Change, str]] = []
        self._gone: list[RelPath] = []
        try:
            self._recorded = Recorded(home, run)
        except OSError as error:
            raise AefsyncError(f"run {run} left no journal here: {reason_of(error)}") from None
        self._shelves = shelves(home, run)
        self.aspects = self._recorded.aspects.alone
        self._complete = completing(self.aspects)

    def part(self, request: Undo) -> TakenBack:
        """Take a batch back, counted from the last one."""
        rest = self._recorded.batches - 1 - request.part
        self._taken, self._gone = [], []
        for change in reversed(self._recorded.batch(rest) if rest >= 0 else []):
            self._take_back(change)
        self._flush()
        problems = tuple(Problem(bytes(change.path), reason) for change, reason in self._taken if reason)
        done = tuple(not reason for _, reason in self._taken)
        changes = tuple(change for change, _ in self._taken)
        return TakenBack(changes, done, problems, max(rest, 0), tuple(self._gone))

    def close(self) -> None:
        self._recorded.close()

    def _take_back(self, change: Change) -> None:
        if self.perform is None and self._is_below_remade(change):
            self._plan(Step(change.inverse))  # nobody can look there yet
            return
        if self._is_pending(change):
            self._flush()
        try:
            step = self._judge(change)
        except (_Stays, OSError) as error:
            self._taken.append((change.inverse, reason_of(error)))
        else:
            if step is not None:
                self._plan(step)
            elif change.did is Did.CREATED and original_name(change.path.name) != change.path.name:
                self._gone.append(change.path)

    def _is_pending(self, change: Change) -> bool:
        """Whether steps not yet made concern a path of the change, or a directory above it."""
        paths = (change.path, *change.path.ancestors, *(change.source.ancestors if change.source else ()))
        return change.source in self._pending or any(path in self._pending for path in paths)

    def _is_below_remade(self, change: Change) -> bool:
        above = (*change.path.ancestors, *(change.source.ancestors if change.source else ()))
        return any(path in self._remade for path in above)

    def _plan(self, step: Step) -> None:
        did, path, before, after, source, displaced = step.change
        if self.perform is not None:
            self._steps.append(step)
            self._pending |= {path, source} - {None}
            return
        self._taken.append((step.change, ""))
        if source is not None:
            self._expected[source] = displaced and displaced._replace(path=source)
        self._expected[path] = after
        entry = after or before
        if did is not Did.METADATA and entry is not None and entry.kind is Kind.DIRECTORY:
            self._remade |= {path, source or path}

    def _flush(self) -> None:
        """Make the steps planned so far."""
        steps, self._steps = self._steps, []
        if steps and self.perform is not None:
            made = self.perform(steps)
            self._taken += [(step.change, each.reason) for step, each in zip(steps, made, strict=True)]
            self._pending.clear()

    def _judge(self, change: Change) -> Step | None:
        """What takes a change back; `None` where all is as before; raises `_Stays`."""
        now = self._present(change.path)
        match change.did:
            case Did.CREATED:
                return None if now is None else self._judge_created(change, now)
            case Did.DELETED:
                return self._judge_deleted(change, now)
            case Did.MOVED:
                return self._judge_moved(change, now)
            case Did.REPLACED:
                return self._judge_replaced(change, _there(now))
            case Did.METADATA:
                return self._judge_metadata(change, _there(now))

    def _judge_created(self, change: Change, now: Entry) -> Step:
        after = _known(change.after)
        if not self._shows(now, after):
            raise _Stays(CHANGED)
        if self.perform is None and now.kind is Kind.DIRECTORY and not self._will_be_empty(change.path):
            raise _Stays(NOT_EMPTY)
        return Step(change.inverse._replace(before=now._replace(content=after.content)))

    def _will_be_empty(self, path: RelPath) -> bool:
        inside = [path + b"/" + name for name in self._root.names(path)]
        return all(each in self._expected and self._expected[each] is None for each in inside)

    def _judge_deleted(self, change: Change, now: Entry | None) -> Step | None:
        before = _known(change.before)
        if now is not None:
            if self._shows(now, before):
                return None
            raise _Stays(TAKEN)
        if before.kind is Kind.DIRECTORY:
            return Step(change.inverse)
        return Step(change.inverse, self._slot((DELETED, RETURNED), before))

    def _judge_moved(self, change: Change, now: Entry | None) -> Step | None:
        assert change.source is not None
        old = self._present(change.source)
        if self._is(old, change.before) and self._is(now, change.displaced) and change.before is not None:
            return None
        if now is None:
            raise _Stays(GONE)
        if not self._is(old, change.displaced):
            raise _Stays(TAKEN)
        if change.after is not None and not self._shows(now, change.after):
            raise _Stays(CHANGED)
        return Step(change.inverse._replace(before=now, after=now._replace(path=change.source), displaced=old))

    def _is(self, now: Entry | None, then: Entry | None) -> bool:
        return now is None if then is None else now is not None and self._shows(now, then)

    def _judge_replaced(self, change: Change, now: Entry) -> Step | None:
        before, after = _known(change.before), _known(change.after)
        if self._shows(now, after):
            inverse = change.inverse._replace(before=now._replace(content=after.content))
            return Step(inverse, self._slot((REPLACED,), before))
        if self._shows(now, before):
            return None
        raise _Stays(CHANGED)

    def _judge_metadata(self, change: Change, now: Entry) -> Step | None:
        before, after = _known(change.before), _known(change.after)
        if now.kind is not after.kind or now.size != after.size:
            raise _Stays(CHANGED)
        if now.same_metadata(before, self.aspects):
            return None
        if not now.same_metadata(after, self.aspects):
            raise _Stays(CHANGED)
        wanted = now._replace(mode=before.mode, mtime_ns=before.mtime_ns, content=before.content, extra=before.extra)
        return Step(Change(Did.METADATA, change.path, now._replace(content=after.content), wanted))

    def _present(self, path: RelPath) -> Entry | None:
        """What stands at a path now (or would, after the steps so far), with the metadata that counted in the run."""
        if path in self._expected:
            return self._expected[path]
        now = present(self._root, path)
        return self._complete(now) if now is not None and self.aspects.has_extras else now

    def _shows(self, now: Entry, then: Entry) -> bool:
        """Whether what stands there now is still what stood there then."""
        if now.kind is not then.kind:
            return False
        if now.kind is Kind.DIRECTORY:
            return True
        if then.inode and (now.inode, now.ctime_ns, now.size) == (then.inode, then.ctime_ns, then.size):
            return True
        if now.size != then.size or (then.inode and not now.same_metadata(then, self.aspects)):
            return False
        return self._content(now) == then.content if then.is_read else now.mtime_ns == then.mtime_ns

    def _content(self, entry: Entry) -> bytes:
        if entry.is_read:
            return entry.content
        content = self._root.content(entry.path, seen_as(entry))
        return UNKNOWN if isinstance(content, HashFailure) else content

    def _slot(self, whys: Collection[str], before: Entry) -> bytes:
        """Where in the trash of the run a version is, verified; raises `_Stays`."""
        for slot in (place + b"/" + before.path for why, place in self._shelves if why in whys):
            with contextlib.suppress(OSError):
                seen = entry_at(self._home, slot, before.path)
                if (seen.kind, seen.size, seen.mtime_ns) != (before.kind, before.size, before.mtime_ns):
                    continue
                content = seen.content if seen.is_read else self._home.content(slot, seen_as(seen))
                if not before.is_read or content == before.content:
                    return slot
        raise _Stays(PURGED)


def _there(now: Entry | None) -> Entry:
    if now is None:
        raise _Stays(GONE)
    return now


def _known(entry: Entry | None) -> Entry:
    """What a journal must tell of such a change."""
    if entry is None:
        raise _Stays("the journal does not tell what was there")
    return entry
