"""Growths of a root elsewhere: told by columns as any other's, but its files come and go one by one, in the ordinary way."""

from __future__ import annotations

import itertools

from aefsync.core.growth import Gathered, Growth, link_contents


def nothing_gathered(growth: Growth) -> Gathered:
    """No file: whoever reads it here does so piece by piece."""
    return Gathered(b"".join(itertools.chain.from_iterable(map(link_contents, growth.blocks))), b"")


class Ungrown:
    """Counts the entries that nothing is done about."""

    def __init__(self) -> None:
        self._count = 0

    def grow(self, growth: Growth) -> bytes:
        self._count += growth.length
        return bytes(len(growth.contents))

    def plant(self) -> bytes:
        count, self._count = self._count, 0
        return bytes(count)
