"""A pending growth: what is about to be planted, written down before by columns as `pending` has it for single actions.

It is taken apart, entry by entry, only where a run was interrupted, or where its columns do not say all that there is
to be recorded.  In the sidecar both forms stand in one row each: this one begins with a zero, which no batch does.
"""

from __future__ import annotations

import itertools
import struct
import zlib
from array import array
from collections.abc import Callable, Collection, Iterator
from operator import and_

from aefsync.core.growth import Growth
from aefsync.core.growth_bytes import pack, unpack
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.plan import NEW
from aefsync.core.version import FOUND, Version
from aefsync.core.version_table import table_of
from aefsync.disk.pending import Intention, unpack_batch
from aefsync.disk.records import record_of
from aefsync.disk.sidecar import trouble
from aefsync.disk.vectors import packed, unpacked

_HEAD = struct.Struct("<3I")
"""Zero, and the lengths of the versions and of the flags."""
_MARK = bytes(4)


class PendingGrowth(NamedTuple):
    """Entries with the numbers of their versions, and a byte for each: 1 where it was ready to be planted."""

    growth: Growth
    numbers: array[int]
    flags: bytes

    def intentions(self) -> Iterator[Intention]:
        """What is to be left, entry by entry."""
        for entry, number, flag in zip(self.growth.entries(), self.numbers, self.flags, strict=True):
            if flag:
                yield Intention(NEW[entry.kind], entry.path, record_of(entry, number))


def pack_growth(growth: Growth, flags: bytes, number: Callable[[Version], int]) -> bytes:
    """The form in the sidecar; `number` gives that of a version."""
    table = table_of(growth)
    known = [number(version) for version in table.versions or (FOUND,)]
    versions = packed(array("I", map(known.__getitem__, table.each(growth.length))))
    ready = zlib.compress(flags, 1)
    return b"".join([_HEAD.pack(0, len(versions), len(ready)), versions, ready, pack(growth)])


def is_growth(body: bytes) -> bool:
    """Which of both forms something pending has."""
    return body.startswith(_MARK)


def unpack_growth(body: bytes) -> PendingGrowth:
    """The inverse of `pack_growth`; raises `ValueError` where it does not fit together."""
    try:
        _, versions, ready = _HEAD.unpack_from(body)
        at = _HEAD.size + versions
        growth, flags = unpack(body[at + ready :]), zlib.decompress(body[at : at + ready])
    except (struct.error, zlib.error):
        raise ValueError("a pending growth is damaged") from None
    if len(flags) != growth.length:
        raise ValueError("a pending growth does not fit together")
    return PendingGrowth(growth, unpacked(body[_HEAD.size : at], growth.length), flags)


def carried_out(body: bytes, done: bytes, entered: Collection[bytes]) -> Iterator[Intention]:
    """What was intended and done, but for growths in directories that are `entered` already; raises `ValueError`."""
    if not is_growth(body):
        yield from itertools.compress(unpack_batch(body), done)
        return
    pending = unpack_growth(body)
    left = b"".join([bytes([block.prefix not in entered]) * block.length for block in pending.growth.blocks])
    if any(left):
        yield from pending._replace(flags=bytes(map(and_, done, left))).intentions()


def recorded(body: bytes) -> list[Intention]:
    """What was intended, as the sidecar has it, whichever form that is; raises `Damaged`."""
    with trouble():
        return list(unpack_growth(body).intentions() if is_growth(body) else unpack_batch(body))
