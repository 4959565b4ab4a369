"""`ThrottledStream`: no more than so many bytes a second through another stream, in each direction."""

from __future__ import annotations

import time
from collections.abc import Callable

from aefsync.errors import AefsyncError
from aefsync.wire.stream import Stream

_BURST_S = 0.1
"""What may pass at once, in seconds of the rate."""


class ThrottledStream:
    """A stream around another."""

    def __init__(
        self,
        inner: Stream,
        bytes_per_s: int,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._inner = inner
        self._slice = max(1, int(bytes_per_s * _BURST_S))
        self._out = _Pace(bytes_per_s, clock, sleep)
        self._in = _Pace(bytes_per_s, clock, sleep)

    @property
    def sent_bytes(self) -> int:
        return self._inner.sent_bytes

    @property
    def received_bytes(self) -> int:
        return self._inner.received_bytes

    def read(self, size: int) -> bytes:
        data = self._inner.read(min(size, self._slice))
        self._in.passed(len(data))
        return data

    def write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            self._inner.write(bytes(view[: self._slice]))
            self._out.passed(len(view[: self._slice]))
            view = view[self._slice :]

    def met(self) -> None:
        self._inner.met()

    def loss(self, said: bytes | None) -> AefsyncError:
        return self._inner.loss(said)

    def close(self) -> None:
        self._inner.close()


class _Pace:
    """Sleeps as long as what has passed takes at the rate; idle time is not made up for."""

    def __init__(self, bytes_per_s: int, clock: Callable[[], float], sleep: Callable[[float], None]) -> None:
        self._bytes_per_s = bytes_per_s
        self._clock = clock
        self._sleep = sleep
        self._free_at = 0.0

    def passed(self, size: int) -> None:
        now = self._clock()
        self._free_at = max(self._free_at, now) + size / self._bytes_per_s
        if self._free_at > now:
            self._sleep(self._free_at - now)
