"""Whether the roots of a session are apart: none is another one, nor lies inside it."""

from __future__ import annotations

from collections.abc import Sequence

from aefsync.core.ports import Opened
from aefsync.errors import UsageError
from aefsync.sync.location import Location


def check_apart(locations: Sequence[Location], opened: Sequence[Opened]) -> None:
    """Raise `UsageError` where they would be compared with themselves."""
    for i, one in enumerate(opened):
        for j, other in enumerate(opened):
            if i == j or one.host != other.host:
                continue
            if _same(one, other):
                raise UsageError(f"{locations[i].text} and {locations[j].text} are the same directory")
            if _inside(one, other):
                raise UsageError(f"{locations[i].text} lies inside {locations[j].text}")


def _same(one: Opened, other: Opened) -> bool:
    return one.root == other.root or (one.ancestors[0] == other.ancestors[0] and not one.is_missing)


def _inside(one: Opened, other: Opened) -> bool:
    if other.is_missing:
        # Not there yet: only its path can tell.
        return one.root.startswith(other.root + b"/")
    return other.ancestors[0] in one.ancestors[1:]
