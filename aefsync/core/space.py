"""Space: shares of a file system, and the guard that stops a run which one of the replicas has no room for."""

from __future__ import annotations

import re
from typing import NamedTuple

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "p": 10**15}
_SHARE = re.compile(r"([0-9]{1,3})(?:\.([0-9]{1,2}))?\s*%")
_SIZE = re.compile(r"([0-9]{1,15})\s*([kmgtp]?)(i?)b?", re.IGNORECASE)
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
    if match := _SHARE.fullmatch(text):
        share = Share(int(match[1]) * 100 + int((match[2] or "").ljust(2, "0")), is_percentage=True)
        if share.amount <= _WHOLE:
            return share
    if match := _SIZE.fullmatch(text):
        unit = _UNITS[match[2].lower()]
        if match[3]:
            unit = 1 << (unit.bit_length() // 10 * 10) if match[2] else 1
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
