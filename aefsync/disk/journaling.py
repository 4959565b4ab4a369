"""Actions carried out with the journal kept: what they intend is written down before, what became of it after."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from aefsync.core.action import Act, Action, Applied
from aefsync.core.change import change_of
from aefsync.core.entry import Entry, Kind
from aefsync.core.path import RelPath
from aefsync.core.problem import Problem, reason_of
from aefsync.disk.extras import Extras
from aefsync.disk.journal import Journal
from aefsync.disk.journal_batch import NO_STAMP, Fate, Outcome, Stamp


def stamps_of(placed: Iterable[Entry]) -> dict[RelPath, Stamp]:
    """The ctime_ns and inode of what was put in place, by path."""
    return {entry.path: (entry.ctime_ns, entry.inode) for entry in placed}


class Applies(Protocol):
    """What carries out actions.  `there` and `placed` as in `Scene`, of the last batch."""

    there: set[RelPath]
    placed: list[Entry]

    def apply(self, actions: Sequence[Action]) -> Applied: ...


class Recorder:
    """Carries out actions by an applier, and keeps the journal of it.

    `content` gives the digest of what is staged for a path, `extras` what a plan does not tell of an entry (`None`: nothing
    more counts); `stable` says whether inodes and ctimes prove anything here.
    """

    def __init__(
        self,
        journal: Journal,
        applier: Applies,
        content: Callable[[RelPath], bytes],
        extras: Extras | None,
        *,
        stable: bool,
    ) -> None:
        self._journal = journal
        self._applier = applier
        self._content = content
        self._extras = extras
        self._stable = stable

    def apply(self, actions: Sequence[Action]) -> Applied:
        """Carry out a batch of actions; none of it where it cannot be written down first."""
        changes = [change_of(self._completed(action), self._content(action.path)) for action in actions]
        try:
            self._journal.intend([change for change in changes if change is not None])
        except OSError as error:
            reason = f"the journal cannot be written: {reason_of(error)}"
            problems = tuple(Problem(bytes(action.source or action.path), reason) for action in actions)
            return Applied((False,) * len(actions), problems, ())
        applied = self._applier.apply(actions)
        recorded = [
            (action, done)
            for action, done, change in zip(actions, applied.done, changes, strict=True)
            if change is not None
        ]
        self._journal.confirm(self._outcome(recorded, applied))
        return applied

    def _completed(self, action: Action) -> Action:
        """The action with all that it undoes of an entry: what is renamed to the trash keeps that by itself."""
        found = action.found
        if self._extras is None or found is None:
            return action
        if action.act is Act.METADATA or (action.act is Act.DELETE and found.kind is Kind.DIRECTORY):
            return action._replace(found=self._extras.look(found))
        return action

    def _outcome(self, recorded: Sequence[tuple[Action, bool]], applied: Applied) -> Outcome:
        kept_as = dict(applied.kept)
        fates = tuple(
            Fate.LEFT if not done else Fate.THERE if action.path in self._applier.there else Fate.DONE
            for action, done in recorded
        )
        stamps = stamps_of(self._applier.placed) if self._stable else {}
        kept = {
            position: kept_as[action.path]
            for position, (action, done) in enumerate(recorded)
            if done and action.path in kept_as
        }
        return Outcome(fates, tuple(stamps.get(action.path, NO_STAMP) for action, _ in recorded), kept)
