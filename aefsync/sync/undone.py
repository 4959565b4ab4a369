"""Undone: what passes of a watch could not do, to be looked at again though nobody may ever speak of it any more.

A hint is taken up once.  A file that is renamed on A is to be renamed on B, where the new directory has just been moved
away: all that happens on B happens to that directory, and nothing at the old path, where the file stays.  So every
path of an action that was not carried out is due again in a moment, and later each time that it comes to nothing.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

from aefsync.core.hint import bounded
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.path import is_within

AGAIN_S = 1.0
"""When to look again for the first time; from then on twice as late each time."""


class _Due(NamedTuple):
    at_s: float
    pause_s: float


class Undone:
    """Sub-trees, and when each of them is due; at the latest after `longest_s`."""

    def __init__(self, longest_s: float) -> None:
        self._longest_s = longest_s
        self._due: dict[bytes, _Due] = {}

    def note(self, scope: Sequence[bytes], paths: Collection[bytes], now_s: float) -> None:
        """A pass over these sub-trees has left these paths."""
        seen = frozenset(scope)
        tried = {path: due for path, due in self._due.items() if is_within(path, seen)}
        self._due = {path: due for path, due in self._due.items() if path not in tried}
        for path in bounded([*self._due, *paths]):
            if path not in self._due:
                pause_s = min(2 * tried[path].pause_s if path in tried else AGAIN_S, self._longest_s)
                self._due[path] = _Due(now_s + pause_s, pause_s)

    def next_s(self) -> float:
        """When something is due."""
        return min((due.at_s for due in self._due.values()), default=math.inf)

    def due(self, now_s: float) -> list[bytes]:
        """What is due by now."""
        return [path for path, due in self._due.items() if due.at_s <= now_s]
