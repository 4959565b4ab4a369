"""The versions of a growth's entries in a table: each once, and of each entry its number among them.

What a first scan found, or one scan found anew, has one and the same; then there are no numbers at all.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from aefsync.core.growth import Growth
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.snapshot import VersionList
from aefsync.core.version import Version

NUMBER = 2
"""Bytes of a number: one growth has fewer entries than those can tell apart."""


class VersionTable(NamedTuple):
    """`versions` without repetition (none: nobody asked for versions); `numbers` packed, empty where all entries have the
    first."""

    versions: tuple[Version, ...] = ()
    numbers: bytes = b""

    def each(self, count: int) -> list[int]:
        """The numbers of so many entries; raises `ValueError` where there are not as many."""
        if not self.numbers:
            return [0] * count
        if len(self.numbers) != NUMBER * count:
            raise ValueError("versions that do not fit their entries")
        return list(struct.unpack(f"<{count}H", self.numbers))

    def put_into(self, growth: Growth) -> Growth:
        """The growth with these versions; raises `ValueError` where they do not fit."""
        if not self.versions:
            if self.numbers:
                raise ValueError("numbers of no versions")
            return growth
        numbers = self.each(growth.length)
        if numbers and max(numbers) >= len(self.versions):
            raise ValueError("version that was not told")
        blocks, low = [], 0
        for block in growth.blocks:
            own = map(self.versions.__getitem__, numbers[low : low + block.length])
            blocks.append(block._replace(versions=VersionList(own)))
            low += block.length
        return growth._replace(blocks=tuple(blocks))


def table_of(growth: Growth) -> VersionTable:
    """The versions of a growth; none unless all of its entries have one."""
    columns: list[Sequence[Version]] = []
    for block in growth.blocks:
        if block.versions is None:
            return VersionTable()
        columns.append(block.versions.part(0, block.length))
    if not columns:
        return VersionTable()
    first = columns[0][0]
    if all(column.count(first) == len(column) for column in columns):
        return VersionTable((first,))
    known: dict[Version, int] = {}
    numbers = [known.setdefault(version, len(known)) for column in columns for version in column]
    return VersionTable(tuple(known), struct.pack(f"<{len(numbers)}H", *numbers))
