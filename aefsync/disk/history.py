"""What past runs left in a root, for whoever only looks: their journals and their trash."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from aefsync.core.entry import Entry
from aefsync.core.metadata import Aspects
from aefsync.core.past import ChangeCounts, RunRecord, TakenBack, TrashItem, TrashQuery, Undo
from aefsync.disk.extras import Completing
from aefsync.disk.journal import Recorded, recorded_runs
from aefsync.disk.readable import Readable
from aefsync.disk.trash_listing import TrashPages, trash_runs
from aefsync.disk.undoing import Undoing
from aefsync.errors import AefsyncError


def as_it_is(_: Aspects) -> Callable[[Entry], Entry]:
    """How entries are completed where nothing more can count than every look shows."""
    return lambda entry: entry


class History:
    """Reads what is in a home, if there is one."""

    def __init__(self, root: Readable | None, home: Readable | None, completing: Completing) -> None:
        self._root = root
        self._home = home
        self._completing = completing
        self._pages = TrashPages(home) if home is not None else None
        self._undoing: Undoing | None = None

    def trash(self, query: TrashQuery) -> Sequence[TrashItem]:
        return self._pages.page(query) if self._pages is not None else []

    def runs(self) -> Sequence[RunRecord]:
        """The runs that left a journal or trash, newest first."""
        if self._home is None:
            return []
        runs = {*recorded_runs(self._home), *trash_runs(self._home)}
        return [_record(self._home, run) for run in sorted(runs, reverse=True)]

    def would_undo(self, request: Undo) -> TakenBack:
        """What taking back a part of a run would change."""
        if self._root is None or self._home is None:
            raise AefsyncError(f"run {request.run} left no journal here")
        if self._undoing is None or self._undoing.run != request.run or not request.part:
            self.close()
            self._undoing = Undoing(self._root, self._home, request.run, self._completing)
        return self._undoing.part(request)

    def close(self) -> None:
        if self._undoing is not None:
            self._undoing.close()
            self._undoing = None


def _record(home: Readable, run: str) -> RunRecord:
    try:
        recorded = Recorded(home, run)
    except OSError:
        return RunRecord(run, "", (), ChangeCounts())
    try:
        title = recorded.title
        return RunRecord(run, title.command, title.replicas, recorded.counts)
    finally:
        recorded.close()
