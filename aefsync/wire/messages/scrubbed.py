"""The forms of what is asked and said where a replica is scrubbed."""

from __future__ import annotations

from typing import Annotated, Any, Self

import msgspec

from aefsync.core.entry import UNKNOWN, Kind
from aefsync.core.rot import Damage, Scrub, Scrubbed, Verdict
from aefsync.wire.messages.rows import (
    Asked,
    Content,
    Count,
    EntryRow,
    Form,
    Problems,
    Row,
    Strings,
    pack_problems,
    unpack_problems,
)


class ScrubCall(Form, tag="scrub"):
    begins: bool
    files: Count
    size: Count
    bytes_per_s: Count
    budget: Count
    accepted: Strings
    tells_fresh: bool
    doubted: Strings
    suspected: Strings

    @classmethod
    def of(cls, *values: Scrub) -> Self:
        request = values[0]
        accepted, doubted, suspected = map(Strings.of, (request.accepted, request.doubted, request.suspected))
        return cls(*request[:5], accepted, request.tells_fresh, doubted, suspected)

    def values(self) -> tuple[Scrub]:
        numbers = (self.begins, self.files, self.size, self.bytes_per_s, self.budget)
        accepted, doubted, suspected = (tuple(each.paths()) for each in (self.accepted, self.doubted, self.suspected))
        return (Scrub(*numbers, accepted, self.tells_fresh, doubted, suspected),)


class DamageRow(Row):
    recorded: EntryRow
    content: Content
    verdict: Verdict

    @classmethod
    def of(cls, damage: Damage) -> Self:
        return cls(EntryRow.of(damage.recorded), damage.content or UNKNOWN, damage.verdict)


class ScrubReply(Form, tag="scrub"):
    """What is damaged and what is fresh, a path a row, and numbers in the order of `Scrubbed`."""

    paths: Strings
    rows: Annotated[tuple[DamageRow, ...], Asked]
    problems: Problems
    numbers: tuple[Count, Count, Count, Count, Count, Count, Count]
    fresh_paths: Strings
    fresh: Annotated[tuple[EntryRow, ...], Asked]

    def __post_init__(self) -> None:
        if any(row.kind is not Kind.FILE or row.content == UNKNOWN for row in self.fresh):
            raise ValueError("a fresh file that is none, or was not read")
        if any(row.verdict is Verdict.EDIT or row.recorded.kind is not Kind.FILE for row in self.rows):
            raise ValueError("damage that is none")

    @classmethod
    def of(cls, *values: Scrubbed) -> Self:
        files, size, damaged, problems, *rest, fresh = values[0]
        rows = tuple(map(DamageRow.of, damaged))
        numbers = msgspec.convert((files, size, *rest), tuple[Count, Count, Count, Count, Count, Count, Count])
        paths, fresh_paths = Strings.of(each.recorded.path for each in damaged), Strings.of(e.path for e in fresh)
        return cls(paths, rows, pack_problems(problems), numbers, fresh_paths, tuple(map(EntryRow.of, fresh)))

    def values(self) -> tuple[Any, ...]:
        files, size, *rest = self.numbers
        damaged = tuple(
            Damage(row.recorded.entry(path), b"" if row.content == UNKNOWN else row.content, row.verdict)
            for path, row in zip(self.paths.paths(), self.rows, strict=True)
        )
        fresh = tuple(row.entry(path) for path, row in zip(self.fresh_paths.paths(), self.fresh, strict=True))
        left_files, left_size, rot, suspects, oldest_s = rest
        problems = unpack_problems(self.problems)
        return (Scrubbed(files, size, damaged, problems, left_files, left_size, rot, suspects, oldest_s, fresh),)
