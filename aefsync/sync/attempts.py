"""When sessions with the members of a group were last tried from here: `gossip.json` in the state directory.

Replica id → (member id → seconds since 1970).  It may be deleted at any time: then none was tried.
"""

from __future__ import annotations

import contextlib
from typing import Any

from aefsync.sync.state_file import StateFile


class Attempts:
    """The attempts known below `directory` (empty: none are)."""

    def __init__(self, directory: str) -> None:
        self._file = StateFile(directory, "gossip")

    def of(self, replica: str) -> dict[str, float]:
        """When a session of a replica with each member was last tried."""
        return _understood(self._file.read()).get(replica, {})

    def note(self, replica: str, member: str, now_s: float) -> None:
        """Keep that a session is tried now.  Where that cannot be written, it is not."""

        def change(content: Any) -> Any:
            known = _understood(content)
            return {"version": 1, "tried": known | {replica: known.get(replica, {}) | {member: now_s}}}

        with contextlib.suppress(OSError):
            self._file.change(change)


def _understood(content: Any) -> dict[str, dict[str, float]]:
    try:
        tried = content["tried"].items()
        return {str(own): {str(k): float(v) for k, v in members.items()} for own, members in tried}
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}
