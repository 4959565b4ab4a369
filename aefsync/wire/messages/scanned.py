"""The form of a snapshot summed up, whatever was asked for it."""

from __future__ import annotations

from typing import Annotated, Self

from msgspec import Meta

from aefsync.core.ports import Scanned
from aefsync.wire.messages.members import StandingRow
from aefsync.wire.messages.rows import Count, Form, Problems, Row, Strings, pack_problems, unpack_problems


class HistoryRow(Row):
    """What is said beside the rest where versions were asked for."""

    history: Annotated[bytes, Meta(max_length=32)]
    tombstones: Count
    standing: StandingRow | None
    restored: bool

    @classmethod
    def of(cls, scanned: Scanned) -> Self | None:
        _, tombstones, standing, restored = said = scanned[10:]
        return cls(scanned.history, tombstones, standing and StandingRow.of(standing), restored) if any(said) else None

    def told(self, scanned: Scanned) -> Scanned:
        standing = self.standing.standing() if self.standing else None
        return scanned._replace(
            history=self.history, tombstones=self.tombstones, standing=standing, restored=self.restored
        )


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
        scanned = Scanned(self.root, *counts, unpack_problems(self.problems), unexamined, mounts, filtered)
        return (self.history.told(scanned) if self.history else scanned,)
