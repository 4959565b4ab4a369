"""Bytes given to whoever says where it wants them, as a stream would give them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol


class _Filled(Protocol):
    def room(self) -> memoryview: ...

    def filled(self, count: int) -> None: ...


def fill(target: _Filled, data: bytes | memoryview) -> Iterator[None]:
    """Put the data into the room that is offered, a turn for each part."""
    while data:
        room = target.room()
        count = min(len(room), len(data))
        room[:count] = data[:count]
        target.filled(count)
        data = data[count:]
        yield
