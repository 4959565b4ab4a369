"""`ProcessStream`: a stream over the standard streams of a child process that leads to an agent.

Nothing waits for ever: a read or a write ends with `TimeoutError` after a time without one byte, or when the stream is
closed by another thread.  What the process writes to its standard error is held back until it is known whether the
agent answers: then every line is passed on as it comes; else they tell why not.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import subprocess
import threading
from collections.abc import Callable, Sequence
from typing import IO

from aefsync.core.named_tuple import NamedTuple
from aefsync.errors import AefsyncError
from aefsync.wire.stderr import StandardError
from aefsync.wire.stream import rest, widen

_END_S = 5.0
_UNREAD = 1 << 20
"""Bytes that may lie before the process, if the system allows so many."""


class Ending(NamedTuple):
    """How a process ended that was to lead to an agent.

    `code` is its exit status (negative: the signal; `None`: it is still there), `said` what came on its standard
    output before any agent answered (`None`: one had answered), `lines` what it wrote to its standard error.
    """

    code: int | None
    said: bytes | None
    lines: tuple[str, ...]


Explain = Callable[[Ending], AefsyncError]


class ProcessStream:
    """Starts `argv`; `explain` says what its end means, `heard` is told the lines of its standard error.

    Until the first byte comes, `first_s` may pass (somebody may be typing a password), then `silence_s`.  `apart` puts
    it into a process group of its own, where no Ctrl-C reaches it, but no terminal either.
    """

    def __init__(
        self,
        argv: Sequence[str],
        explain: Explain,
        heard: Callable[[str], None],
        *,
        first_s: float,
        silence_s: float,
        apart: bool,
    ) -> None:
        self.sent_bytes = 0
        self.received_bytes = 0
        self._explain = explain
        self._first_s = first_s
        self._silence_s = silence_s
        self._stdin, theirs = socket.socketpair()
        try:
            with theirs:
                self._process = _start(argv, theirs, apart=apart)
        except BaseException:
            self._stdin.close()
            raise
        assert self._process.stdout and self._process.stderr
        self._stdout, self._stderr = self._process.stdout, self._process.stderr
        self._stdin.settimeout(0)
        with contextlib.suppress(OSError):
            self._stdin.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _UNREAD)
        os.set_blocking(self._stdout.fileno(), False)
        widen(self._stdout.fileno())
        self._woken, self._wake = os.pipe()
        self._enough, self._no_more = os.pipe()
        self._has_enough = False
        self._errors = StandardError(self._read_errors, heard)
        self._reading, self._writing, self._closing = threading.Lock(), threading.Lock(), threading.Lock()
        self._closed = False
        self._broken = False
        self._is_awaited = False
        """whether an answer is waited for, or was when the wait was broken off: an agent that is busy with it goes on, and
        nobody listens any more"""

    def read(self, size: int) -> bytes:
        with self._reading:
            self._is_awaited = True
            self._wait(self._stdout, select.POLLIN)
            data = os.read(self._stdout.fileno(), size)
            self._is_awaited = False
        self.received_bytes += len(data)
        return data

    def read_into(self, room: memoryview) -> int:
        with self._reading:
            self._is_awaited = True
            self._wait(self._stdout, select.POLLIN)
            count = os.readv(self._stdout.fileno(), [room])
            self._is_awaited = False
        self.received_bytes += count
        return count

    def write(self, *parts: bytes | memoryview) -> None:
        left = rest(parts, 0)
        with self._writing:
            while left:
                self._wait(self._stdin, select.POLLOUT)
                with contextlib.suppress(BlockingIOError):
                    count = self._stdin.sendmsg(left)
                    self.sent_bytes += count
                    left = rest(left, count)

    def met(self) -> None:
        """An agent has answered: what comes on standard error from now on, and what has come, is for the user."""
        self._errors.release()

    def loss(self, said: bytes | None) -> AefsyncError:
        """Why nothing more comes."""
        self._broken = True
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_S)
        return self._explain(Ending(self._process.poll(), said, self._errors.lines(0.5)))

    def close(self) -> None:
        """End the process; one that leads to an agent ends by itself when its standard input does."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
        self._broken = self._broken or self._is_awaited
        os.write(self._wake, b"x")
        with self._reading, self._writing:
            self._stdin.close()
        self._end()
        self._stdout.close()
        self._errors.lines(0.2)
        os.close(self._no_more)  # what was left behind, as the master of shared connections, may write on for ever
        self._errors.lines(_END_S)
        if self._errors.has_ended:  # unless who is told of a line does not come back
            self._stderr.close()
            os.close(self._enough)
        os.close(self._woken)
        os.close(self._wake)

    def _wait(self, file: IO[bytes] | socket.socket, event: int) -> None:
        """Wait until something can be done with `file`, or for it to be hung up."""
        limit = self._silence_s if self.received_bytes else self._first_s
        if self._closed:
            raise ConnectionError("the stream is closed")
        poll = select.poll()
        poll.register(file, event)
        poll.register(self._woken, select.POLLIN)
        ready = [fd for fd, _ in poll.poll(limit * 1000)]
        if not ready:
            self._broken = True
            raise TimeoutError(f"no byte for {limit:g} s")
        if self._woken in ready:
            raise ConnectionError("the stream is closed")

    def _read_errors(self) -> bytes:
        """What comes on standard error; when no more is wanted, once more what the pipe holds."""
        if self._has_enough:
            return b""
        poll = select.poll()
        poll.register(self._stderr, select.POLLIN)
        poll.register(self._enough, 0)  # hung up, once its other end is closed
        ready = [fd for fd, _ in poll.poll()]
        self._has_enough = self._enough in ready
        return os.read(self._stderr.fileno(), 1 << 16) if self._stderr.fileno() in ready else b""

    def _end(self) -> None:
        process = self._process
        patience = [(process.terminate, 0.0 if self._broken else _END_S), (process.kill, 1.0)]
        for harder, seconds in patience:
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                harder()
        process.wait()


def _start(argv: Sequence[str], stdin: socket.socket, *, apart: bool) -> subprocess.Popen[bytes]:
    """Start a process whose standard input is a socket: who writes to a pipe that is full is woken for every page that
    has been read, who writes to a socket for a large part of it."""
    pipe, group = subprocess.PIPE, 0 if apart else None
    return subprocess.Popen(argv, stdin=stdin.fileno(), stdout=pipe, stderr=pipe, bufsize=0, process_group=group)
