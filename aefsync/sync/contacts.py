"""Where the members of a group are reached from here: `members.json` in the state directory.

A location is each host's own view of a member, so it is kept there and never travels: replica id → (member id →
location).
"""

from __future__ import annotations

from typing import Any

from aefsync.errors import AefsyncError
from aefsync.sync.state_file import StateFile


class Contacts:
    """The locations known below `directory` (empty: none are)."""

    def __init__(self, directory: str) -> None:
        self._file = StateFile(directory, "members")

    def of(self, replica: str) -> dict[str, str]:
        """The locations of the members that a replica has a group with, by their ids."""
        return _understood(self._file.read()).get(replica, {})

    def note(self, replica: str, member: str, location: str) -> None:
        """Reach a member there from now on (empty: not from here); raises `AefsyncError` where that cannot be kept."""

        def change(content: Any) -> Any:
            known = _understood(content)
            own = {**known.get(replica, {}), member: location}
            return {"version": 1, "locations": {**known, replica: {each: own[each] for each in own if own[each]}}}

        if location and not self._file.is_kept:
            raise AefsyncError("there is no place to keep the locations of members in", hint="--state-dir names one")
        try:
            self._file.change(change)
        except OSError as error:
            raise AefsyncError(f"locations of members cannot be kept: {error.strerror}") from error


def _understood(content: Any) -> dict[str, dict[str, str]]:
    try:
        locations = content["locations"].items()
        return {str(own): {str(k): str(v) for k, v in members.items()} for own, members in locations}
    except (KeyError, TypeError, AttributeError):
        return {}
