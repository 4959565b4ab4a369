"""Space: shares of a file system, and the guard that stops a run which one of the replicas has no room for."""

from __future__ import annotations

import re

from aefsync.core.guards import Refusal
from aefsync.core.named_tuple import NamedTuple

_UNITS = {"k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "p": 10**15}
_SHARE = r"([0-9]{1,3})(?:\.([0-9]{1,2}))?\s*%"
_SIZE = r"(?i)([0-9]{1,15})\s*(?:([kmgtp])(i?))?b?"
_NO_END = 1 << 62
_WHOLE = 10_000
"""Percentages are counted in hundredths of one."""


class Share(NamedTuple):
    """A part of a file system: hundredths of a percent of its size, or bytes."""

    amount: int
    is_percentage: bool

    def of(self, total_bytes: int) -> int:
        """In bytes."""
        return total_bytes * self.amount // _WHOLE if self.is_percentage else self.amount

    def __str__(self) -> str:
        return f"{self.amount / 100:g} %" if self.is_percentage else size_text(self.amount)


def parse_share(text: str) -> Share:
    """Read `1%`, `0.5%`, `500M`, `10GiB`; raises `ValueError` for anything else."""
    text = text.strip()
    if match := re.fullmatch(_SHARE, text):
        share = Share(int(match[1]) * 100 + int((match[2] or "").ljust(2, "0")), is_percentage=True)
        if share.amount <= _WHOLE:
            return share
    if match := re.fullmatch(_SIZE, text):
        unit = _UNITS[match[2].lower()] if match[2] else 1
        if match[3]:
            unit = 1 << unit.bit_length()  # 1000 has 10 bits, a million 20, and so on
        return Share(int(match[1]) * unit, is_percentage=False)
    raise ValueError(f"{text!r} is neither a percentage nor a size (like 1%, 500M or 10GiB)")


def size_text(size: int) -> str:
    """Bytes in decimal units: `312 B`, `1.2 MB`."""
    if size < 1000:
        return f"{size} B"
    value = float(size)
    for unit in ("kB", "MB", "GB", "TB"):
        value /= 1000
        if value < 999.95 or unit == "TB":
            break
    return f"{value:.1f} {unit}"


class Space(NamedTuple):
    """Room on one file system of a replica: on that of the root (`path` is empty), or on one mounted below it.

    `total_bytes` is 0 where it does not say.  `trash_bytes` is what the replica's trash takes there.  `free_inodes` is how
    many more files it can hold, whatever their size; `None` where there is no such bound, or it does not say.
    """

    path: bytes
    free_bytes: int
    total_bytes: int
    trash_bytes: int
    free_inodes: int | None = None


def inodes_left(total: int, free: int) -> int | None:
    """What statvfs(3) says: file systems that make inodes as they need them have none at all, or no end of them."""
    return free if total and free < _NO_END else None


class Needed(NamedTuple):
    """What a plan brings to one file system."""

    size_bytes: int = 0
    files: int = 0

    def and_also(self, size_bytes: int, files: int) -> Needed:
        return Needed(self.size_bytes + size_bytes, self.files + files)


def not_enough_space(root: str, needed: Needed, space: Space, min_free: Share) -> Refusal | None:
    """Whether a plan brings more to one file system than fits while `min_free` of it stays free."""
    left = space.free_bytes - needed.size_bytes
    hopeless = left < 0
    if space.free_inodes is not None and needed.files > space.free_inodes:
        hopeless = True
        message = (
            f"{root}: expected room for {needed.files:,} files, but there are inodes for {space.free_inodes:,} more"
        )
    elif not needed.size_bytes or not space.total_bytes or left >= min_free.of(space.total_bytes):
        return None
    else:
        message = (
            f"{root}: expected room for {size_text(needed.size_bytes)} with {min_free} of "
            f"{size_text(space.total_bytes)} left free, but {size_text(space.free_bytes)} are free"
        )
    if space.trash_bytes:
        message += f" (its trash holds {size_text(space.trash_bytes)}: aefsync trash {root} purge --older-than 1d)"
    return Refusal(message + ("" if hopeless else "; to allow it: --min-free 0%"), "--min-free")
