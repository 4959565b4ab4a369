"""The trash of a root: `.aefsync/trash/RUN/WHY/PATH`, where a person can find things with `ls` as well."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator

from aefsync.core.path import RelPath
from aefsync.core.ports import TrashItem
from aefsync.disk.confined import ConfinedRoot, split
from aefsync.disk.home import TRASH, Home

REPLACED = "replaced"
DELETED = "deleted"


class Trash:
    """Gives out **slots**: the place that a file takes when a run replaces or deletes it."""

    def __init__(self, home: Home, run: str) -> None:
        self._home = home
        self._base = TRASH + b"/" + run.encode()
        self._made: set[bytes] = set()

    def slot(self, why: str, path: RelPath) -> tuple[ConfinedRoot, bytes]:
        """A free slot for `path`, its directories made, as a path below the home."""
        for attempt in range(1000):
            kind = why if attempt == 0 else f"{why}.{attempt}"
            slot = b"/".join([self._base, kind.encode(), path])
            with contextlib.suppress(FileExistsError, NotADirectoryError):
                self._make_directory(split(slot)[0])
                if not self._exists(slot):
                    return self._home, slot
        raise FileExistsError(f"no free slot in the trash for {path!s}")

    def _make_directory(self, directory: bytes) -> None:
        if directory not in self._made:
            self._home.make_directories(directory)
            self._made.add(directory)

    def _exists(self, slot: bytes) -> bool:
        try:
            self._home.lstat(slot)
        except FileNotFoundError:
            return False
        return True


def list_trash(home: Home) -> list[TrashItem]:
    """Everything in the trash, newest run first, in path order within a run."""
    found: list[TrashItem] = []
    with home.directory(TRASH) as fd:
        runs = sorted(os.listdir(fd), reverse=True)
    for run in runs:
        items = list(_items(home, os.fsencode(run)))
        found += sorted(items, key=lambda item: item.path.key)
    return found


def _items(home: Home, run: bytes) -> Iterator[TrashItem]:
    base = TRASH + b"/" + run
    with contextlib.suppress(NotADirectoryError), home.directory(base) as fd:
        for why in sorted(os.listdir(fd)):
            yield from _below(home, base + b"/" + os.fsencode(why), b"", run.decode(), why)


def _below(home: Home, base: bytes, inside: bytes, run: str, why: str) -> Iterator[TrashItem]:
    pending = [inside]
    while pending:
        inside = pending.pop()
        with home.directory(base + b"/" + inside if inside else base) as fd, os.scandir(fd) as scan:
            for entry in scan:
                name = os.fsencode(entry.name)
                path = RelPath(inside + b"/" + name if inside else name)
                seen = entry.stat(follow_symlinks=False)
                if not stat.S_ISDIR(seen.st_mode):
                    yield TrashItem(run, why, path, is_directory=False, size=seen.st_size)
                    continue
                pending.append(path)
                if seen.st_mode & stat.S_ISVTX:
                    yield TrashItem(run, why, path, is_directory=True, size=0)


def purge_runs(home: Home, runs: list[str]) -> None:
    """Delete what these runs put in the trash, for good."""
    import shutil

    with home.directory(TRASH) as fd:
        for run in runs:
            name = os.fsencode(run)
            if b"/" in name or name in (b"", b".", b".."):
                continue
            with contextlib.suppress(FileNotFoundError):
                shutil.rmtree(name, dir_fd=fd)
