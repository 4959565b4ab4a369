"""Asking an agent: one connection after another, calls in turn, and what was written but not yet acknowledged."""

from __future__ import annotations

import collections
import threading
import time
from collections.abc import Callable
from typing import Any

from aefsync.core.ports import Phase
from aefsync.errors import ProtocolError, UnreachableError
from aefsync.wire.calling import Caller, OnProgress, Pending
from aefsync.wire.dialogue import Method
from aefsync.wire.stream import Stream


def _ignore(*_: object) -> None:
    """Hear of progress and say nothing."""


class Asking:
    """A session with an agent: one call at a time, whichever thread makes it.

    `label` names the replica in errors.  After an error of the connection every call raises `UnreachableError`.
    """

    def __init__(
        self,
        stream: Stream,
        monitor: OnProgress | None = None,
        *,
        label: str = "replica",
        compress: bool = False,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.on_progress: OnProgress = monitor or _ignore
        self.label = label
        self.round_trips = 0
        self._settled_bytes = 0
        self.clock_ahead_ns = 0
        """How much later it is on the peer's clock than on ours, to within half a round trip or half a second."""
        self._clock_ns = clock_ns
        self._compress = compress
        self._earlier_sent = self._earlier_received = 0
        self._written: collections.deque[tuple[int, Pending]] = collections.deque()
        self._settling = threading.Lock()
        """One thread may write ahead while another one calls."""
        self._begin(stream)

    @property
    def sent_bytes(self) -> int:
        return self._earlier_sent + self._caller.stream.sent_bytes

    @property
    def received_bytes(self) -> int:
        return self._earlier_received + self._caller.stream.received_bytes

    @property
    def arrived_bytes(self) -> int:
        """Content that the replica has taken in, of files that are not complete yet."""
        return self._settled_bytes + sum(size for size, pending in self._written if pending.is_done)

    @property
    def peer_version(self) -> str | None:
        """The version of the agent's program, once it has greeted."""
        return self._caller.connection.peer_version

    @property
    def is_lost(self) -> bool:
        """Whether the connection is over."""
        return self._caller.is_over

    def count_anew(self) -> None:
        """Count bytes and round trips from here on."""
        stream = self._caller.stream
        self._earlier_sent, self._earlier_received = -stream.sent_bytes, -stream.received_bytes
        self.round_trips = 0

    def restart(self, stream: Stream) -> None:
        """Begin anew over another stream: the peer knows nothing of what was said before."""
        self.end()
        self._earlier_sent, self._earlier_received = self.sent_bytes, self.received_bytes
        self._begin(stream)

    def _begin(self, stream: Stream) -> None:
        self._written.clear()
        self._caller = Caller(stream, self._progressed, self.label, compress=self._compress)

    def _progressed(self, phase: Phase, done: int, total: int) -> None:
        self.on_progress(phase, done, total)

    def close(self) -> None:
        """End the session; a peer that is lost or never opened is only let go.  May be called again."""
        try:
            if self._caller.is_idle:
                self._call(Method.CLOSE)
        except (UnreachableError, ProtocolError):
            pass
        finally:
            self.end()

    def end(self) -> None:
        """Let go of the peer without a word; it ends with its stream."""
        self._caller.end()

    def _check(self, check: Callable[..., None], *values: Any) -> None:
        try:
            check(*values)
        except ProtocolError as error:
            raise self._caller.break_off(error) from None

    def _call(self, method: Method, *arguments: Any) -> Any:
        self.round_trips += 1
        value = self._caller.send(method, *arguments).wait()
        self.settle()
        return value

    def settle(self, most: int = 0) -> None:
        """Wait until at most so many bytes are written ahead and not yet there; raises what went wrong with them."""
        with self._settling:
            while self._written and sum(size for size, _ in self._written) > most:
                size, pending = self._written.popleft()
                pending.wait()
                self._settled_bytes += size
