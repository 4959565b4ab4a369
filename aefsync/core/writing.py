"""How a session writes: what is forced to the disk and when, and what becomes of what it replaces and deletes."""

from __future__ import annotations

import enum

from aefsync.core.named_tuple import NamedTuple
from aefsync.core.space import Share

DAY_S = 86_400
FOREVER_S = 36_500 * DAY_S


class Durability(enum.IntEnum):
    """What is on the disk for good, whatever happens to the power, before the next step is taken.

    The order is always: data, then intents, then renames, then directories, then what is recorded of them.
    """

    FULL = 0
    """each file and each directory as it goes"""
    BATCH = 1
    """up to 64 files one by one, more by one call for the whole file system; directories at the end"""
    NONE = 2
    """whenever the system sees fit"""


class Writing(NamedTuple):
    """`keeps_trash`: without it, what was replaced or deleted is gone once what was written is durable.  A run that
    wrote deletes the trash of runs older than `trash_keep_s`, and of the oldest while all of it exceeds `trash_max`."""

    durability: Durability = Durability.BATCH
    keeps_trash: bool = True
    trash_keep_s: int = 30 * DAY_S
    trash_max: Share = Share(2_000, is_percentage=True)

    def keeping_all(self) -> Writing:
        """The same, but nothing ever leaves the trash."""
        return self._replace(keeps_trash=True, trash_keep_s=FOREVER_S, trash_max=Share(1 << 62, is_percentage=False))
