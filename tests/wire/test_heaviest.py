"""The heaviest answers that a peer can give: none takes more of our memory than is promised, whatever is in it."""

from __future__ import annotations

import contextlib
import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest

from aefsync.core.entry import Kind
from aefsync.core.growth import ENTRIES
from aefsync.core.recipe import MANY_CHUNKS
from aefsync.core.version import MOST_DOTS
from aefsync.errors import RootError
from aefsync.wire.codec import LONG, MAX_FRAME, MAX_LONG_FRAME, NEED_DATA, Connection, RemoteProtocolError, Role, State
from aefsync.wire.dialogue import Call, Method
from aefsync.wire.messages.rows import MANY, MAX_ENTRIES, pack_problems

MOST = 160 << 20
"""Bytes of memory that one answer may take, the buffer that it comes in included."""
CONTENT, HUGE = b"c" * 32, 1 << 40
ROW = [Kind.FILE, 0o644, HUGE, HUGE, HUGE, HUGE, CONTENT]
NONE: list[list[int]] = [[], []]
SHARING = [[0] + [20] * (MANY - 1), [b"a" * 20] + [b"b" * 10] * (MANY - 1)]
"""Paths of which each shares most of its bytes with the one before."""


def strings(number: int, each: bytes) -> list[Any]:
    return [[0] * number, [each] * number]


def problems(number: int, path: bytes, reason: bytes) -> list[Any]:
    return [[path, reason, False]] * number


ANSWERS: dict[str, Callable[[], list[Any]]] = {
    "lists in lists": lambda: ["match", [[0] * (MANY - 6)] * 64],
    "entries": lambda: ["entries", strings(MAX_ENTRIES, b"a" * 200), [ROW] * MAX_ENTRIES],
    "versions": lambda: [
        *("entries", strings(2048, b"a"), [ROW] * 2048, []),
        [[], [[0] * (2 * MOST_DOTS + 1)] * ENTRIES, [1] * 2048],
    ],
    "problems": lambda: ["scan", b"", 0, 0, 0, 0, 0, problems(MANY, b"p" * 50, b"r" * 50), NONE, NONE, NONE],
    "long problems": lambda: ["scan", b"", 0, 0, 0, 0, 0, problems(8000, b"p" * 50, b"r" * 4096), NONE, NONE, NONE],
    "columns": lambda: ["scan", b"", 0, 0, 0, 0, 0, problems(MANY, b"p", b"r" * 9), *[strings(MANY, b"s" * 28)] * 3],
    "paths": lambda: ["apply", [], [], SHARING, SHARING],
    "recipes": lambda: ["recipes", strings(MANY, b"a"), [[HUGE, [HUGE], CONTENT[:16], b""]] * MANY_CHUNKS],
    "chunks": lambda: ["recipes", strings(60, b"a"), [[HUGE, [1] * MANY, CONTENT[:16], b""]] * 60],
    "changes": lambda: ["undo", strings(MAX_ENTRIES, b"a"), [[1, ROW, ROW, ROW]] * MAX_ENTRIES, [], [], 0],
    "staged": lambda: ["stage", [CONTENT] * MANY, problems(MANY, b"p", b"r"), 0, 0, problems(MANY, b"p", b"r")],
}


@contextlib.contextmanager
def memory() -> Iterator[Callable[[], int]]:
    """How many bytes were in use at most since the context began."""
    tracemalloc.start()
    try:
        yield lambda: tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def take(name: str) -> None:
    answer = ANSWERS[name]()
    payload = msgspec.msgpack.encode(answer)
    client = Connection(Role.CLIENT)
    client.send(Call(Method.RECORD))
    client._due[0] = Method(answer[0])
    client.receive_data(b"aefsync-agent/3 0\n")
    del answer
    assert client.next_event() is NEED_DATA
    with memory() as most:
        client.receive_data(len(payload).to_bytes(4, "big"))
        for start in range(0, len(payload), 1 << 20):
            client.receive_data(payload[start : start + (1 << 20)])
        with contextlib.suppress(RemoteProtocolError):
            assert client.next_event() is not NEED_DATA
        assert most() < MOST
    assert client.state in (State.IDLE, State.CLOSED)


def test_lists_in_lists_take_no_more_than_is_promised() -> None:
    take("lists in lists")


@pytest.mark.slow
@pytest.mark.parametrize("name", ANSWERS)
def test_no_answer_takes_more_than_is_promised(name: str) -> None:
    take(name)


@pytest.mark.parametrize("method", Method)
def test_only_what_is_told_of_many_things_may_be_long(method: Method) -> None:
    for limit, allowed in ((MAX_FRAME, True), (MAX_LONG_FRAME, method in LONG), (MAX_LONG_FRAME + 1, False)):
        client = Connection(Role.CLIENT)
        client.send(Call(Method.RECORD))
        client._due[0] = method
        client.receive_data(b"aefsync-agent/3 0\n" + limit.to_bytes(4, "big"))
        with contextlib.nullcontext() if allowed else pytest.raises(RemoteProtocolError, match="at most"):
            assert client.next_event() is NEED_DATA


def test_trouble_with_too_much_to_be_told_of_is_an_error() -> None:
    from aefsync.core.problem import Problem

    assert len(pack_problems([Problem(b"a", "gone")] * MANY)) == MANY
    with pytest.raises(RootError, match=r"trouble with 262145 paths \(at most 262144 can be told\), the first: gone"):
        pack_problems([Problem(b"a", "gone")] * (MANY + 1))
