"""The forms of what is asked and said where a root is examined."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Self

from msgspec import Meta

from aefsync.core.finding import Finding, State
from aefsync.wire.messages.rows import Empty, Form, Row, Text, pack_text, unpack_text

MANY_FINDINGS = 1 << 10


class ExamineCall(Empty, tag="examine"): ...


class FindingRow(Row):
    step: Text
    state: State
    text: Text
    remedy: Text

    @classmethod
    def of(cls, finding: Finding) -> Self:
        step, state, text, remedy = finding
        return cls(pack_text(step), state, pack_text(text), pack_text(remedy))

    def finding(self) -> Finding:
        return Finding(unpack_text(self.step), self.state, unpack_text(self.text), unpack_text(self.remedy))


class ExamineReply(Form, tag="examine"):
    rows: Annotated[tuple[FindingRow, ...], Meta(max_length=MANY_FINDINGS)]

    @classmethod
    def of(cls, *values: Sequence[Finding]) -> Self:
        return cls(tuple(map(FindingRow.of, values[0])))

    def values(self) -> tuple[tuple[Finding, ...]]:
        return (tuple(row.finding() for row in self.rows),)
