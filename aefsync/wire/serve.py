"""`serve`: the agent's side of a session, a loop around a replica of this machine."""

from __future__ import annotations

import contextlib
import errno
import os
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

from aefsync.core.ports import Phase, Replica
from aefsync.core.problem import reason_of
from aefsync.errors import AefsyncError, IncompatibleError, ProtocolError, RootError, UnreachableError
from aefsync.wire.ahead import Ahead
from aefsync.wire.codec import NEED_DATA, PULSE, Connection, LocalProtocolError, Role, State
from aefsync.wire.dialogue import Call, Failed, Message, Method, Progress, Reply, failure_of
from aefsync.wire.stream import READ_SIZE, Stream

_OF_THE_DISK = (
    *(errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ESTALE, errno.ENODEV, errno.ENOMEM),
    *(errno.EACCES, errno.EPERM, errno.EMFILE, errno.ENFILE, errno.ENOENT, errno.ENOTDIR),
)
"""Errors that no replica can do anything about, wherever they come up."""
PROGRESS_INTERVAL = 0.05
PROGRESS_SHARE = 0.1
PROGRESS_LONGEST = 1.0
"""Between two progress messages of one phase lie so many seconds, and such a share of how long it has been going on, up to
a longest pause: a long scan that finds nothing to do shall not say more of itself than everything else takes."""


class Served(Replica, Protocol):
    """A replica that says how far it is, and ends a `wait` when it is `stirred`."""

    on_progress: Callable[[Phase, int, int], None]
    stirred: threading.Event


def serve(
    replica: Served, stream: Stream, clock: Callable[[], float] = time.monotonic, *, pulse_s: float | None = None
) -> ProtocolError | IncompatibleError | None:
    """Serve calls until the client closes, is lost, or breaks the protocol, which is returned; the replica and the stream
    are closed.

    With `pulse_s` something is sent that often, so that the client can tell long work from a dead peer.
    """
    channel = _Channel(stream)
    replica.on_progress = _Throttle(channel.report, clock)
    try:
        channel.greet()
        if pulse_s is not None:
            threading.Thread(target=channel.beat, args=(pulse_s,), daemon=True).start()
        while (call := channel.next_call()) is not None:
            if call.method is Method.WAIT:
                channel.listen(replica.stirred)
            end, goes_on = _perform(replica, call)
            if not (channel.answer(end) and goes_on):
                break
    except (OSError, _ClientGone):
        pass  # nobody is left to be told
    except (ProtocolError, IncompatibleError) as error:
        with contextlib.suppress(OSError):
            channel.answer(failure_of(error))
        return error
    finally:
        channel.over.set()
        try:
            replica.close()
        finally:
            stream.close()
    return None


class _ClientGone(UnreachableError):
    """Raised through the replica's method, so that work for nobody ends."""


def _perform(replica: Replica, call: Call) -> tuple[Reply | Failed, bool]:
    """The end of a call, and whether the session goes on after it."""
    try:
        value: Any = getattr(replica, call.method)(*call.arguments)
    except _ClientGone:
        raise
    except UnreachableError as error:
        return failure_of(error), False  # a replica that has lost its root's machine
    except AefsyncError as error:
        return failure_of(error), True
    except Exception as error:  # noqa: BLE001  whatever it is, the other side is told
        if isinstance(error, OSError) and error.errno in _OF_THE_DISK:
            return failure_of(RootError(reason_of(error))), True
        return failure_of(AefsyncError(f"internal error: {_one_line(error)}")), False
    return Reply(call.method, value), True


def _one_line(error: Exception) -> str:
    """The exception and where it was raised."""
    import traceback  # with a dozen modules that a run without trouble does without

    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({os.path.basename(frames[-1].filename)}:{frames[-1].lineno})" if frames else ""
    text = " ".join(str(error).split())[:400]
    return f"{type(error).__name__}: {text}{place}"


class _Channel:
    """The connection over its stream; a lock keeps progress, which may come from any thread, apart from replies."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._connection = Connection(Role.SERVER, compress=True)
        self._lock = threading.Lock()
        self._ahead: Ahead | None = None
        self.over = threading.Event()

    def greet(self) -> None:
        self._stream.write(self._connection.greet())

    def beat(self, pulse_s: float) -> None:
        """Send pulses until the session is over."""
        while not self.over.wait(pulse_s):
            with self._lock, contextlib.suppress(OSError):
                self._stream.write(PULSE)

    def next_call(self) -> Call | None:
        """The next call; `None` where the client has closed."""
        if self._connection.state is State.CLOSED:
            return None
        while (event := self._connection.next_event()) is NEED_DATA:
            if not self._receive():
                return None
        assert isinstance(event, Call)
        return event

    def _receive(self) -> int:
        """Receive something; how many bytes."""
        ahead, self._ahead = self._ahead, None
        if ahead is None:
            count = self._stream.read_into(self._connection.room())
            self._connection.filled(count)
            return count
        data = ahead.result()
        self._connection.receive_data(data)
        return len(data)

    def listen(self, stirred: threading.Event) -> None:
        """Set `stirred` as soon as the client says anything, or leaves."""
        stirred.clear()
        if self._connection.has_more:
            stirred.set()
        else:
            self._ahead = Ahead(lambda: self._stream.read(READ_SIZE), stirred.set)

    def answer(self, end: Reply | Failed) -> bool:
        """Send the end of a call; whether it was what the replica gave, and not that it could not be sent."""
        try:
            self._send(end)
        except RootError as error:
            self._send(failure_of(error))
            return False
        except LocalProtocolError as error:
            self._send(failure_of(AefsyncError(f"internal error: {_one_line(error)}")))
            return False
        return True

    def report(self, phase: Phase, done: int, total: int) -> None:
        """Send progress, if a call is under way; raises `_ClientGone` where nobody listens."""
        try:
            with self._lock:
                if self._connection.state is State.BUSY:
                    self._stream.write(self._connection.send(Progress(phase, done, total)))
        except OSError as error:
            raise _ClientGone("the coordinator is gone") from error

    def _send(self, message: Message) -> None:
        with self._lock:
            self._stream.write(*self._connection.send_in_parts(message))


class _Throttle:
    """Lets progress through when its phase changes, ever more seldom while that lasts, and when one of at least
    `PROGRESS_INTERVAL` comes to its end: of a shorter one nobody sees a bar."""

    def __init__(self, report: Callable[[Phase, int, int], None], clock: Callable[[], float]) -> None:
        self._report = report
        self._clock = clock
        self._phase: Phase | None = None
        self._begun = self._due = 0.0

    def __call__(self, phase: Phase, done: int, total: int) -> None:
        now = self._clock()
        if phase is not self._phase:
            self._begun = self._due = now
        is_at_end = 0 < total == done and now >= self._begun + PROGRESS_INTERVAL
        if now >= self._due or is_at_end:
            pause = PROGRESS_INTERVAL + PROGRESS_SHARE * (now - self._begun)
            self._phase, self._due = phase, now + min(pause, PROGRESS_LONGEST)
            self._report(phase, done, total)
