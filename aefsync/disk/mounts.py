"""Mounts below a root: file systems, and bound directories, where renames from elsewhere end with EXDEV."""

from __future__ import annotations

import os
import re

from aefsync.disk.confined import ConfinedRoot, split

_TABLE = "/proc/self/mountinfo"
_ESCAPED = rb"\\([0-7]{3})"
_MOUNT_POINT = 4


def mounts_below(root: ConfinedRoot, table: str = _TABLE) -> list[bytes]:
    """The paths of the mount points below a root, outermost first; none where the system does not tell (proc(5))."""
    try:
        base = os.readlink(f"/proc/self/fd/{root.fd}".encode()).rstrip(b"/") + b"/"
        with open(table, "rb") as file:
            points = [line.split(b" ")[_MOUNT_POINT] for line in file]
    except (OSError, IndexError):
        return []
    places = (re.sub(_ESCAPED, lambda found: bytes([int(found[1], 8)]), point) for point in points)
    return sorted({place[len(base) :] for place in places if place.startswith(base)})


def covering(mounts: list[bytes], path: bytes) -> bytes:
    """The mount point at or above a path, the innermost of those sorted ones; empty for the root's own."""
    found = b""
    for mount in mounts:
        if path == mount or path.startswith(mount + b"/"):
            found = mount
    return found


def top_of(root: ConfinedRoot, directory: bytes) -> bytes:
    """The top of the mount that a directory is on, or of the part of it that has a device of its own (subvolumes)."""
    top = covering(mounts_below(root), directory)
    if top:
        return top
    device, own = os.fstat(root.fd).st_dev, root.lstat(directory).st_dev if directory else None
    while directory and own != device and root.lstat(directory).st_dev == own:
        top, directory = directory, split(directory)[0]
    return top
