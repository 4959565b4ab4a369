"""A stream held to a rate, by a clock that only moves when somebody sleeps."""

from __future__ import annotations

import socket

import pytest

from aefsync.errors import UnreachableError
from aefsync.wire.stream import SocketStream
from aefsync.wire.throttle import ThrottledStream


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_bytes_take_their_time_in_both_directions() -> None:
    here, there = map(SocketStream, socket.socketpair())
    clock = Clock()
    stream = ThrottledStream(here, 1000, clock, clock.sleep)
    stream.write(bytes(5000))
    assert clock.now == pytest.approx(105.0)
    there.write(bytes(2000))
    received = 0
    while received < 2000:
        received += len(stream.read(1 << 20))
    assert clock.now == pytest.approx(107.0)
    assert (stream.sent_bytes, stream.received_bytes) == (5000, 2000)
    clock.now += 50  # idle time is not saved up
    stream.write(bytes(1000))
    assert clock.now == pytest.approx(158.0)
    stream.met()
    assert isinstance(stream.loss(None), UnreachableError)
    stream.close()
    there.close()
