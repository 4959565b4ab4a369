"""Room: what the file systems of a root have left, and what files take there."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence

from aefsync.core.entry import kind_of
from aefsync.core.path import RelPath
from aefsync.core.space import Space, inodes_left
from aefsync.disk.confined import ConfinedRoot, split
from aefsync.disk.directories import OpenDirectories
from aefsync.disk.home import Home
from aefsync.disk.mounts import mounts_below
from aefsync.disk.retention import trash_bytes
from aefsync.disk.sparse import on_disk


def space_of(root: ConfinedRoot, home: Home | None) -> list[Space]:
    """Room on the root's own file system, and on each that is mounted below it."""
    spaces = [_space(root.fd, b"", trash_bytes(home) if home is not None else 0)]
    for mount in mounts_below(root):
        with contextlib.suppress(OSError), root.directory(mount) as fd:
            annex = home.annexes.get(mount) if home is not None else None
            spaces.append(_space(fd, mount, trash_bytes(annex) if annex is not None else 0))
    return spaces


def _space(fd: int, path: bytes, trash: int) -> Space:
    seen = os.fstatvfs(fd)
    inodes = inodes_left(seen.f_files, seen.f_favail)
    return Space(path, seen.f_bavail * seen.f_frsize, seen.f_blocks * seen.f_frsize, trash, inodes)


def allocated(root: ConfinedRoot, paths: Sequence[RelPath]) -> list[int | None]:
    """The bytes that files take on the disk: fewer than their size where they are sparse; `None` where nothing is that
    could be replicated, 0 where nobody can tell."""
    found: list[int | None] = []
    with OpenDirectories(root) as directories:
        for path in paths:
            directory, name = split(path)
            try:
                seen = os.stat(name, dir_fd=directories.get(directory), follow_symlinks=False)
            except (FileNotFoundError, NotADirectoryError):
                found.append(None)
            except OSError:
                found.append(0)
            else:
                size = min(seen.st_size, on_disk(seen))
                found.append(None if kind_of(seen.st_mode) is None else size)
    return found
