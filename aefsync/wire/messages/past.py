"""The forms of calls about past runs: what they left in the trash, what they did, and taking it back."""

from __future__ import annotations

from typing import Annotated, Self

from aefsync.core.past import TrashQuery, Undo
from aefsync.core.path import RelPath
from aefsync.wire.messages.rows import Count, Empty, FileName, Form, Many, Text, pack_text, unpack_text


class TrashCall(Form, tag="trash"):
    path: bytes
    run: Text
    since: Text
    start: Count
    quarantine: bool

    def __post_init__(self) -> None:
        if self.path:
            RelPath(self.path)

    @classmethod
    def of(cls, *values: TrashQuery) -> Self:
        path, run, since, start, quarantine = values[0]
        return cls(path, pack_text(run), pack_text(since), start, quarantine)

    def values(self) -> tuple[TrashQuery]:
        return (TrashQuery(self.path, unpack_text(self.run), unpack_text(self.since), self.start, self.quarantine),)


class PurgeCall(Form, tag="purge"):
    runs: Annotated[tuple[FileName, ...], Many]


class RunsCall(Empty, tag="runs"): ...


class UndoCall(Form, tag="undo"):
    run: FileName
    part: Count
    dry_run: bool

    @classmethod
    def of(cls, *values: Undo) -> Self:
        return cls(*values[0])

    def values(self) -> tuple[Undo]:
        return (Undo(self.run, self.part, self.dry_run),)
