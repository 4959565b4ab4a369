"""Names of conflict copies: what the loser of a conflict is called when both versions are kept (see `reconcile`).

The name depends on nothing but the loser itself, so replicas that settle the same conflict apart choose the same one.
"""

from __future__ import annotations

import os.path
import re
from datetime import UTC, datetime, timedelta

from aefsync.core.digest import framed_digest
from aefsync.core.path import MAX_NAME

INFIX = b".conflict-"
"""What the name of every conflict copy holds."""
LONGEST_EXTENSION = 32
"""What follows the last dot counts as an extension up to this many bytes, dot included."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_COPY = re.compile(rb"(.+)\.conflict-(?:-\d+|\d{8,})T\d{6}Z-[0-9a-f]{8}(\.[^.]*)?", re.DOTALL)
_DAYS_IN_400_YEARS = 146_097


def conflict_name(name: bytes, author: bytes, mtime_ns: int, content: bytes) -> bytes:
    """The name under which a losing version of `name` is kept.

    `author` is the replica that wrote it (empty where nobody keeps that), `content` its content digest.

    >>> conflict_name(b"a.txt", b"", 0, bytes(32))
    b'a.conflict-19700101T000000Z-de8bfa80.txt'
    """
    original = original_name(name)
    stem, extension = _split(original)
    tag = framed_digest([author, content, original], 4).hex()
    suffix = f".conflict-{_utc(mtime_ns)}-{tag}".encode() + extension
    return _cut(stem, MAX_NAME - len(suffix)) + suffix


def original_name(name: bytes) -> bytes:
    """The name that a conflict copy is a copy of; any other name is returned as it is.

    Where the copy's name had to be cut, so is the result.
    """
    while INFIX in name and (match := _COPY.fullmatch(name)):
        name = match[1] + (match[2] or b"")
    return name


def plain_name(name: bytes, number: int) -> bytes:
    """A name beside that of the original, for a conflict copy that is to be a file of its own.

    >>> plain_name(b"a.txt", 2)
    b'a (2).txt'
    """
    stem, extension = _split(original_name(name))
    suffix = f" ({number})".encode() + extension
    return _cut(stem, MAX_NAME - len(suffix)) + suffix


def _split(name: bytes) -> tuple[bytes, bytes]:
    """Stem and extension; leading dots belong to the stem."""
    stem, extension = os.path.splitext(name)
    return (stem, extension) if len(extension) <= LONGEST_EXTENSION else (name, b"")


def _utc(mtime_ns: int) -> str:
    """Like 20261122T101112Z, for any year: the calendar repeats every 400."""
    cycles, seconds = divmod(mtime_ns // 10**9, _DAYS_IN_400_YEARS * 86_400)
    at = _EPOCH + timedelta(seconds=seconds)
    return f"{at.year + 400 * cycles:04d}{at.month:02d}{at.day:02d}T{at.hour:02d}{at.minute:02d}{at.second:02d}Z"


def _cut(stem: bytes, room: int) -> bytes:
    """At most `room` bytes of `stem`, no UTF-8 character cut in two (names in other encodings are cut anywhere near)."""
    if len(stem) <= room:
        return stem
    for end in range(room, room - 4, -1):
        if stem[end] & 0xC0 != 0x80:
            return stem[:end]
    return stem[:room]
