"""Pages: what a scan knows, all of which need not be in memory.

Once many are there, others are put away in a file that only this session has (`spill`), and their briefs stand for
them.  The index would not do in its place: another run may write other pages there meanwhile, and what this one has
compared must be what it goes on with.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Container, Iterator, MutableMapping, Sequence

from aefsync.core.named_tuple import NamedTuple
from aefsync.disk.key_order import keys_of
from aefsync.disk.on_demand import OnDemand
from aefsync.disk.page import Brief, Page, PageKey, pack, unpack
from aefsync.disk.spill import Place, Spill

AT_HAND = 16 << 20
"""Bytes of pages that are kept in memory."""
_OBJECTS = 400
"""Bytes that a page takes beside its columns."""


Names = bytes | Place
"""The names of a page, joined by NUL, or where it is put away, lest they fill memory."""


def names_of(held: Page | Place) -> Names:
    """The names of a page that is held so."""
    return held.names if isinstance(held, Page) else held


class Kept(NamedTuple):
    """What was known of a page, and where it is: in memory, or where it is put away (`None`: in the index, perhaps)."""

    known: Page | Brief
    held: Page | Place | None


class Own(OnDemand[Page]):
    """The pages of one directory, in order."""

    def __init__(self, held: Sequence[Page | Place], taken: Callable[[Page | Place], Page]) -> None:
        super().__init__(len(held), lambda number: taken(held[number]))
        self._held = held

    def names(self, number: int) -> Names:
        """The names of one of them."""
        return names_of(self._held[number])


class Pages(MutableMapping[PageKey, Page]):
    """Pages by key; with a `directory` they may be put away there.

    `known` has each, or its brief where it is put away: to look at a page there costs nothing, to take it from here may
    mean that it is read.  Pages that are not settled are told apart: only these are gone through one by one.
    """

    def __init__(self, directory: str | None = None) -> None:
        self.known: dict[PageKey, Page | Brief] = {}
        self._places: dict[PageKey, Place] = {}
        self._spill = Spill(directory)
        self._is_full = False
        """nothing more is put away"""
        self._size = 0

    def __getitem__(self, key: PageKey) -> Page:
        return self.taken(self.held(key))

    def held(self, key: PageKey) -> Page | Place:
        """A page, or where it is put away, which stays true whatever page comes in its place."""
        known = self.known[key]
        return known if isinstance(known, Page) else self._places[key]

    def taken(self, held: Page | Place) -> Page:
        """The page that was so `held`; raises `RootError`."""
        if isinstance(held, Page):
            return held
        return unpack(self._spill.get(held))

    def of(self, prefix: bytes) -> Own:
        """Those of one directory, in order, as they are now, whatever pages come in their place."""
        return Own([self.held(key) for key in keys_of(self.known, prefix)], self.taken)

    def names(self, names: Names) -> bytes:
        """Those of a page, wherever they are; raises `RootError`."""
        return names if isinstance(names, bytes) else self.taken(names).names

    def holding(self, prefix: bytes, names: Collection[bytes]) -> Iterator[tuple[PageKey, Page, dict[int, bytes]]]:
        """The pages of one directory where these names belong, with the positions of those that are there.

        Only these pages are looked into: a few names of a directory of a million cost what a few names cost.
        """
        # A page of which all has vanished stands in no order.
        keys = [key for key in keys_of(self.known, prefix) if self.known[key].length] if names else []
        wanted, low = sorted(names) if keys else [], 0
        while low < len(wanted):
            number = max(0, bisect_right(keys, wanted[low], key=self._first) - 1)
            last = number + 1 == len(keys)
            high = len(wanted) if last else bisect_left(wanted, self._first(keys[number + 1]), low + 1)
            here, page = frozenset(wanted[low:high]), self[keys[number]]
            yield keys[number], page, {i: name for i, name in enumerate(page.name_list()) if name in here}
            low = high

    def _first(self, key: PageKey) -> bytes:
        return self[key].names.partition(b"\0")[0]

    def lengths(self, prefix: bytes) -> list[int]:
        """How many entries each of them has; none is read for that."""
        return [self.known[key].length for key in keys_of(self.known, prefix)]

    def __setitem__(self, key: PageKey, page: Page) -> None:
        self._let_go(key)
        size = _size(page)
        if self._is_full or self._size + size <= AT_HAND or not self._put_away(key, page):
            self.known[key] = page
            self._size += size

    def _put_away(self, key: PageKey, page: Page) -> bool:
        """Put a page away, if that can be done."""
        try:
            self._places[key] = self._spill.put(pack(page))
        except OSError:
            self._is_full = True
            return False
        self.known[key] = page.brief()
        return True

    def _let_go(self, key: PageKey) -> None:
        before = self.known.get(key)
        if isinstance(before, Page):
            self._size -= _size(before)
        elif before is not None:
            del self._places[key]

    def withdraw(self, key: PageKey) -> Kept:
        """Take a page out, to be put back or not."""
        kept = Kept(self.known[key], self.held(key))
        del self[key]
        return kept

    def put_back(self, key: PageKey, kept: Kept) -> Page | Brief:
        """Put a page where it was, as it was."""
        if isinstance(kept.held, Page):
            self[key] = kept.held
        else:
            assert kept.held is not None
            self.known[key], self._places[key] = kept.known, kept.held
        return self.known[key]

    def __delitem__(self, key: PageKey) -> None:
        self._let_go(key)
        del self.known[key]

    def __contains__(self, key: object) -> bool:
        return key in self.known

    def __iter__(self) -> Iterator[PageKey]:
        return iter(self.known)

    def __len__(self) -> int:
        return len(self.known)

    def clear(self) -> None:
        self.known.clear()
        self._places.clear()
        self._size = 0

    def unsettled(self) -> Iterator[tuple[PageKey, Page]]:
        """Those in which anything is unread, racy, left out, or without its digest, as they are when they come up."""
        return self._coming([key for key, each in self.known.items() if not each.is_settled])

    def flagged(self, directories: Container[bytes] | None = None) -> Iterator[tuple[PageKey, Page]]:
        """Those among them (of some directories) in which anything is unread or racy."""
        known = self.known.items()
        return self._coming(
            [key for key, each in known if (directories is None or key[0] in directories) and each.is_flagged]
        )

    def _coming(self, keys: Sequence[PageKey]) -> Iterator[tuple[PageKey, Page]]:
        return ((key, self[key]) for key in keys if key in self.known)


def _size(page: Page) -> int:
    columns = page[:5] if page.listed is page.names else (*page[:5], page.listed, page.listed_stats)
    return _OBJECTS + sum(map(len, columns))
