"""The toll of several sessions: the one exit code that all of them together come to, and every cause of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from aefsync.sync.events import Event, Started, Summary

_ORDER = (2, 3, 5, 6, 8, 7, 4, 1, 0)
"""Of several exit codes, the first of these is that of the whole (CLI.md)."""


class Toll:
    """What sessions have come to so far."""

    def __init__(self, *, dry_run: bool) -> None:
        self._exit_code = 0
        self._causes: dict[str, None] = {}
        self._nothing = Summary(0, dry_run=dry_run, verified=False)

    def add(self, exit_code: int, *causes: str) -> None:
        """Take something into account that went wrong."""
        self._exit_code = min(self._exit_code, exit_code, key=_ORDER.index)
        self._causes |= dict.fromkeys(causes)

    def summed_up(self, events: Iterable[Event]) -> Iterator[Event]:
        """The events of sessions, of which each begins with `Started`; the summary at the very end, which there always
        is, speaks for all sessions so far."""
        held: Summary | None = None
        for event in events:
            if isinstance(event, Started) and held is not None:
                yield held
                held = None
            if isinstance(event, Summary):
                self.add(event.exit_code, *event.causes)
                held = event
            else:
                yield event
        last = self._nothing if held is None else held
        yield last._replace(exit_code=self._exit_code, causes=tuple(self._causes))
