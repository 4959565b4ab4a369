"""Mounts below a root: file systems, and bound directories, where renames from elsewhere end with EXDEV."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable

from aefsync.disk.confined import ConfinedRoot, split

_TABLE = "/proc/self/mountinfo"
_ESCAPED = rb"\\([0-7]{3})"
_MOUNT_POINT = 4


def mounts_below(root: ConfinedRoot, table: str = _TABLE) -> list[bytes]:
    """The paths of the mount points below a root, outermost first; none where the system does not tell (proc(5))."""
    base = _place_of(root.fd)
    return sorted({place[len(base) :] for place, _ in _mounted(table) if base and place.startswith(base)})


def kind_of_mount(fd: int, table: str = _TABLE) -> str:
    """The kind of file system that an open directory is on, by the system's name for it; empty where it does not tell.

    In a chroot it tells of what is mounted below, and perhaps of nothing that the directory is on.
    """
    path, deepest, kind = _place_of(fd), 0, b""
    for place, each in _mounted(table):
        # Of two in one place the later one hides the other.
        if path and len(place) >= deepest and path.startswith(place.rstrip(b"/") + b"/"):
            deepest, kind = len(place), each
    return kind.decode("ascii", "replace")


def _place_of(fd: int) -> bytes:
    """Where an open directory is, with a slash at its end; empty where the system does not tell."""
    try:
        return os.readlink(f"/proc/self/fd/{fd}".encode()).rstrip(b"/") + b"/"
    except OSError:
        return b""


def _mounted(table: str) -> list[tuple[bytes, bytes]]:
    """Mount points and their kinds, in the order in which they were mounted; none where the system does not tell."""
    try:
        with open(table, "rb") as file:
            lines = [line.partition(b" - ") for line in file]
        found = [(head.split(b" ")[_MOUNT_POINT], tail.split(b" ")[0]) for head, _, tail in lines]
    except (OSError, IndexError):
        return []
    return [(re.sub(_ESCAPED, lambda code: bytes([int(code[1], 8)]), place), kind) for place, kind in found]


def covering(mounts: list[bytes], path: bytes) -> bytes:
    """The mount point at or above a path, the innermost of those sorted ones; empty for the root's own."""
    found = b""
    for mount in mounts:
        if path == mount or path.startswith(mount + b"/"):
            found = mount
    return found


class HeldMounts:
    """The mounts below a root, each held open from before anything is written there: by that the system tells whether all
    that was written since is durable."""

    def __init__(self, root: ConfinedRoot) -> None:
        self._held: dict[bytes, int] = {}
        for mount in mounts_below(root):
            with contextlib.suppress(OSError):
                self._held[mount] = root.open_directory(mount)

    def of(self, directories: Iterable[bytes]) -> list[int]:
        """The descriptors of those that these directories are on; the root's own file system is none of them."""
        tops = sorted(self._held)
        return [self._held[top] for top in sorted({covering(tops, each) for each in directories} - {b""})]

    def close(self) -> None:
        while self._held:
            os.close(self._held.popitem()[1])


def top_of(root: ConfinedRoot, directory: bytes) -> bytes:
    """The top of the mount that a directory is on, or of the part of it that has a device of its own (subvolumes)."""
    top = covering(mounts_below(root), directory)
    if top:
        return top
    device, own = os.fstat(root.fd).st_dev, root.lstat(directory).st_dev if directory else None
    while directory and own != device and root.lstat(directory).st_dev == own:
        top, directory = directory, split(directory)[0]
    return top
