"""What a writer does wherever its root is: take back things from the trash, and what past runs did; the rest it fills in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from aefsync.core.action import Action, Applied
from aefsync.core.entry import Entry
from aefsync.core.metadata import Aspects
from aefsync.core.past import TakenBack, TrashItem, Undo
from aefsync.core.path import RelPath
from aefsync.disk.copying_out import copy_out
from aefsync.disk.readable import Readable, Shelf
from aefsync.disk.restoring import Restorer, restore
from aefsync.disk.retention import forget_bytes
from aefsync.disk.scan import Scanner
from aefsync.disk.trash import purge_runs
from aefsync.disk.undoing import Undoing

Root = TypeVar("Root", bound=Readable)
Keep = TypeVar("Keep", bound=Shelf)


class AnyWriter(ABC, Generic[Root, Keep]):
    """Over a root and its home, wherever these are; methods as those of `core.ports.Replica`, but for the last steps of a
    session: `expire` and `clear`."""

    def __init__(self, root: Root, home: Keep, run: str, aspects: Aspects) -> None:
        self._root = root
        self._home = home
        self._run = run
        self._aspects = aspects
        self._undoing: Undoing | None = None

    @abstractmethod
    def content(self, path: RelPath) -> bytes:
        """The digest of the file that is staged for a path; empty where none is."""

    @abstractmethod
    def apply(self, actions: Sequence[Action], scanner: Scanner) -> Applied:
        """Carry out actions, and remember what is in place now."""

    @abstractmethod
    def expire(self, clock_ns: Callable[[], int]) -> None:
        """Where this run changed the tree, delete the trash that nobody wants kept any longer."""

    @abstractmethod
    def clear(self) -> None:
        """Empty the staging, also of what interrupted runs left there."""

    @abstractmethod
    def _restorer(self) -> Restorer: ...

    @abstractmethod
    def _completing(self, aspects: Aspects) -> Callable[[Entry], Entry]:
        """How entries get what counts and not every look shows."""

    def restore(self, items: Sequence[TrashItem], to: bytes) -> Applied:
        """Put things from the trash back in place, or copy them to the directory `to` of this machine."""
        if to:
            return copy_out(self._home, items, to)
        for run in {self._run, *(item.run for item in items)}:
            forget_bytes(self._home, run)
        return restore(self._root, self._home, self._restorer(), items)

    def undo(self, request: Undo) -> TakenBack:
        """Take a part of a run back."""
        if self._undoing is None or self._undoing.run != request.run:
            self._undoing = Undoing(self._root, self._home, request.run, self._completing)
            # What counted then counts now.
            self._aspects = self._undoing.aspects
            self._undoing.perform = self._restorer().perform
        forget_bytes(self._home, request.run)
        return self._undoing.part(request)

    def purge(self, runs: Sequence[str]) -> Applied:
        """Delete the trash of runs."""
        return purge_runs(self._home, runs)

    def close(self) -> None:
        if self._undoing is not None:
            self._undoing.close()
