"""Anything at all for the decoder, and for both ends of a connection: a message or a clear refusal, and little memory.

Whole messages are spoilt at one place each (`support/lies`), every form of them, with extreme values of the same type and
of others; the long form does that many thousand times.
"""

from __future__ import annotations

import os
import random
import tracemalloc
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aefsync.wire import compression
from aefsync.wire.codec import MAX_LONG_FRAME, NEED_DATA, Connection, RemoteProtocolError, Role
from aefsync.wire.dialogue import Call, Failed, Message, Method, Progress, Reply
from aefsync.wire.messages import MessageError, decode_answer, decode_call, encode
from tests.support import values
from tests.support.lies import NUMBERS, bomb, changed, framed, lie_about, places

AT_LENGTH = int(os.environ.get("AEFSYNC_TEST_FUZZ", "2000"))
"""Spoilt messages of each form, in the long form of the test."""
DECODERS = (decode_call, decode_answer)
pack = msgspec.msgpack.encode
nested = st.recursive(
    st.none() | st.booleans() | st.sampled_from(NUMBERS) | st.floats() | st.binary(max_size=40) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=10,
)


def decoded(payload: bytes) -> None:
    """Decode it as either side would; whatever comes out of it can be said again."""
    for decode in DECODERS:
        try:
            message = decode(payload)
        except MessageError as error:
            assert "\n" not in str(error)
            assert len(str(error)) <= 200
        else:
            assert isinstance(message, Call | Reply | Progress | Failed)


@given(st.sampled_from([*Method, "progress", "failed", "no such method"]), st.lists(nested, max_size=5))
def test_any_fields(tag: str, fields: list[Any]) -> None:
    decoded(pack([str(tag), *fields]))


@given(values.calls | values.server_messages, st.integers(0, 1 << 32))
def test_messages_with_one_field_that_lies(message: Message, seed: int) -> None:
    chance = random.Random(seed)
    taken_apart = msgspec.msgpack.decode(encode(message))
    for _ in range(5):
        decoded(pack(changed(taken_apart, places(taken_apart, chance), lambda value: lie_about(value, chance))))


@given(
    st.lists(st.binary(max_size=60) | st.binary(max_size=40).map(lambda data: len(data).to_bytes(4) + data), max_size=6)
)
def test_any_bytes_behind_a_greeting(pieces: list[bytes]) -> None:
    for role in Role:
        connection = Connection(role, compress=True)
        connection.send(Call(Method.RECORD)) if role is Role.CLIENT else None
        connection.receive_data(b"aefsync-agent/3 0 zstd\n")
        try:
            for piece in pieces:
                connection.receive_data(piece)
                while connection.next_event() is not NEED_DATA:
                    pass
        except RemoteProtocolError:
            with pytest.raises(RemoteProtocolError):
                connection.next_event()


@pytest.mark.parametrize("text", ["two\nlines", "x" * 100_000, "\x1b[2J\r\n"])
def test_what_is_quoted_of_a_message_is_one_short_line(text: str) -> None:
    decoded(pack([text]))
    decoded(pack(["hello", text]))


def most(tag: str, *fields: Any) -> bytes:
    return pack([tag, *fields])


ROWS = 1 << 13
HUGE = {
    "rows of nothing": most("match", [[]] * ROWS),
    "counts in many rows": most("match", [[0, 1] * (1 << 9)] * 64),
    "entries": most("entries", [[0] * ROWS, [b""] * ROWS], [[]] * ROWS),
    "problems": most("apply", [], [[b"", b"", False]] * ROWS, [[], []], [[], []]),
    "versions": most("tombstones", [[], []], [[], [[0]] * ROWS, []]),
    "components": most("tombstones", [[], []], [[b"A" * 16], [[1, *[0] * 4096]] * 20, []]),
    "growth": most("growth", [[[0] * ROWS, [b""] * ROWS], [b"a"] * ROWS, [b""] * ROWS, [b""] * ROWS, []]),
    "nested": b"\x91" * (1 << 17),
    "nested maps": b"\x81\xa1a" * (1 << 17),
    "numbers": most("scrub", True, *NUMBERS),
    "long array": b"\xdd\xff\xff\xff\xff",
    "long bytes": b"\x92\xa4read\xc6\xff\xff\xff\xff",
}
MOST_PER_BYTE, MOST_BESIDE = 70, 1 << 20
"""Bytes of memory that a byte of a message may take; of rows, which take most, one message has `MANY`."""


@pytest.mark.parametrize("name", HUGE)
def test_memory_is_bounded_by_what_was_sent(name: str) -> None:
    payload = HUGE[name]
    decoded(pack([]))
    tracemalloc.start()
    try:
        decoded(payload)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < MOST_PER_BYTE * len(payload) + MOST_BESIDE


def test_rows_in_rows_are_no_more_than_rows() -> None:
    with pytest.raises(MessageError, match="more chunks than"):
        decode_answer(most("match", [[0, 1] * (1 << 15)] * 33))


def test_a_bomb_is_refused_before_it_goes_off() -> None:
    connection = Connection(Role.CLIENT, compress=True)
    connection.send(Call(Method.RECORD))
    connection.receive_data(b"aefsync-agent/3 0 zstd\n" + bomb())
    tracemalloc.start()
    try:
        with pytest.raises(RemoteProtocolError, match="more than"):
            connection.next_event()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1 << 20


@pytest.mark.parametrize("claimed", [1, 100, MAX_LONG_FRAME])
def test_a_frame_that_says_less_or_more_than_is_in_it_is_refused(claimed: int) -> None:
    packed = bytearray(compression._zstandard().ZstdCompressor(level=1).compress(bytes(70_000)))
    assert packed[4] >> 6 == 2
    packed[5 : 5 + 4] = claimed.to_bytes(4, "little")
    with pytest.raises(ValueError, match="compressed frame"):
        compression.unpack(bytes(packed), MAX_LONG_FRAME)


@pytest.mark.slow
@pytest.mark.parametrize("method", Method)
def test_every_form_spoilt_at_length(method: Method) -> None:
    chance = random.Random(str(method))
    for message in _examples(method):
        taken_apart = msgspec.msgpack.decode(encode(message))
        for _ in range(AT_LENGTH // 20):
            decoded(pack(changed(taken_apart, places(taken_apart, chance), lambda value: lie_about(value, chance))))
            payload = bytearray(framed(taken_apart)[4:])
            for _ in range(chance.randrange(1, 4)):
                payload[chance.randrange(len(payload))] = chance.randrange(256)
            decoded(bytes(payload))


def _examples(method: Method) -> list[Message]:
    """Ten calls of a method, and ten replies."""
    found: list[Message] = []

    @values_given(method)
    def collect(call: Call, reply: Reply) -> None:
        found.extend((call, reply))

    collect()
    return found[-20:]


def values_given(method: Method) -> Any:
    from hypothesis import Phase, settings

    strategies = (
        st.builds(Call, st.just(method), values.arguments[method]),
        st.builds(Reply, st.just(method), values.results[method]),
    )
    return lambda test: settings(max_examples=40, phases=[Phase.generate], database=None)(given(*strategies)(test))
