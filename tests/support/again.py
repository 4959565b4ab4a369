"""The far side of `logins`: an agent that serves one session after the other over its standard input and output."""

from __future__ import annotations

import os

from aefsync.errors import AefsyncError
from aefsync.sync.agent import Pin, PinnedReplica
from aefsync.wire.serve import serve
from aefsync.wire.stream import READ_SIZE, Copying, PipeStream


class _Session(Copying):
    """One session's part of the stream; it begins when the client has said something, and ends without closing."""

    sent_bytes = received_bytes = 0

    def __init__(self, inner: PipeStream, first: bytes) -> None:
        self._first = first
        self._inner = inner
        self.write = inner.write

    def read(self, size: int) -> bytes:
        first, self._first = self._first, b""
        return first or self._inner.read(size)

    def met(self) -> None:
        return None

    def loss(self, said: bytes | None) -> AefsyncError:
        raise AssertionError("a server does not ask")

    def close(self) -> None:
        return None


def main() -> None:
    stream = PipeStream(os.dup(0), os.dup(1))
    os.dup2(2, 1)
    while first := stream.read(READ_SIZE):
        serve(PinnedReplica(Pin()), _Session(stream, first))


if __name__ == "__main__":
    main()
