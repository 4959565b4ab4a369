"""Shrinking: the file of a sidecar gives back what is free in it: what was pending in a large run, and records that went.

The file is written anew by SQLite in one transaction of its own, so that a kill leaves it as it was or as it is to be.
It costs as much as writing the file, and is done only where the run that is over has written about as much.
"""

from __future__ import annotations

import contextlib
import sqlite3

MOST_FREE = 64
"""Free pages that are not worth it, however small the file is."""
_PART = 4
"""Nor is less than one in so many pages."""


def shrink(database: sqlite3.Connection) -> None:
    """Write the file anew where much of it is free; as it is where somebody else has it, or the disk is full.

    Not where the log is kept for somebody who sends it elsewhere (`far.sidecar`): there all that is written has to be told.
    """
    with contextlib.suppress(sqlite3.Error):
        free, pages, log = (
            database.execute(f"PRAGMA {each}").fetchone()[0]
            for each in ("freelist_count", "page_count", "wal_autocheckpoint")
        )
        if free > MOST_FREE and free * _PART > pages and log and not database.in_transaction:
            database.execute("PRAGMA busy_timeout = 0")
            database.execute("VACUUM")
