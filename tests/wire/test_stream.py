from __future__ import annotations

import socket

import pytest

from aefsync.wire.stream import SocketStream


def test_bytes_pass_and_are_counted() -> None:
    here, there = map(SocketStream, socket.socketpair())
    here.write(b"hello")
    assert there.read(100) == b"hello"
    assert (here.sent_bytes, there.received_bytes, there.sent_bytes) == (5, 5, 0)
    here.close()
    assert there.read(100) == b""
    there.close()


def test_a_closed_stream_fails_cleanly_and_closes_again() -> None:
    here, there = map(SocketStream, socket.socketpair())
    there.close()
    there.close()
    with pytest.raises(OSError):
        here.write(b"x")
    here.close()
    with pytest.raises(OSError):
        here.read(1)
