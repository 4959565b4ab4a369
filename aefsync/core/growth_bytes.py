"""Growths as bytes: how differences and journals keep them."""

from __future__ import annotations

import itertools
import struct
import zlib

from aefsync.core.growth import Growth
from aefsync.core.snapshot import CONTENT, Block
from aefsync.core.view import STAT

_FASTEST = 1
_LARGEST = 64 << 20
"""Bytes that are made of packed ones, at most."""
_HEAD = struct.Struct("<IIQ")
_BLOCK = struct.Struct("<III")


def pack(growth: Growth) -> bytes:
    """A growth as bytes; digests are no use to zlib and stay out of it."""
    blocks, targets = growth
    rows = b"".join([_BLOCK.pack(len(block.prefix), len(block.names), block.length) for block in blocks])
    lengths = struct.pack(f"<{len(targets)}I", *map(len, targets))
    columns = [part for block in blocks for part in (block.prefix, block.names, block.stats)]
    head = zlib.compress(b"".join([rows, lengths, *columns, *targets]), _FASTEST)
    contents = growth.contents
    return b"".join([_HEAD.pack(len(blocks), len(targets), len(head)), head, contents if any(contents) else b""])


def unpack(packed: bytes) -> Growth:
    """The inverse of `pack`; raises `ValueError` or `struct.error` where it is none."""
    number, links, squeezed = _HEAD.unpack_from(packed)
    inflate = zlib.decompressobj()
    try:
        data = inflate.decompress(packed[_HEAD.size : _HEAD.size + squeezed], _LARGEST)
    except zlib.error as error:
        raise ValueError(str(error)) from error
    at = number * _BLOCK.size
    rows, lengths = list(_BLOCK.iter_unpack(data[:at])), struct.unpack_from(f"<{links}I", data, at)
    at += 4 * links
    count = sum(row[2] for row in rows)
    if count * STAT.size > len(data):  # before as much is asked for as a damaged number says
        raise ValueError("growth of more entries than it holds")
    contents = packed[_HEAD.size + squeezed :] or bytes(CONTENT * count)
    blocks, low = [], 0
    for prefix, names, length in rows:
        middle, stats, high = at + prefix, at + prefix + names, low + length * CONTENT
        end = stats + length * STAT.size
        blocks.append(Block(data[at:middle], data[middle:stats], data[stats:end], contents[low:high], length))
        at, low = end, high
    if len(contents) != count * CONTENT or at + sum(lengths) != len(data) or inflate.unconsumed_tail:
        raise ValueError("growth that does not fit together")
    ends = list(itertools.accumulate(lengths, initial=at))
    return Growth(tuple(blocks), tuple(data[begin:end] for begin, end in itertools.pairwise(ends)))
