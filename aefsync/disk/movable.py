"""Movable: whether a directory can be renamed as a whole, and nothing moves with it but what the snapshot tells of."""

from __future__ import annotations

import contextlib
import os
from bisect import bisect_left
from collections.abc import Iterator, Sequence

from aefsync.core.path import RESERVED, RelPath, parents, subtree_range
from aefsync.core.renamed import Rename
from aefsync.disk.building import directory_path
from aefsync.disk.confined import ConfinedRoot
from aefsync.disk.key_order import pages_of
from aefsync.disk.page import left_out
from aefsync.disk.scan import Scanner


def are_movable(root: ConfinedRoot, scanner: Scanner, renames: Sequence[Rename]) -> list[bool]:
    """Whether each of these renames may be done; the scanner has a page for every directory."""
    found = []
    for rename, prefixes in zip(renames, moved_prefixes(scanner, renames), strict=True):
        try:
            found.append(_is_movable(root, scanner, prefixes, _mount_above(root, rename.new)))
        except OSError:
            found.append(False)
    return found


def moved_prefixes(scanner: Scanner, renames: Sequence[Rename]) -> Iterator[Sequence[bytes]]:
    """The directories that each of these renames moves, by their keys with a closing NUL; none: it is not there."""
    prefixes = sorted({prefix for prefix, _ in scanner.pages})
    for rename in renames:
        low, high = (bisect_left(prefixes, key) for key in subtree_range(rename.old.key))
        yield prefixes[low:high]


def holds_what_is_known(scanner: Scanner, prefix: bytes) -> bool:
    """Whether a directory holds nothing that was left out or is not known."""
    if scanner.problems.get(prefix) or any(any(left_out(page)) for _, page in pages_of(scanner.pages, prefix)):
        return False
    path = directory_path(prefix)
    return all(each.rpartition(b"/")[0] != path for each in scanner.unexamined)


def _is_movable(root: ConfinedRoot, scanner: Scanner, prefixes: Sequence[bytes], mount: bytes) -> bool:
    """Whether these directories hold nothing that was left out or is not known, and all are on one mount."""
    for prefix in prefixes:
        if not holds_what_is_known(scanner, prefix):
            return False
        with root.directory(directory_path(prefix)) as fd:
            if _mount_of(fd) != mount or _has_home(fd):
                return False
    return bool(prefixes)


def _has_home(fd: int) -> bool:
    """Whether a directory is a root of its own."""
    with contextlib.suppress(FileNotFoundError):
        os.stat(RESERVED, dir_fd=fd, follow_symlinks=False)
        return True
    return False


def _mount_above(root: ConfinedRoot, path: RelPath) -> bytes:
    """The mount of the nearest directory above a path that is there."""
    for above in parents(path):
        with contextlib.suppress(FileNotFoundError), root.directory(above) as fd:
            return _mount_of(fd)
    raise FileNotFoundError


def _mount_of(fd: int) -> bytes:
    """What tells mounts apart, also two of one file system, which Linux lets nothing be renamed between."""
    with contextlib.suppress(OSError), open(f"/proc/self/fdinfo/{fd}", "rb") as file:
        for line in file:
            if line.startswith(b"mnt_id:"):
                return line
    return b"%d" % os.fstat(fd).st_dev
