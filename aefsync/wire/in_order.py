"""Calls sent ahead, so that a slow link is never idle: the next is on its way before the last has ended."""

from __future__ import annotations

import collections
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Generic, TypeVar

from aefsync.core.named_tuple import NamedTuple
from aefsync.core.ports import Piece
from aefsync.errors import AefsyncError
from aefsync.wire.calling import Caller, Pending
from aefsync.wire.dialogue import Method
from aefsync.wire.messages.rows import MAX_ENTRIES, MAX_READ

AHEAD = 16 << 20
"""Bytes of content that may be on their way: more than a fast link holds in the time of a round trip."""

T = TypeVar("T")


class Asked(NamedTuple, Generic[T]):
    """A call to be sent: what it is about, the bytes of content that it or its reply carries, and its arguments."""

    what: T
    size: int
    arguments: tuple[Any, ...]


def in_order(caller: Caller, method: Method, calls: Iterable[Asked[T]]) -> Iterator[tuple[T, Any]]:
    """What each call is about and what it returned, in order.

    Where no further call can be made or sent, what those before it returned comes first, and then the error.
    """
    sent: collections.deque[tuple[Asked[T], Pending]] = collections.deque()
    ahead, failures = 0, []

    def sending() -> Iterator[tuple[Asked[T], Pending]]:
        try:
            for asked in calls:
                yield asked, caller.send(method, *asked.arguments)
        except AefsyncError as error:
            failures.append(error)

    for asked, pending in sending():
        sent.append((asked, pending))
        ahead += asked.size
        while ahead > AHEAD:
            ahead -= sent[0][0].size
            yield _ended(*sent.popleft())
    while sent:
        yield _ended(*sent.popleft())
    if failures:
        raise failures[0]


def _ended(asked: Asked[T], pending: Pending) -> tuple[T, Any]:
    return asked.what, pending.wait()


def size_of(pieces: Sequence[Piece]) -> int:
    """Bytes of content that these ask for, or bring."""
    return sum(piece.length for piece in pieces)


def portions(pieces: Sequence[Piece]) -> Iterator[list[Piece]]:
    """The pieces in groups of at most `MAX_READ` bytes, which no single piece may exceed, and `MAX_ENTRIES` pieces."""
    group: list[Piece] = []
    room = MAX_READ
    for piece in pieces:
        if group and (piece.length > room or len(group) == MAX_ENTRIES):
            yield group
            group, room = [], MAX_READ
        group.append(piece)
        room -= piece.length
    if group:
        yield group
