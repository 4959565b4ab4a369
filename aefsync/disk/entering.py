"""Entering: what was planted is entered in the records by columns, a directory at a time.

Nearly always a directory had no records before, and shows what was planted in it and nothing else.  Then its records
are what its pages show, with the versions that were meant.  Whatever is not so, in the least thing, is left to
`settling`, which decides name by name.

    planted     a b c     d        of two growths, versions 1 1 1, 2
    shown       a b c d            entered: a b c d, versions 1 1 1 2
"""

from __future__ import annotations

import stat
from array import array
from collections.abc import Collection, Sequence

from aefsync.core.snapshot import CONTENT, STAT_COLUMNS, Block
from aefsync.core.view import STAT
from aefsync.disk.building import directory_path
from aefsync.disk.chronicle import Chronicle, Numbered
from aefsync.disk.merging import write_first
from aefsync.disk.page import Page
from aefsync.disk.pending_growth import PendingGrowth
from aefsync.disk.scan import Scanner
from aefsync.disk.vectors import packed

_DIRECTORY = stat.S_IFDIR


class Entering:
    """Enters growths in the records, in a transaction of the chronicle; those in `failed` directories (by their paths)
    are not durable.  `entered` are the directories whose records are complete."""

    def __init__(self, chronicle: Chronicle, scanner: Scanner, failed: Collection[bytes]) -> None:
        self.entered: set[bytes] = set()
        self._chronicle = chronicle
        self._scanner = scanner
        self._failed = failed
        self._laid: dict[bytes, _Laid | None] = {}
        """by key with a closing NUL; `None` where it has to be decided name by name"""

    def add(self, pending: PendingGrowth, done: bytes) -> None:
        """The next growth, in key order; `done` has a byte 1 for each entry that is in place."""
        fresh = {block.prefix for block in pending.growth.blocks} - self._laid.keys()
        self._scanner.materialise(fresh)
        self._laid |= {prefix: self._begin(prefix) for prefix in fresh}
        low = 0
        for block in pending.growth.blocks:
            high = low + block.length
            self._lay(block, pending.numbers[low:high], done[low:high])
            low = high

    def _begin(self, prefix: bytes) -> _Laid | None:
        chronicle = self._chronicle
        assert chronicle.sidecar is not None
        if (
            directory_path(prefix) in self._failed
            or chronicle.tombstones.get(prefix)
            or chronicle.sidecar.heads_of(prefix)
        ):
            return None
        pages = self._scanner.pages.of(prefix)
        return _Laid(pages) if not any(page.flags.strip(b"\0") for page in pages) else None

    def _lay(self, block: Block, numbers: array[int], done: bytes) -> None:
        laid = self._laid[block.prefix]
        if laid is not None and 0 not in done and laid.shows(block):
            laid.numbers += numbers
            if laid.is_complete:
                self._enter(block.prefix, laid)
            return
        self._laid[block.prefix] = None
        self.entered.discard(block.prefix)

    def _enter(self, prefix: bytes, laid: _Laid) -> None:
        low = 0
        for number, page in enumerate(laid.pages):
            own = packed(laid.numbers[low : low + page.length])
            self._chronicle.pages[prefix, number] = Numbered(own, None, page.digests)
            low += page.length
        write_first(self._chronicle, prefix, laid.pages, laid.numbers)
        self.entered.add(prefix)
        self._laid[prefix] = _DONE  # its pages may be put away, and are not to stay in memory here


class _Laid:
    """What a directory shows, laid beside what was planted in it as that comes up; `numbers` are those of its versions."""

    def __init__(self, pages: Sequence[Page]) -> None:
        self.pages = pages
        self.numbers = array("I")
        self._total = sum(page.length for page in pages)
        self._page = self._at = 0

    @property
    def is_complete(self) -> bool:
        """Whether nothing is shown beyond what was planted."""
        return len(self.numbers) == self._total

    def shows(self, block: Block) -> bool:
        """Whether what comes next in the directory is as it was planted."""
        low = 0
        while low < block.length:
            if self._page == len(self.pages):
                return False
            page, at = self.pages[self._page], self._at
            count = min(block.length - low, page.length - at)
            if not _are_same(page, at, block, low, count):
                return False
            low, self._at = low + count, at + count
            if self._at == page.length:
                self._page, self._at = self._page + 1, 0
        return True


_DONE = _Laid(())
"""Of a directory that is entered: nothing that still comes is shown by it."""


def _are_same(page: Page, at: int, block: Block, low: int, count: int) -> bool:
    """Whether so many entries of a page are like as many of a block, as far as a version stands for it."""
    if count == page.length == block.length:
        return page.names == block.names and page.contents == block.contents and _look(page.stats) == _look(block.stats)
    return (
        page.name_list()[at : at + count] == block.name_list()[low : low + count]
        and page.contents[at * CONTENT : (at + count) * CONTENT]
        == block.contents[low * CONTENT : (low + count) * CONTENT]
        and _look(page.stats[at * STAT.size : (at + count) * STAT.size])
        == _look(block.stats[low * STAT.size : (low + count) * STAT.size])
    )


def _look(stats: bytes) -> tuple[list[int], ...]:
    """Kinds, sizes and mtimes; of directories only that they are some."""
    columns = memoryview(stats).cast("q")
    kinds = [stat.S_IFMT(mode) for mode in columns[0::STAT_COLUMNS].tolist()]
    sizes, times = (columns[number::STAT_COLUMNS].tolist() for number in (1, 2))
    for index, kind in enumerate(kinds) if _DIRECTORY in kinds else ():
        if kind == _DIRECTORY:
            sizes[index] = times[index] = 0
    return kinds, sizes, times
