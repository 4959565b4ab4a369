"""Rows of what runs did: the runs that a replica remembers, and the changes of one."""

from __future__ import annotations

from typing import Self

from aefsync.core.change import Change, Did
from aefsync.core.past import ChangeCounts, RunRecord
from aefsync.core.path import RelPath
from aefsync.wire.messages.rows import ByteStrings, Count, EntryRow, FileName, Row, Text, pack_text, unpack_text


class RunRow(Row):
    run: FileName
    command: Text
    replicas: ByteStrings
    counts: tuple[Count, Count, Count, Count, Count]

    @classmethod
    def of(cls, record: RunRecord) -> Self:
        return cls(record.run, pack_text(record.command), record.replicas, record.counts)

    def record(self) -> RunRecord:
        return RunRecord(self.run, unpack_text(self.command), self.replicas, ChangeCounts(*self.counts))


class ChangeRow(Row):
    """A change without its paths."""

    did: Did
    before: EntryRow | None
    after: EntryRow | None
    displaced: EntryRow | None

    @classmethod
    def of(cls, change: Change) -> Self:
        entries = (change.before, change.after, change.displaced)
        return cls(change.did, *(entry and EntryRow.of(entry) for entry in entries))

    def change(self, path: RelPath, source: RelPath | None) -> Change:
        before = self.before.entry(source or path) if self.before else None
        after, displaced = (row.entry(path) if row else None for row in (self.after, self.displaced))
        return Change(self.did, path, before, after, source, displaced)
