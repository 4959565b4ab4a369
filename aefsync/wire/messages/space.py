"""The forms of what is asked and said about space, and the bounds on how a session writes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Self

from aefsync.core.path import RelPath
from aefsync.core.space import Space
from aefsync.core.writing import Writing
from aefsync.wire.messages.rows import Count, Empty, Form, Many, Strings


def check_writing(writing: Writing) -> None:
    """Raise `ValueError` where a session asks for what no clock and no disk can hold."""
    if not 0 <= writing.trash_keep_s < 1 << 40 or not 0 <= writing.trash_max.amount < 1 << 63:
        raise ValueError("retention out of range")


class SpaceCall(Empty, tag="space"): ...


class AllocatedCall(Form, tag="allocated"):
    paths: Strings

    @classmethod
    def of(cls, *values: Sequence[RelPath]) -> Self:
        return cls(Strings.of(values[0]))

    def values(self) -> tuple[Any, ...]:
        return (tuple(self.paths.paths()),)


class SpaceReply(Form, tag="space"):
    paths: Strings
    rows: Annotated[tuple[tuple[Count, Count, Count, Count | None], ...], Many]

    @classmethod
    def of(cls, *values: Sequence[Space]) -> Self:
        spaces = values[0]
        return cls(Strings.of(each.path for each in spaces), tuple(each[1:] for each in spaces))

    def values(self) -> tuple[tuple[Space, ...]]:
        return (tuple(Space(path, *row) for path, row in zip(self.paths.decode(), self.rows, strict=True)),)


class AllocatedReply(Form, tag="allocated"):
    sizes: Annotated[tuple[Count | None, ...], Many]

    @classmethod
    def of(cls, *values: Sequence[int | None]) -> Self:
        return cls(tuple(values[0]))
