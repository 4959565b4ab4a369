"""Who has to know that a command goes on and on, and how it goes: whoever started it as a service, and the status line."""

from __future__ import annotations

from collections.abc import Iterator

from aefsync.cli.status_line import StatusLine
from aefsync.cli.supervisor import Supervisor
from aefsync.core.ports import Monitor, Phase
from aefsync.sync.events import Event, Summary, closing


class Audience:
    """Both of them; there need be no status line."""

    def __init__(self, supervisor: Supervisor, status: StatusLine | None) -> None:
        self._supervisor = supervisor
        self._status = status

    def alive(self, shown: Monitor) -> Monitor:
        """A monitor that shows progress on another one, and takes it for a sign of life."""
        return _Alive(shown, self._supervisor)

    def rested(self, due_s: float) -> None:
        """Hear that nothing is going on, and for how long."""
        self._supervisor.alive()
        if self._status is not None:
            self._status.rest(due_s)

    def seen(self, events: Iterator[Event]) -> Iterator[Event]:
        """The events, all of which are heard of."""
        with closing(events):
            for event in events:
                if isinstance(event, Summary):
                    self._supervisor.ready()
                if self._status is not None:
                    self._status.saw(event)
                yield event


class _Alive:
    def __init__(self, shown: Monitor, supervisor: Supervisor) -> None:
        self.heard = shown.heard
        self._shown = shown
        self._supervisor = supervisor

    def progress(self, replica: int, phase: Phase, done: int, total: int) -> None:
        self._supervisor.alive()
        self._shown.progress(replica, phase, done, total)
