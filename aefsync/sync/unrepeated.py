"""Says the same trouble once in a while only: a watch comes across it in every pass."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterator

from aefsync.sync.events import (
    RECOVERED,
    Acted,
    Conflicted,
    Event,
    Filtered,
    LeftUndone,
    Notice,
    Summary,
    Troubled,
    closing,
)

_MOST = 4096
"""Events remembered; what was said longest ago is forgotten first."""


class Unrepeated:
    """Lets what was said within the last `period_s` seconds not be said again, but that trouble is over whenever it was told
    of."""

    def __init__(self, period_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._period_s = period_s
        self._clock = clock
        self._said_s: dict[Hashable, float] = {}
        self._has_acted = False

    def of(self, events: Iterator[Event]) -> Iterator[Event]:
        """The events that are news."""
        with closing(events):
            yield from filter(self._is_news, events)

    def _is_news(self, event: Event) -> bool:
        key = self._key(event)
        if isinstance(event, Summary):
            self._has_acted = False
        elif isinstance(event, Acted):
            self._has_acted = True
        if key is None:
            return True
        now_s, said_s = self._clock(), self._said_s.get(key)
        if said_s is not None and now_s - said_s < self._period_s:
            return False
        self._said_s.pop(key, None)
        if event != RECOVERED:
            self._said_s.pop(RECOVERED, None)
        self._said_s[key] = now_s
        if len(self._said_s) > _MOST:
            del self._said_s[next(iter(self._said_s))]
        return True

    def _key(self, event: Event) -> Hashable:
        """What makes an event the same as another one; `None`: nothing does."""
        match event:
            case Troubled() | Notice() | LeftUndone() | Filtered():
                return event
            case Conflicted(kept_as=None):
                return event
            case Summary() if not self._has_acted:
                return event.exit_code, event.causes, event.conflicts, event.suspects, event.problems
        return None
