"""Retention: at the end of a run that wrote, old trash goes, and the oldest of it where all of it is too much; the
journals of those runs, which tell of it, go along.

How much a run put away is written beside it (`.aefsync/trash/RUN/.bytes`) and summed up anew only where that is missing,
so that nobody walks the trash of a year to add one file to it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from datetime import UTC, datetime

from aefsync.core.writing import Writing
from aefsync.disk.confined import ConfinedRoot
from aefsync.disk.home import TRASH, Home
from aefsync.disk.journal import forget, recorded_runs
from aefsync.disk.removing import remove_tree
from aefsync.disk.trash_listing import trash_runs
from aefsync.errors import RootError

_BYTES = b".bytes"
_SECTOR = 512
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC


def expire(home: Home, run: str, writing: Writing, clock_ns: Callable[[], int]) -> None:
    """Delete the trash that `writing` no longer wants kept: oldest runs first, never this one's, nor what is no run's.

    What cannot be deleted stays for the next run.
    """
    seen = os.fstatvfs(home.fd)
    most = writing.trash_max.of(seen.f_blocks * seen.f_frsize)
    oldest_s = clock_ns() / 1e9 - writing.trash_keep_s
    kept = {}
    for each in filter(_time_s, sorted({*_runs(home), *recorded_runs(home)})):
        if each != run and _time_s(each) < oldest_s:
            _remove(home, each)
        else:
            kept[each] = run_bytes(home, each, keep=True)
    total = sum(kept.values())
    for each, size in kept.items():
        if total > most and each != run:
            _remove(home, each)
            total -= size


def trash_bytes(home: Home) -> int:
    """What the trash takes on the disk."""
    return sum(run_bytes(home, run, keep=False) for run in _runs(home))


def run_bytes(home: Home, run: str, *, keep: bool) -> int:
    """What the trash of one run takes on the disk; `keep` it for the next time."""
    place = b"/".join([TRASH, os.fsencode(run)])
    with contextlib.suppress(OSError, ValueError):
        fd = home.open_file(place + b"/" + _BYTES)
        try:
            return int(os.read(fd, 32))
        finally:
            os.close(fd)
    size = _walk(home.alone, place)
    if keep:
        with contextlib.suppress(OSError):
            fd = home.open(place + b"/" + _BYTES, _CREATE, 0o600)
            try:
                os.write(fd, b"%d" % size)
            finally:
                os.close(fd)
    return size


def forget_bytes(home: Home, run: str) -> None:
    """Have the trash of a run summed up anew: something was put there, or taken out."""
    with contextlib.suppress(OSError), home.directory(b"/".join([TRASH, os.fsencode(run)])) as fd:
        os.unlink(_BYTES, dir_fd=fd)


def _runs(home: Home) -> list[str]:
    with contextlib.suppress(RootError):
        return trash_runs(home)
    return []


def _walk(root: ConfinedRoot, path: bytes) -> int:
    size, pending = 0, [path]
    while pending:
        directory = pending.pop()
        with contextlib.suppress(OSError), root.directory(directory) as fd, os.scandir(fd) as scan:
            for entry in scan:
                size += entry.stat(follow_symlinks=False).st_blocks * _SECTOR
                if entry.is_dir(follow_symlinks=False):
                    pending.append(directory + b"/" + os.fsencode(entry.name))
    return size


def _remove(home: Home, run: str) -> None:
    with contextlib.suppress(OSError):
        with contextlib.suppress(FileNotFoundError):
            remove_tree(home, b"/".join([TRASH, os.fsencode(run)]))
        forget(home, run)


def _time_s(run: str) -> float:
    """When a run was, by its id; 0 for what is none."""
    try:
        return datetime.strptime(run[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return 0.0
