"""Calls on their way to an agent: sent one after the other, ended in the same order, the next before the last has ended.

A thread of its own reads while any call has not ended.  Without it two sides that both have much to send would wait
for each other for ever: neither takes anything in before it has got rid of its own.
"""

from __future__ import annotations

import collections
import queue
import threading
from collections.abc import Callable
from typing import Any

from aefsync.core.ports import Phase
from aefsync.errors import AefsyncError, ProtocolError, UnreachableError
from aefsync.wire.codec import NEED_DATA, Connection, LocalProtocolError, Role, State
from aefsync.wire.dialogue import Call, Failed, Method, Progress, Reply, error_of
from aefsync.wire.stream import Stream

OnProgress = Callable[[Phase, int, int], None]


class Pending:
    """A call on its way.

    What is waited for is a queue, in C: a signal that comes while an `Event` is entered leaves it locked, and whoever
    ends the call then waits for ever.
    """

    def __init__(self) -> None:
        self._ends: queue.SimpleQueue[Reply | Failed | BaseException] = queue.SimpleQueue()
        self._end: Reply | Failed | BaseException | None = None

    def end(self, end: Reply | Failed | BaseException) -> None:
        self._end = end
        self._ends.put(end)

    @property
    def is_done(self) -> bool:
        """Whether the call has ended well."""
        return isinstance(self._end, Reply)

    def wait(self) -> Any:
        """What the call returned; raises what it raised, or why nothing comes any more."""
        end = self._ends.get() if self._end is None else self._end
        if isinstance(end, Reply):
            return end.value
        raise error_of(end) if isinstance(end, Failed) else end


class Caller:
    """Calls over a stream, which it owns; `label` names the peer in errors.  Any thread may call."""

    def __init__(self, stream: Stream, on_progress: OnProgress, label: str, *, compress: bool) -> None:
        self.stream = stream
        self.connection = Connection(Role.CLIENT, compress=compress)
        self._on_progress = on_progress
        self._label = label
        self._pending: collections.deque[Pending] = collections.deque()
        self._lock = threading.Lock()
        """Guards the connection, what is pending, and whether all is over.  It is entered itself, never by way of the
        condition: that takes it in a Python function, in which a signal would leave it taken."""
        self._changed = threading.Condition(self._lock)
        self._sending = threading.Lock()
        self._over = False
        self._loss: UnreachableError | None = None
        """why the peer cannot be reached any more, if that is so"""
        self._reader: threading.Thread | None = None

    @property
    def is_idle(self) -> bool:
        """Whether a peer is there that waits for a call."""
        with self._lock:
            return not self._over and self.connection.state is State.IDLE and self.connection.said is None

    @property
    def is_over(self) -> bool:
        """Whether nobody can be called any more."""
        return self._over

    def send(self, method: Method, *arguments: Any) -> Pending:
        """Send a call; raises `UnreachableError` where all is over, `ProtocolError` for what no call may say."""
        pending = Pending()
        with self._sending:
            with self._lock:
                if self._over:
                    raise self._gone()
                try:
                    parts = self.connection.send_in_parts(Call(method, arguments))
                except LocalProtocolError as error:
                    # Somebody else said what it would be told, and said too much.
                    raise ProtocolError(f"{self._label}: {method} cannot be asked: {error}") from error
                self._pending.append(pending)
                self._changed.notify()
            if self._reader is None:
                # Known only once it runs: a signal may strike between the two, and the end waits for what is known.
                reader = threading.Thread(target=self._read, daemon=True)
                reader.start()
                self._reader = reader
            try:
                self.stream.write(*parts)
            except OSError as error:
                self._give_up(self._broken(error))
            except AefsyncError as error:
                self._give_up(error)
        return pending

    def end(self) -> None:
        """Let go of the peer without a word; it ends with its stream."""
        self._give_up(UnreachableError("the connection is closed"))
        if self._reader is not None and self._reader is not threading.current_thread():
            self._reader.join(1.0)

    def break_off(self, error: AefsyncError) -> AefsyncError:
        """End everything for this reason, which comes back with the label before it."""
        self._give_up(error)
        return error

    def _read(self) -> None:
        try:
            while self._is_due():
                self._take(self._next_message())
        except EOFError:
            self._give_up(self.stream.loss(self.connection.said))
        except OSError as error:
            self._give_up(self._broken(error))
        except BaseException as error:  # noqa: BLE001  also what the monitor raises: it is raised again by who waits
            self._give_up(error)

    def _is_due(self) -> bool:
        with self._lock:
            self._changed.wait_for(lambda: self._pending or self._over)
            return not self._over

    def _next_message(self) -> Progress | Reply | Failed:
        is_met = self.connection.said is None
        while True:
            with self._lock:
                event = self.connection.next_event()
            if event is not NEED_DATA:
                break
            count = self.stream.read_into(self.connection.room())
            if not count:
                raise EOFError
            with self._lock:
                self.connection.filled(count)
        if not is_met:
            self.stream.met()
        assert not isinstance(event, Call)
        return event

    def _take(self, message: Progress | Reply | Failed) -> None:
        if isinstance(message, Progress):
            self._on_progress(*message)
        else:
            with self._lock:
                pending = self._pending.popleft()
            if isinstance(message, Failed) and message.kind == UnreachableError.__name__:
                # It is lost to the peer, which ends now: nobody can be called any more.
                self._give_up(error_of(message))
            pending.end(message)

    def _broken(self, error: OSError) -> AefsyncError:
        """What it means that the stream failed."""
        if isinstance(error, BrokenPipeError | ConnectionResetError):
            return self.stream.loss(self.connection.said)
        return UnreachableError(f"connection lost: {error.strerror or error}", transient=True)

    def _gone(self) -> UnreachableError:
        """The error of a call that comes too late: it is lost for the reason for which those before it were."""
        loss = self._loss or UnreachableError(f"{self._label}: the connection is closed")
        return UnreachableError(loss.message, hint=loss.hint, transient=loss.transient)

    def _give_up(self, error: BaseException) -> None:
        with self._lock:
            is_first, self._over = not self._over, True
            lost = list(self._pending)
            self._pending.clear()
            self._changed.notify()
        if isinstance(error, AefsyncError):
            error.put_before(self._label)
        if is_first:
            self._loss = error if isinstance(error, UnreachableError) else None
            self.stream.close()
        for pending in lost:
            pending.end(error)
