"""Agenda: what a watch has to look at, and when.  It has no clock: all times are given, in seconds of one clock.

A pass is due when nothing more was heard for `settle_s` (but not later than `longest_s` after the first hint; and for
what breaks a silence a fifth of it is enough, as nearly always nothing follows), when the deaf parts have to be polled,
when something was left undone (`undone`), and each `rescan_s` over everything.  It does not begin before a failure's
pause is over, nor sooner after another one than that one took, unless that had much to do: passes that find little must
not be all that goes on, but the rest of a burst is not to wait.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

from aefsync.core.hint import ROOT, Hints, bounded
from aefsync.sync.undone import Undone

POLL_S = 5.0
"""How often deaf parts are polled, at most."""
_SHARE = 20
"""… and at most this fraction of the time is spent on that."""
_AT_ONCE = 5
"""What breaks a silence waits for this fraction of the settle time."""
_MUCH = 100
"""So many differences make the pause after a pass half as long, twice as many a third, and so on."""


class Agenda:
    """At first everything is due, at once."""

    def __init__(self, settle_s: float, rescan_s: float) -> None:
        self.failures = 0
        """how many passes have failed since one went well"""
        self._settle_s = settle_s
        self._longest_s = max(0.5, 5 * settle_s)
        self._rescan_s = rescan_s
        self._pending: tuple[bytes, ...] = (ROOT,)
        self._first_s = self._last_s = self._ended_s = -math.inf
        self._breaks_silence = False
        self._not_before_s = -math.inf
        self._full_s = math.inf
        self._poll_s = -math.inf
        self._begun_s = -math.inf
        self._scope: tuple[bytes, ...] = ()
        self._deaf: dict[int, tuple[bytes, ...]] = {}
        self._undone = Undone(rescan_s)

    @property
    def is_settling(self) -> bool:
        """Whether something was heard that was not looked at yet."""
        return bool(self._pending)

    def hear(self, replica: int | None, hints: Hints, now_s: float) -> None:
        """Add what a replica said (`None`: the user)."""
        if replica is not None:
            self._deaf[replica] = hints.deaf
        if hints.changed:
            self._add(hints.changed, now_s)

    def due_s(self, now_s: float) -> float:
        """The seconds until a pass is due; 0: it is."""
        due_s = [self._full_s, self._undone.next_s()]
        if self._pending:
            settle_s = self._settle_s / _AT_ONCE if self._breaks_silence else self._settle_s
            due_s.append(min(self._last_s + settle_s, self._first_s + self._longest_s))
        if any(self._deaf.values()):
            due_s.append(self._poll_s)
        return max(0.0, max(min(due_s), self._not_before_s) - now_s)

    def begin(self, now_s: float) -> tuple[bytes, ...]:
        """Begin a pass: the sub-trees that it is about."""
        scope = [*self._pending, *self._undone.due(now_s)]
        if now_s >= self._full_s:
            scope.append(ROOT)
        if now_s >= self._poll_s:
            scope += [path for deaf in self._deaf.values() for path in deaf]
        self._pending, self._scope, self._begun_s = (), bounded(scope), now_s
        return self._scope

    def end(self, now_s: float, differences: int = 0, undone: Collection[bytes] = ()) -> None:
        """The pass has come to its end; so much differed, and at these paths something is still to be done."""
        self.failures = 0
        took_s = now_s - self._begun_s
        self._ended_s = now_s
        self._not_before_s = now_s + took_s / (1 + differences / _MUCH)
        self._poll_s = now_s + max(POLL_S, _SHARE * took_s)
        self._undone.note(self._scope, undone, now_s)
        if ROOT in self._scope:
            self._full_s = now_s + self._rescan_s

    def fail(self, now_s: float, pause_s: float) -> None:
        """The pass has failed, or its replicas were lost: it is due again after a pause."""
        self.failures += 1
        self._not_before_s = now_s + pause_s
        self._add(self._scope, now_s)

    def widen(self, now_s: float) -> None:
        """What was looked at is too little to decide anything: look at everything, at once."""
        self._add((ROOT,), now_s)
        self._first_s = self._not_before_s = -math.inf

    def _add(self, paths: Sequence[bytes], now_s: float) -> None:
        if not self._pending:
            self._breaks_silence = now_s - max(self._last_s, self._ended_s) >= self._settle_s
            self._first_s = now_s
        elif self._breaks_silence and set(self._pending).issuperset(paths):
            return  # one change often is several events
        else:
            self._breaks_silence = False
        self._last_s = now_s
        self._pending = bounded([*self._pending, *paths])
