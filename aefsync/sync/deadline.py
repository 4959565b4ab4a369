"""The time that a run may take: when it is up, the run ends between two steps, what was done so far being recorded."""

from __future__ import annotations

import time
from collections.abc import Callable


class Deadline:
    """So many seconds from `begun` on; `None`: all the time in the world.

    `late` says that there was something left to do when the time was up.
    """

    def __init__(
        self, seconds: int | None = None, begun: float = 0.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.late = False
        self._end = None if seconds is None else begun + seconds
        self._clock = clock

    def is_up(self) -> bool:
        """Asked before each step: whether it must not be taken any more."""
        self.late = self.late or (self._end is not None and self._clock() >= self._end)
        return self.late
