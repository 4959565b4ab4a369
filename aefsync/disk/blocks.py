"""Blocks: what pages hold, in key order.

A block that is a whole page shares its columns.  A directory with a sub-directory in its midst is one page and several
blocks, which are cut out of it.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from functools import lru_cache

from aefsync.core.snapshot import Block
from aefsync.disk.key_order import runs
from aefsync.disk.on_demand import OnDemand
from aefsync.disk.page import Page, PageKey
from aefsync.disk.pages import Pages
from aefsync.disk.spill import Place

_CUT = 5
"""The number of the page, from which entry to which, and from which byte of its names to which."""
_TO_THE_END = (1 << 32) - 1
_AT_HAND = 32
"""Pages that are had from where they are put away at one time: of a directory with many others in its midst there are many
blocks, and those come up by turns with what is in the others."""


def with_each(blocks: Sequence[Block], change: Callable[[int, Block], Block]) -> Sequence[Block]:
    """The blocks with something changed in each, by its number."""
    return OnDemand(len(blocks), lambda number: change(number, blocks[number]))


def assemble(pages: Pages) -> Sequence[Block]:
    """All entries in key order, as they are in the pages now, whatever becomes of these."""
    prefixes: list[bytes] = []
    found: list[Page | Place] = []
    cuts = array("I")
    opened: dict[PageKey, _Opened] = {}
    for key, low, high in runs(pages.known):
        length = pages.known[key].length
        if not low:
            prefixes.append(key[0])
            found.append(pages.held(key))
        if not low and high == length:
            cuts.extend((len(found) - 1, low, high, 0, _TO_THE_END))
            continue
        if not low:
            opened[key] = _Opened(len(found) - 1, pages[key])
        cuts.extend(opened[key].cut(low, high))
        if high == length:
            del opened[key]

    @lru_cache(_AT_HAND)
    def take(place: Place) -> Page:
        return pages.taken(place)

    def make(number: int) -> Block:
        at, low, high, begin, end = cuts[number * _CUT : (number + 1) * _CUT]
        held = found[at]
        page = held if isinstance(held, Page) else take(held)
        return page.block(prefixes[at], page.names[begin:end], low, high)

    return OnDemand(len(cuts) // _CUT, make)


class _Opened:
    """A page whose runs come up, and how far its names have gone by."""

    def __init__(self, number: int, page: Page) -> None:
        self._number = number
        self._page = page
        self._names = page.name_list() if page.directories else []
        self._begin = 0

    def cut(self, low: int, high: int) -> tuple[int, int, int, int, int]:
        """Where the next run is cut out."""
        begin, end = self._begin, len(self._page.names)
        if high < self._page.length:
            end = begin + sum(map(len, self._names[low:high])) + high - low - 1
        self._begin = end + 1
        return self._number, low, high, begin, end
