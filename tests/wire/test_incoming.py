"""What is received, however it is cut: the same frames come out of it, each in memory that stays its own."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aefsync.wire.incoming import Incoming
from tests.support.filling import fill

LENGTH = 4


def frames(incoming: Incoming) -> list[memoryview]:
    """The frames that are whole, as a connection takes them."""
    found = []
    while True:
        if not incoming.has_begun:
            if len(incoming.loose) < LENGTH:
                return found
            incoming.begin(LENGTH, int.from_bytes(incoming.loose[:LENGTH]))
        frame = incoming.take()
        if frame is None:
            return found
        found.append(frame)


def receive(incoming: Incoming, data: bytes, *, in_place: bool) -> list[memoryview]:
    """Take in some bytes, in the room that is offered or from elsewhere."""
    if not in_place:
        incoming.append(data)
        return frames(incoming)
    return [frame for _ in fill(incoming, data) for frame in frames(incoming)]


@given(
    st.lists(st.tuples(st.sampled_from([0, 1, 9, 300, 70_000, 150_000]), st.integers(1, 255)), max_size=6),
    st.lists(st.tuples(st.integers(1, 200_000) | st.integers(1, 9), st.booleans()), max_size=12),
)
def test_frames_come_out_as_they_were(sizes: list[tuple[int, int]], cuts: list[tuple[int, bool]]) -> None:
    payloads = [bytes([mark]) * size for size, mark in sizes]
    data = b"".join(len(each).to_bytes(LENGTH) + each for each in payloads)
    incoming, found = Incoming(), list[memoryview]()
    for size, in_place in [*cuts, (len(data), True)]:
        found += receive(incoming, data[:size], in_place=in_place)
        data = data[size:]
    assert found == payloads
    assert not incoming


def test_memory_of_a_large_frame_that_is_let_go_serves_the_next() -> None:
    incoming, payload = Incoming(), bytes(100_000)
    data = len(payload).to_bytes(LENGTH) + payload
    places = set()
    for _ in range(5):
        (frame,) = receive(incoming, data, in_place=True)
        places.add(id(frame.obj))
        del frame
    assert len(places) == 1


def test_what_is_cleared_is_gone() -> None:
    incoming = Incoming()
    for data in (b"\0\0\0\5ab", b"\0"):
        receive(incoming, data, in_place=False)
        assert incoming
        incoming.clear()
        assert not incoming
