"""What differs, told apart: growths, and all else path by path.

Tombstones, where versions count, are laid beside the entries: what somebody knows to be deleted has to be decided by
itself, and what there is on both sides of it are two growths.  Nothing else about a path that only one replica has hangs
on what others have.

    entries (A only)     d/1  d/2  d/3  d/4     d/5            d/7  d/8  d/9
    tombstones (B)                              d/5    d/6
    told                 a growth               d/5    d/6     a growth
"""

from __future__ import annotations

import itertools
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from operator import itemgetter

from aefsync.core.compare import FEW, Difference, Fetch, FetchTombstones, Selection, Span
from aefsync.core.consistent import check_order
from aefsync.core.entry import Entry
from aefsync.core.growth import Growth
from aefsync.core.metadata import PLAIN, Aspects
from aefsync.core.one_sided import OneSided, one_sided, pays, without_first
from aefsync.core.pairing import Item, joined, merged, paired, streams
from aefsync.core.path import END
from aefsync.core.view import View

Grow = Callable[[int, Sequence[Span]], Growth]
"""The first of what a replica has at these positions, packed."""


class Apart:
    """What of the selected entries (`fetch`) and tombstones (`fetch_tombstones`) of so many replicas differs, as `view` sees
    it."""

    def __init__(
        self, replicas: int, fetch: Fetch, fetch_tombstones: FetchTombstones, view: View, aspects: Aspects = PLAIN
    ) -> None:
        self._replicas = replicas
        self._fetch = fetch
        self._fetch_tombstones = fetch_tombstones
        self._view = view
        self._aspects = aspects

    def singly(self, selections: Sequence[Selection], buried: Sequence[Selection]) -> Iterator[Difference]:
        """Path by path, in key order."""
        return self._paired(streams(self._fetch, selections), merged(streams(self._fetch_tombstones, buried)))

    def grown(
        self, selections: Sequence[Selection], buried: Sequence[Selection], grow: Grow
    ) -> Iterator[Difference | OneSided]:
        """The same, where many entries of one replica come together by columns."""
        tombstones = _Tombstones(merged(streams(self._fetch_tombstones, buried)))
        others: Sequence[Selection] = ()
        for holder, group in one_sided(selections):
            if holder is None:
                others = group
                continue
            for growth in _growths(holder, joined(span for each in group for span in each.spans[holder]), grow):
                yield from self._paired(streams(self._fetch, others), tombstones.until(growth.first))
                others = ()
                if tombstones.are_until(growth.last):
                    yield from self._taken_apart(OneSided(holder, growth), tombstones.until(growth.last + b"\0"))
                else:
                    yield OneSided(holder, growth)
        yield from self._paired(streams(self._fetch, others), tombstones.until(END))

    def _taken_apart(self, found: OneSided, tombstones: Iterator[Item]) -> Iterator[Difference | OneSided]:
        """A growth among these tombstones: growths still where there are many entries between two of them."""
        holder, growth = found.holder, found.growth
        keys, low, begin = growth.keys(), 0, 0
        buried: list[Item] = []
        for key, group in itertools.chain(itertools.groupby(tombstones, key=itemgetter(0)), [(END, iter(()))]):
            high = bisect_left(keys, key)
            if pays(high - low):
                yield from self._paired([_items(holder, growth.part(begin, low))], iter(buried))
                yield OneSided(holder, growth.part(low, high))
                begin, buried = high, []
            low = bisect_right(keys, key)
            buried += group
        yield from self._paired([_items(holder, growth.part(begin, low))], iter(buried))

    def _paired(self, entries: Sequence[Iterator[Item]], tombstones: Iterator[Item]) -> Iterator[Difference]:
        return paired(merged([*entries, tombstones]), self._replicas, self._view, self._aspects)


def fetching(grow: Grow, singly: Fetch) -> Fetch:
    """Entries out of what is packed: names are checked, and versions told, once for many.  A few take fewer bytes as they
    are (`singly`)."""

    def fetch(replica: int, spans: Sequence[Span]) -> Sequence[Entry]:
        if sum(stop - start for start, stop in spans) <= FEW:
            return singly(replica, spans)
        return [entry for growth in _growths(replica, spans, grow) for entry in growth.entries()]

    return fetch


def _items(holder: int, growth: Growth) -> Iterator[Item]:
    return ((entry.path.key, holder, entry) for entry in growth.entries())


def _growths(holder: int, spans: Sequence[Span], grow: Grow) -> Iterator[Growth]:
    before = b""
    while spans:
        growth = grow(holder, spans)
        check_order(holder, [growth.first], before)
        before = growth.last
        yield growth
        spans = without_first(spans, growth.length)


class _Tombstones:
    """Tombstones in key order, taken as far as they are needed."""

    def __init__(self, tombstones: Iterator[Item]) -> None:
        self._tombstones = tombstones
        self._next = next(tombstones, None)

    def are_until(self, key: bytes) -> bool:
        """Whether there are any up to a key, of those that are left."""
        return self._next is not None and self._next[0] <= key

    def until(self, high: bytes) -> Iterator[Item]:
        """Those of smaller keys."""
        while self._next is not None and self._next[0] < high:
            yield self._next
            self._next = next(self._tombstones, None)
