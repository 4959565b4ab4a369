"""`ThrottledStream`: no more than so many bytes a second through another stream, in each direction."""

from __future__ import annotations

import time
from collections.abc import Callable

from aefsync.core.pace import Pace
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
        self._out = Pace(bytes_per_s, clock, sleep)
        self._in = Pace(bytes_per_s, clock, sleep)

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

    def read_into(self, room: memoryview) -> int:
        count = self._inner.read_into(room[: self._slice])
        self._in.passed(count)
        return count

    def write(self, *parts: bytes | memoryview) -> None:
        for part in parts:
            view = memoryview(part)
            while view:
                self._inner.write(view[: self._slice])
                self._out.passed(len(view[: self._slice]))
                view = view[self._slice :]

    def met(self) -> None:
        self._inner.met()

    def loss(self, said: bytes | None) -> AefsyncError:
        return self._inner.loss(said)

    def close(self) -> None:
        self._inner.close()
