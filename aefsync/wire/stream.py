"""Streams: the bytes between a coordinator and an agent, whatever carries them."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Callable, Sequence
from typing import Protocol

from aefsync.errors import AefsyncError, UnreachableError

READ_SIZE = 256 << 10
"""Bytes to ask a stream for at a time."""
_PIPE_SIZE = 1 << 20
_F_SETPIPE_SZ = 1031


class Stream(Protocol):
    """A connection in both directions; every method may raise `OSError` where it is lost."""

    @property
    def sent_bytes(self) -> int: ...

    @property
    def received_bytes(self) -> int: ...

    def read(self, size: int) -> bytes:
        """At least one byte and at most `size`, waiting for it; empty where the peer has closed."""

    def read_into(self, room: memoryview) -> int:
        """The same, into `room`, which it may not fill; how many bytes."""

    def write(self, *parts: bytes | memoryview) -> None:
        """Write all of them, one behind the other."""

    def met(self) -> None:
        """Hear that an agent has answered: what there is to say from now on is no explanation of why none does."""

    def loss(self, said: bytes | None) -> AefsyncError:
        """Why the peer has closed; `said` is what came before any agent answered (`None`: one had answered)."""

    def close(self) -> None:
        """Close both directions, which ends a `read` in another thread; may be called again."""


class Copying:
    """The half of a stream that receives by `read` only."""

    read: Callable[[int], bytes]

    def read_into(self, room: memoryview) -> int:
        data = self.read(len(room))
        room[: len(data)] = data
        return len(data)


class _Silent:
    """A stream that has nothing to tell beside its bytes."""

    def met(self) -> None:
        return None

    def loss(self, said: bytes | None) -> AefsyncError:
        return UnreachableError("connection lost: the other side has closed")


class SocketStream(_Silent):
    """A stream over a connected socket, which it owns."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self.sent_bytes = 0
        self.received_bytes = 0

    def read(self, size: int) -> bytes:
        data = self._socket.recv(size)
        self.received_bytes += len(data)
        return data

    def read_into(self, room: memoryview) -> int:
        count = self._socket.recv_into(room)
        self.received_bytes += count
        return count

    def write(self, *parts: bytes | memoryview) -> None:
        left = rest(parts, 0)
        while left:
            count = self._socket.sendmsg(left)
            self.sent_bytes += count
            left = rest(left, count)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


class PipeStream(_Silent):
    """A stream over two descriptors, one for each direction, which it owns."""

    def __init__(self, read_fd: int, write_fd: int) -> None:
        self._read_fd = read_fd
        self._write_fd = write_fd
        for fd in (read_fd, write_fd):
            widen(fd)
        self._closed = False
        self.sent_bytes = 0
        self.received_bytes = 0

    def read(self, size: int) -> bytes:
        data = os.read(self._read_fd, size)
        self.received_bytes += len(data)
        return data

    def read_into(self, room: memoryview) -> int:
        count = os.readv(self._read_fd, [room])
        self.received_bytes += count
        return count

    def write(self, *parts: bytes | memoryview) -> None:
        left = rest(parts, 0)
        while left:
            count = os.writev(self._write_fd, left)
            self.sent_bytes += count
            left = rest(left, count)

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            os.close(self._read_fd)
            os.close(self._write_fd)


def rest(parts: Sequence[bytes | memoryview], count: int) -> list[memoryview]:
    """What is left to be written of some parts, of which so many bytes are."""
    left: list[memoryview] = []
    for part in parts:
        if count < len(part):
            left.append(memoryview(part)[count:])
        count = max(0, count - len(part))
    return left


def widen(fd: int) -> None:
    """A larger pipe, where it is one and the system has them: fewer switches between processes."""
    with contextlib.suppress(ImportError, OSError):
        import fcntl

        fcntl.fcntl(fd, _F_SETPIPE_SZ, _PIPE_SIZE)
