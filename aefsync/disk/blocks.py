"""Blocks: what pages hold, in key order.

A block that is a whole page shares its columns.  A directory with a sub-directory in its midst is one page and several
blocks: were these kept, all that it holds would be in memory twice; so they are cut out of the page when they are asked for.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import overload

from aefsync.core.snapshot import Block
from aefsync.disk.key_order import runs
from aefsync.disk.page import Page, PageKey
from aefsync.disk.pages import Pages
from aefsync.disk.spill import Place

_CUT = 5
"""The number of the page, from which entry to which, and from which byte of its names to which."""
_KEPT = (0,) * _CUT
_TO_THE_END = (1 << 32) - 1
_AT_HAND = 32
"""Pages that are had from where they are put away at one time: of a directory with many others in its midst there are many
blocks, and those come up by turns with what is in the others."""


class Blocks(Sequence[Block]):
    """Those that are `kept`, and in place of `None` what `make` makes of the number."""

    def __init__(self, kept: Sequence[Block | None], make: Callable[[int], Block]) -> None:
        self.kept = kept
        self._make = make
        self._last: tuple[int, Block] | None = None
        """the one that was asked for last, and often is again"""

    def __len__(self) -> int:
        return len(self.kept)

    @overload
    def __getitem__(self, number: int) -> Block: ...

    @overload
    def __getitem__(self, number: slice) -> list[Block]: ...

    def __getitem__(self, number: int | slice) -> Block | list[Block]:
        if isinstance(number, slice):
            return [self[each] for each in range(*number.indices(len(self.kept)))]
        kept = self.kept[number]
        if kept is not None:
            return kept
        if self._last is None or self._last[0] != number:
            self._last = number, self._make(number)
        return self._last[1]


def with_each(blocks: Sequence[Block], change: Callable[[int, Block], Block]) -> Blocks:
    """The blocks with something changed in each, by its number: at once in those that are kept, else when it is made."""
    kept = blocks.kept if isinstance(blocks, Blocks) else blocks
    changed = [None if block is None else change(number, block) for number, block in enumerate(kept)]
    return Blocks(changed, lambda number: change(number, blocks[number]))


def assemble(pages: Pages) -> Blocks:
    """All entries in key order, as they are in the pages now; those of pages that are put away stay there."""
    found: list[tuple[bytes, Page | Place]] = []
    kept: list[Block | None] = []
    cuts = array("I")
    opened: dict[PageKey, _Opened] = {}
    for key, low, high in runs(pages.known):
        known = pages.known[key]
        is_whole = not low and high == known.length
        if is_whole and isinstance(known, Page):
            kept.append(known.block(key[0], known.names, low, high))
            cuts.extend(_KEPT)
            continue
        kept.append(None)
        if is_whole:
            cuts.extend((len(found), low, high, 0, _TO_THE_END))
        elif not low:
            opened[key] = _Opened(len(found), pages[key])
        if not low:
            found.append((key[0], pages.held(key)))
        if not is_whole:
            cuts.extend(opened[key].cut(low, high))
        if high == known.length:
            opened.pop(key, None)

    @lru_cache(_AT_HAND)
    def take(number: int) -> Page:
        return pages.taken(found[number][1])

    def make(number: int) -> Block:
        at, low, high, begin, end = cuts[number * _CUT : (number + 1) * _CUT]
        page = take(at)
        return page.block(found[at][0], page.names[begin:end], low, high)

    return Blocks(kept, make)


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
