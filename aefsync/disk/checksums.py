"""The checksums of rows in a sidecar, over their other columns: what they are, and whether one is that of a row."""

from __future__ import annotations

from collections.abc import Mapping

from aefsync.core.digest import framed_digest


def checksum_of(*parts: bytes | int) -> bytes:
    """8 bytes over the columns of a row."""
    return framed_digest((part if isinstance(part, bytes) else part.to_bytes(8) for part in parts), 8)


def flat(words: Mapping[str, bytes]) -> list[bytes]:
    """Words as columns, in an order of their own."""
    return [part for word, value in sorted(words.items()) for part in (word.encode(), value)]


def is_of(checksum: bytes, *parts: bytes | int) -> bool:
    """Whether a row is as it was written; where something damaged it, its columns may be of any type."""
    try:
        return checksum_of(*parts) == checksum
    except (AttributeError, OverflowError):
        return False
