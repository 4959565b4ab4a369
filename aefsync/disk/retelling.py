"""A session's half that deals with what past runs left in a root: told without writing, taken back by who writes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from aefsync.core.action import Applied
from aefsync.core.past import RunRecord, TakenBack, TrashItem, TrashQuery, Undo
from aefsync.disk.any_writer import AnyWriter
from aefsync.disk.history import History
from aefsync.disk.surveyed import Surveyed


class Retelling(Surveyed, ABC):
    """The past of a root, wherever that is."""

    @abstractmethod
    def _past(self) -> History: ...

    @abstractmethod
    def _writing(self) -> AnyWriter[Any, Any]:
        """The writer; raises `AefsyncError` where nothing may be written."""

    @abstractmethod
    def _new_identity(self) -> str:
        """What a root is known by that gets a home now."""

    def trash(self, query: TrashQuery) -> Sequence[TrashItem]:
        return self._past().trash(query)

    def runs(self) -> Sequence[RunRecord]:
        return self._past().runs()

    def undo(self, request: Undo) -> TakenBack:
        return self._past().would_undo(request) if request.dry_run else self._writing().undo(request)

    def restore(self, items: Sequence[TrashItem], to: bytes = b"") -> Applied:
        return self._writing().restore(items, to)

    def purge(self, runs: Sequence[str]) -> Applied:
        return self._writing().purge(runs)
