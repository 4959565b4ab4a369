"""Retention: at the end of a run that wrote, old trash goes, and the oldest of it where all of it is too much; the
journals of those runs, which tell of it, go along.

How much a run put away is written beside it (`.aefsync/trash/RUN/.bytes`) and summed up anew only where that is missing,
so that nobody walks the trash of a year to add one file to it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Collection

from aefsync.core.run_id import time_s
from aefsync.core.writing import Writing
from aefsync.disk.home import INTENTS, TRASH
from aefsync.disk.journal import path_of, recorded_runs
from aefsync.disk.readable import Shelf
from aefsync.disk.trash_listing import trash_runs
from aefsync.errors import RootError

_BYTES = b".bytes"


def expire(
    home: Shelf, run: str, writing: Writing, clock_ns: Callable[[], int], spared: Collection[str] = frozenset()
) -> None:
    """Delete the trash that `writing` no longer wants kept: oldest runs first, never this one's or that of one that is
    `spared`, nor what is no run's.

    What cannot be deleted stays for the next run.
    """
    stay = {run, *spared}
    most = writing.trash_max.of(home.volume_bytes)
    oldest_s = clock_ns() / 1e9 - writing.trash_keep_s
    kept = {}
    for each in filter(time_s, sorted({*_runs(home), *recorded_runs(home)})):
        if each not in stay and time_s(each) < oldest_s and not _is_younger(home, each, oldest_s):
            _remove(home, each)
        else:
            kept[each] = run_bytes(home, each, keep=True)
    total = sum(kept.values())
    for each, size in kept.items():
        if total > most and each not in stay:
            _remove(home, each)
            total -= size


def half_done(home: Shelf) -> frozenset[str]:
    """The runs that were cut short, of which the trash may hold the only version of a path (`disk/intents`)."""
    with contextlib.suppress(FileNotFoundError):
        return frozenset(map(os.fsdecode, home.names(INTENTS)))
    return frozenset()


def _is_younger(home: Shelf, run: str, oldest_s: float) -> bool:
    """Whether something was put in the trash of a run later than its name says, which is by the clock of another machine."""
    with contextlib.suppress(OSError):
        return home.lstat(b"/".join([TRASH, os.fsencode(run)])).st_mtime_ns >= oldest_s * 1e9
    return False


def trash_bytes(home: Shelf) -> int:
    """What the trash takes on the disk."""
    return sum(run_bytes(home, run, keep=False) for run in _runs(home))


def run_bytes(home: Shelf, run: str, *, keep: bool) -> int:
    """What the trash of one run takes on the disk; `keep` it for the next time."""
    place = b"/".join([TRASH, os.fsencode(run)])
    with contextlib.suppress(OSError, ValueError):
        fd = home.open_file(place + b"/" + _BYTES)
        try:
            return int(os.read(fd, 32))
        finally:
            os.close(fd)
    size = home.measure(place)
    if keep:
        with contextlib.suppress(OSError):
            home.put(place + b"/" + _BYTES, b"%d" % size)
    return size


def forget_bytes(home: Shelf, run: str) -> None:
    """Have the trash of a run summed up anew: something was put there, or taken out."""
    with contextlib.suppress(OSError):
        home.unlink(b"/".join([TRASH, os.fsencode(run), _BYTES]))


def _runs(home: Shelf) -> list[str]:
    with contextlib.suppress(RootError):
        return trash_runs(home)
    return []


def _remove(home: Shelf, run: str) -> None:
    with contextlib.suppress(OSError):
        with contextlib.suppress(FileNotFoundError):
            home.remove_tree(b"/".join([TRASH, os.fsencode(run)]))
        forget(home, run)


def forget(home: Shelf, run: str) -> None:
    """Remove the journal of a run, if there is one; raises `OSError`."""
    with contextlib.suppress(FileNotFoundError):
        home.unlink(path_of(run))
