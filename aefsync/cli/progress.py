"""Progress as the engine's monitor: what each replica is at, drawn by `progress_bar` once a run takes a while.

rich is imported only then.  Whoever prints calls `pause` first: the drawing goes away, and comes back when nothing
has been printed for a moment.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TextIO

from aefsync.core.ports import Phase

if TYPE_CHECKING:
    from aefsync.cli.progress_bar import Bars

PATIENCE_S = 0.5
"""No drawing in the first half second, nor just after something was printed."""


class Progress:
    """A `Monitor` that draws on stderr."""

    def __init__(self, stdout: TextIO | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._stdout = stdout
        self._clock = clock
        self._lock = threading.RLock()
        self._bars: Bars | None = None
        self._not_before = clock() + PATIENCE_S

    def progress(self, replica: int, phase: Phase, done: int, total: int) -> None:
        with self._lock:
            if self._bars is None:
                if self._clock() < self._not_before:
                    return
                self._draw()
            assert self._bars is not None
            self._bars.update(replica, phase, done, total)

    def pause(self) -> None:
        """Take the drawing away: something is going to be printed."""
        with self._lock:
            self._not_before = self._clock() + PATIENCE_S
            if self._bars is not None:
                self._bars.stop()
                self._bars = None

    def _draw(self) -> None:
        from aefsync.cli.progress_bar import Bars

        if self._stdout is not None:
            self._stdout.flush()
        self._bars = Bars()
