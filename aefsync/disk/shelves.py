"""The shelves of a home: the trash, and the quarantine, where nothing ages; the reason says which."""

from __future__ import annotations

from aefsync.core.action import QUARANTINED
from aefsync.disk.home import QUARANTINE, TRASH


def shelf_of(why: str) -> bytes:
    """Where what was put away for a reason stands, as a path below the home."""
    return QUARANTINE if why.partition(".")[0] in QUARANTINED else TRASH
