"""The form of a snapshot summed up, whatever was asked for it."""

from __future__ import annotations

from typing import Annotated, Self

from msgspec import Meta

from aefsync.core.ports import Scanned
from aefsync.wire.messages.rows import Count, Form, Problems, Row, Strings, pack_problems, unpack_problems


class HistoryRow(Row):
    """What is said beside the rest where versions were asked for."""

    history: Annotated[bytes, Meta(max_length=32)]
    graves: Count

    @classmethod
    def of(cls, scanned: Scanned) -> Self | None:
        return cls(scanned.history, scanned.graves) if scanned.history or scanned.graves else None


class ScannedForm(Form):
    root: Annotated[bytes, Meta(max_length=32)]
    entries: Count
    unread_files: Count
    unread_bytes: Count
    excluded: Count
    special: Count
    problems: Problems
    unexamined: Strings
    mounts: Strings
    filtered: Strings
    history: HistoryRow | None = None

    @classmethod
    def of(cls, *values: Scanned) -> Self:
        scanned = values[0]
        unexamined, mounts, filtered = map(Strings.of, (scanned.unexamined, scanned.mounts, scanned.filtered))
        problems, history = pack_problems(scanned.problems), HistoryRow.of(scanned)
        return cls(*scanned[:6], problems, unexamined, mounts, filtered, history)

    def values(self) -> tuple[Scanned]:
        counts = (self.entries, self.unread_files, self.unread_bytes, self.excluded, self.special)
        unexamined, mounts, filtered = (tuple(each.decode()) for each in (self.unexamined, self.mounts, self.filtered))
        history = (self.history.history, self.history.graves) if self.history else (b"", 0)
        problems = unpack_problems(self.problems)
        return (Scanned(self.root, *counts, problems, unexamined, mounts, filtered, *history),)
