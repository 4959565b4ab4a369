"""Cloning: a file that shares the blocks of another one, where the file system can (`FICLONE`: btrfs, XFS, bcachefs)."""

from __future__ import annotations

import fcntl

_FICLONE = 0x40049409


def clone(source: int, target: int) -> bool:
    """Give an empty file, by descriptor, what another one holds; whether that could be done here."""
    try:
        fcntl.ioctl(target, _FICLONE, source)
    except OSError:
        return False
    return True
