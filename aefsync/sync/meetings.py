"""When replicas on other hosts were last there, at the end of a run: `met.json` in the state directory.

Location → seconds since 1970.  It may be deleted at any time: then nobody was met.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Sequence
from typing import Any

from aefsync.sync.state_file import StateFile

MOST = 4096
"""Locations remembered; those not met for longest go first."""
EXACT_S = 60
"""What is remembered is right to this, so that a watch does not write it again and again."""


class Meetings:
    """The meetings known below `directory` (empty: none are)."""

    def __init__(self, directory: str) -> None:
        self._file = StateFile(directory, "met")

    def are_within(self, limit_s: float, locations: Iterable[str], now_s: float) -> bool:
        """Whether none of these has been away for longer than that."""
        met = _understood(self._file.read())
        return all(now_s - met.get(location, float("-inf")) <= limit_s for location in locations)

    def note(self, locations: Sequence[str], now_s: float) -> None:
        """Keep that these were there just now.  Where that cannot be written, it is not."""

        def change(content: Any) -> Any:
            met = _understood(content)
            if all(0 <= now_s - met.get(location, float("-inf")) < EXACT_S for location in locations):
                return None
            latest = sorted((met | dict.fromkeys(locations, now_s)).items(), key=lambda each: each[1])[-MOST:]
            return {"version": 1, "met": dict(latest)}

        with contextlib.suppress(OSError):
            self._file.change(change)


def _understood(content: Any) -> dict[str, float]:
    try:
        return {str(location): float(s) for location, s in content["met"].items()}
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}
