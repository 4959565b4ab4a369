"""The line at the bottom of a terminal that says that a command goes on, and how things stand."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from aefsync.cli.replica_names import spoken
from aefsync.core.labels import label
from aefsync.core.ports import Phase
from aefsync.core.space import size_text
from aefsync.sync.events import Acted, Event, Started, Summary

if TYPE_CHECKING:
    from rich.live import Live

PATIENCE_S = 0.5
"""How long a pass goes on before there is anything to see of it, and how often that changes."""
_IN_BYTES = (Phase.READ, Phase.COPY)


class StatusLine:
    """Drawn again only when it changes: it costs nothing to be left running.  Any thread may tell of progress.

    `verb` is what the command does with its replicas.
    """

    def __init__(self, verb: str = "watching", clock: Callable[[], float] = time.time) -> None:
        self._verb = verb
        self._clock = clock
        self._names = ""
        self._state = "first pass"
        self._changed = ""
        self._has_acted = False
        self._lock = threading.RLock()
        self._live: Live | None = None
        self._shown = ""
        self._not_before_s = clock() + PATIENCE_S

    def saw(self, event: Event) -> None:
        """Take note of what an event says of how things stand."""
        match event:
            case Started():
                self._names = spoken([label(number) for number in range(len(event.locations))])
            case Acted():
                self._has_acted = True
            case Summary():
                self._state = "they agree" if event.equal else "they differ"
                if self._has_acted:
                    self._changed = f", last change at {self._time(0)}"
                self._has_acted = False

    def rest(self, due_s: float) -> None:
        """Show how things stand, a pass being due in so many seconds."""
        following = f"; next pass at {self._time(due_s)}" if due_s >= 1 else ""
        with self._lock:
            self._not_before_s = self._clock() + PATIENCE_S
            self._show(f"{self._state}{self._changed}{following}")

    def progress(self, replica: int, phase: Phase, done: int, total: int) -> None:
        """Show how far a pass is (`Monitor.progress`)."""
        with self._lock:
            now_s = self._clock()
            if now_s >= self._not_before_s:
                self._not_before_s = now_s + PATIENCE_S
                amount = size_text(done) if phase in _IN_BYTES else str(done)
                self._show(f"{label(replica)} {phase} {amount}")

    def pause(self) -> None:
        """Take the line away: something is going to be printed."""
        with self._lock:
            if self._live is not None:
                self._live.stop()
                self._live = None

    def _show(self, text: str) -> None:
        if self._live is not None and text == self._shown:
            return
        if self._live is None:
            self._live = _live()
        self._shown = text
        self._live.update(f"{self._verb} {self._names}: {text}", refresh=True)

    def _time(self, in_s: float) -> str:
        return f"{datetime.fromtimestamp(self._clock() + in_s):%H:%M:%S}"  # noqa: DTZ006  the time on the user's clock


def _live() -> Live:
    from rich.console import Console
    from rich.live import Live

    console = Console(stderr=True, highlight=False, markup=False)
    live = Live(console=console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False)
    live.start()
    return live
