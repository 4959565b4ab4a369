"""`ProcessStream`: a stream over the standard streams of a child process that leads to an agent.

Nothing waits for ever: a read or a write ends with `TimeoutError` after a time without one byte, or when the stream is
closed by another thread.  What the process writes to its standard error is held back until it is known whether the
agent answers: then every line is passed on as it comes; else they tell why not.
"""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import threading
from collections.abc import Callable, Sequence
from typing import IO, NamedTuple

from aefsync.errors import AefsyncError

MAX_LINES = 200
"""Lines of standard error that are kept to explain a failure."""
MAX_LINE = 4096
_END_S = 5.0
_PIPE_SIZE = 1 << 20
_F_SETPIPE_SZ = 1031


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
        pipe = subprocess.PIPE
        group = 0 if apart else None
        self._process = subprocess.Popen(argv, stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0, process_group=group)
        assert self._process.stdin and self._process.stdout and self._process.stderr
        self._stdin, self._stdout = self._process.stdin, self._process.stdout
        for file in (self._stdin, self._stdout):
            os.set_blocking(file.fileno(), False)
            _widen(file.fileno())
        self._errors = _Errors(self._process.stderr, heard)
        self._woken, self._wake = os.pipe()
        self._reading, self._writing, self._closing = threading.Lock(), threading.Lock(), threading.Lock()
        self._closed = False
        self._broken = False

    def read(self, size: int) -> bytes:
        with self._reading:
            self._wait(self._stdout, select.POLLIN)
            data = os.read(self._stdout.fileno(), size)
        self.received_bytes += len(data)
        return data

    def write(self, data: bytes) -> None:
        view = memoryview(data)
        with self._writing:
            while view:
                self._wait(self._stdin, select.POLLOUT)
                with contextlib.suppress(BlockingIOError):
                    count = os.write(self._stdin.fileno(), view)
                    self.sent_bytes += count
                    view = view[count:]

    def met(self) -> None:
        """An agent has answered: what comes on standard error from now on, and what has come, is for the user."""
        self._errors.release()

    def loss(self, said: bytes | None) -> AefsyncError:
        """Why nothing more comes."""
        self._broken = True
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1.0)
        return self._explain(Ending(self._process.poll(), said, self._errors.all()))

    def close(self) -> None:
        """End the process; one that leads to an agent ends by itself when its standard input does."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
        os.write(self._wake, b"x")
        with self._reading, self._writing:
            self._stdin.close()
        self._end()
        self._stdout.close()
        self._errors.close()
        os.close(self._woken)
        os.close(self._wake)

    def _wait(self, file: IO[bytes], event: int) -> None:
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

    def _end(self) -> None:
        process = self._process
        patience = [(process.terminate, 0.0 if self._broken else _END_S), (process.kill, 1.0)]
        for harder, seconds in patience:
            try:
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                harder()
        process.wait()


class _Errors:
    """Reads lines of standard error in a thread of its own."""

    def __init__(self, file: IO[bytes], heard: Callable[[str], None]) -> None:
        self._file = file
        self._heard = heard
        self._held: list[str] | None = []
        self._last: list[str] = []
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def release(self) -> None:
        with self._lock:
            held, self._held = self._held or (), None
            for line in held:
                self._heard(line)

    def all(self) -> tuple[str, ...]:
        """The last lines, once the process is silent."""
        self._thread.join(0.5)
        with self._lock:
            return tuple(self._last)

    def close(self) -> None:
        # A process that was left behind on purpose (the master of shared connections) may keep its end open.
        self._thread.join(0.2)
        if not self._thread.is_alive():
            self._file.close()

    def _read(self) -> None:
        rest = b""
        while data := os.read(self._file.fileno(), 1 << 16):
            *lines, rest = (rest + data).replace(b"\r", b"\n").split(b"\n")
            rest = rest[:MAX_LINE]
            self._take(lines)
        self._take([rest])

    def _take(self, lines: list[bytes]) -> None:
        texts = [line[:MAX_LINE].decode("utf-8", "surrogateescape") for line in lines if line.strip()]
        with self._lock:
            self._last = (self._last + texts)[-MAX_LINES:]
            if self._held is None:
                for text in texts:
                    self._heard(text)
            else:
                self._held = (self._held + texts)[-MAX_LINES:]


def _widen(fd: int) -> None:
    """A larger pipe, where the system has them: fewer switches between processes."""
    with contextlib.suppress(ImportError, OSError):
        import fcntl

        fcntl.fcntl(fd, _F_SETPIPE_SZ, _PIPE_SIZE)
