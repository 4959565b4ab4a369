"""Where the members of a group are reached from here: `members.json` in the state directory.

A location is each host's own view of a member, so it is kept there and never travels: replica id → (member id →
location).  What the user said of a member stands above what sessions have shown, also that it is not reached from here.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Mapping
from typing import Any

from aefsync.core.named_tuple import NamedTuple
from aefsync.errors import AefsyncError
from aefsync.sync.state_file import StateFile

Locations = dict[str, dict[str, str]]


class _Kept(NamedTuple):
    """What the file says: by the user's word, and by sessions."""

    said: Locations
    learned: Locations

    def content(self) -> dict[str, Any]:
        return {"version": 1, "locations": self.said, "learned": self.learned}


class Contacts:
    """The locations known below `directory` (empty: none are)."""

    def __init__(self, directory: str) -> None:
        self._file = StateFile(directory, "members")

    def of(self, replica: str) -> dict[str, str]:
        """The locations of the members that a replica has a group with, by their ids."""
        kept = _understood(self._file.read())
        known = {**kept.learned.get(replica, {}), **kept.said.get(replica, {})}
        return {member: location for member, location in known.items() if location}

    def note(self, replica: str, member: str, location: str) -> None:
        """Reach a member there from now on (empty: not from here); raises `AefsyncError` where that cannot be kept."""

        def change(content: Any) -> Any:
            said, learned = _understood(content)
            return _Kept(said | {replica: said.get(replica, {}) | {member: location}}, learned).content()

        if location and not self._file.is_kept:
            raise AefsyncError("there is no place to keep the locations of members in", hint="--state-dir names one")
        try:
            self._file.change(change)
        except OSError as error:
            raise AefsyncError(f"locations of members cannot be kept: {error.strerror}") from error

    def learn(self, met: Mapping[str, str]) -> None:
        """Keep where the replicas of a session, by their ids, were reached.  Where that cannot be written, it is not.

        A location leads to one member: to that which was last met there.
        """

        def change(content: Any) -> Any:
            said, learned = _understood(content)
            fresh = dict(learned)
            for own, member in itertools.permutations(met, 2):
                left = {each: place for each, place in fresh.get(own, {}).items() if place != met[member]}
                fresh[own] = left | {member: met[member]}
            return None if fresh == learned else _Kept(said, fresh).content()

        with contextlib.suppress(OSError):
            self._file.change(change)


def _understood(content: Any) -> _Kept:
    try:
        return _Kept(_locations(content["locations"]), _locations(content.get("learned", {})))
    except (KeyError, TypeError, AttributeError):
        return _Kept({}, {})


def _locations(content: Any) -> Locations:
    return {str(own): {str(k): str(v) for k, v in members.items()} for own, members in content.items()}
