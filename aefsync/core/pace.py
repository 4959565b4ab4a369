"""Pace: no more than so many bytes a second."""

from __future__ import annotations

from collections.abc import Callable


class Pace:
    """Sleeps as long as what has passed takes at the rate; idle time is not made up for.  A rate of 0 is none."""

    def __init__(self, bytes_per_s: int, clock: Callable[[], float], sleep: Callable[[float], None]) -> None:
        self._bytes_per_s = bytes_per_s
        self._clock = clock
        self._sleep = sleep
        self._free_at = 0.0

    def passed(self, size: int) -> None:
        if not self._bytes_per_s:
            return
        now = self._clock()
        self._free_at = max(self._free_at, now) + size / self._bytes_per_s
        if self._free_at > now:
            self._sleep(self._free_at - now)
