"""Packing what is repetitive before it is sent: front-coded byte strings, spans as distances.

Neighbouring paths and bounds share most of their bytes (in a tree 40 deep nearly all), so each is sent as how much it
has in common with the one before it, and the rest:

    docs/2024/a.txt  docs/2024/b.txt  docs/2024/b.txt  ->  (0, 10, 15)  (docs/2024/a.txt, b.txt, "")

Unpacking multiplies: a few bytes can stand for 64 KiB, hence the limit on what comes out.  Spans are sent as (distance
from the end of the one before, length), so whatever is received is in order and free of overlaps.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

from aefsync.core.compare import Span

MAX_UNPACKED = 32 << 20
"""Bytes that front-coded strings of one message may stand for."""


def front_code(strings: Iterable[bytes]) -> tuple[tuple[int, ...], tuple[bytes, ...]]:
    """How much each string shares with the one before it, and what follows that."""
    shared: list[int] = []
    suffixes: list[bytes] = []
    before = b""
    for string in strings:
        length = common_length(before, string)
        shared.append(length)
        suffixes.append(string[length:])
        before = string
    return tuple(shared), tuple(suffixes)


def common_length(one: bytes, other: bytes) -> int:
    """The length of the longest common prefix.

    >>> common_length(b"docs/a", b"docs/b")
    5
    """
    shorter = min(len(one), len(other))
    differing = int.from_bytes(one[:shorter], "big") ^ int.from_bytes(other[:shorter], "big")
    return shorter - (differing.bit_length() + 7) // 8


def front_decode(shared: Sequence[int], suffixes: Sequence[bytes], limit: int = MAX_UNPACKED) -> list[bytes]:
    """The strings again; raises `ValueError` where the columns do not fit or stand for more than `limit` bytes."""
    strings: list[bytes] = []
    before = b""
    for length, suffix in zip(shared, suffixes, strict=True):
        if length > len(before):
            raise ValueError(f"string shares {length} bytes with one of {len(before)}")
        before = before[:length] + suffix
        limit -= len(before)
        if limit < 0:
            raise ValueError("strings too long")
        strings.append(before)
    return strings


def pack_spans(spans: Iterable[Span]) -> tuple[int, ...]:
    """Distances and lengths in turn, empty spans left out; raises `ValueError` where they are not in order."""
    packed: list[int] = []
    end = 0
    for start, stop in spans:
        if not end <= start <= stop:
            raise ValueError(f"span {start}:{stop} is out of order")
        if start < stop:
            packed += (start - end, stop - start)
            end = stop
    return tuple(packed)


def unpack_spans(packed: Sequence[int]) -> tuple[Span, ...]:
    """The spans again; raises `ValueError` where one would be empty or end beyond 2**63."""
    if len(packed) % 2:
        raise ValueError("half a span")
    ends = list(itertools.accumulate(packed))
    if ends and (ends[-1] >= 1 << 63 or 0 in packed[1::2]):
        raise ValueError("empty span, or one beyond any snapshot")
    return tuple(zip(ends[0::2], ends[1::2], strict=True))
