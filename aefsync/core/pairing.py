"""Pairing: what replicas have at the positions that a comparison selected, laid side by side, path by path in key order.

Entries, and tombstones beside them, come in batches, from all replicas at a time; never more than that is held.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from operator import itemgetter

from aefsync.core.compare import BATCH, Difference, Fetch, FetchTombstones, Selection, Span
from aefsync.core.consistent import check_order
from aefsync.core.entry import Entry
from aefsync.core.metadata import PLAIN, Aspects
from aefsync.core.version import Tombstone, Version
from aefsync.core.view import View

_STRETCH = 256
"""What comes from one replica that is laid beside the others' at once."""


def differences(
    fetch: Fetch, view: View, selections: Sequence[Selection], aspects: Aspects = PLAIN
) -> Iterator[Difference]:
    """Fetch what was selected, a batch a message, and yield the paths on which the replicas disagree, in key order."""
    replicas = len(selections[0].spans) if selections else 0
    return paired(merged(streams(fetch, selections)), replicas, view, aspects)


Item = tuple[bytes, int, Entry | Tombstone]
"""What a replica has at a key, or knows of it."""
_key_of = itemgetter(0)


def streams(fetch: Fetch | FetchTombstones, selections: Sequence[Selection]) -> list[Iterator[Item]]:
    """What each replica has at its selected positions, as it is needed."""
    replicas = range(len(selections[0].spans)) if selections else ()
    return [_stream(fetch, i, joined(span for each in selections for span in each.spans[i])) for i in replicas]


def merged(items: Iterable[Iterable[Item]]) -> Iterator[Item]:
    """Several streams as one, in key order."""
    coming = [_stretches(each) for each in items]
    read: list[list[Item]] = [[] for _ in coming]
    while True:
        read = [own or next(further, []) for own, further in zip(read, coming, strict=True)]
        ends = [own[-1][0] for own in read if own]
        if not ends:
            return
        # Up to the first of these ends everything is at hand, and to sort what is in order already is to merge it.
        cuts = [bisect_right(own, min(ends), key=_key_of) for own in read]
        yield from sorted(itertools.chain(*[own[:cut] for own, cut in zip(read, cuts, strict=True)]), key=_key_of)
        read = [own[cut:] for own, cut in zip(read, cuts, strict=True)]


def _stretches(items: Iterable[Item]) -> Iterator[list[Item]]:
    """What comes one by one, many at a time, all that is at one key together."""
    stretch: list[Item] = []
    for item in items:
        if len(stretch) >= _STRETCH and item[0] != stretch[-1][0]:
            yield stretch
            stretch = []
        stretch.append(item)
    if stretch:
        yield stretch


def paired(items: Iterable[Item], replicas: int, view: View, aspects: Aspects) -> Iterator[Difference]:
    """What so many replicas have and know, path by path in key order, where they disagree about that.

    Where versions count, so do tombstones: with one on a path it is what is known of deletions that tells.
    """
    for _, group in itertools.groupby(items, key=_key_of):
        found: list[Entry | None] = [None] * replicas
        tombstones: list[Version | None] = []
        for _, replica, item in group:
            if isinstance(item, Entry):
                found[replica] = item
            else:
                tombstones = tombstones or [None] * replicas
                tombstones[replica] = item.version
        entries = tuple(found)
        if len(set(tombstones)) > 1 or (not tombstones and not view.same(entries, aspects)):
            yield Difference(item.path, entries, tuple(tombstones))


def _stream(fetch: Fetch | FetchTombstones, replica: int, spans: list[Span]) -> Iterator[Item]:
    before = b""
    for batch in batches(spans):
        items = fetch(replica, batch)
        keys = [item.path.key for item in items]
        check_order(replica, keys, before)
        before = keys[-1] if keys else before
        yield from zip(keys, itertools.repeat(replica), items)


def joined(spans: Iterable[Span]) -> list[Span]:
    """Spans in order, neighbours as one.

    >>> joined([(0, 2), (2, 5), (7, 8)])
    [(0, 5), (7, 8)]
    """
    whole: list[Span] = []
    for start, stop in spans:
        join(whole, start, stop)
    return whole


def join(spans: list[Span], start: int, stop: int) -> None:
    """Add a span behind others: neighbours are one."""
    spans.append((spans.pop()[0], stop) if spans and spans[-1][1] == start else (start, stop))


def behind(spans: Sequence[Span], count: int) -> list[Span]:
    """The spans without their first so many positions.

    >>> behind([(0, 2), (3, 5), (7, 8)], 3)
    [(4, 5), (7, 8)]
    """
    left: list[Span] = []
    for start, stop in spans:
        begin = min(stop, start + count)
        count -= begin - start
        left += [(begin, stop)] if begin < stop else []
    return left


def batches(spans: Sequence[Span]) -> Iterator[list[Span]]:
    """The spans, cut so that each batch covers at most `BATCH` positions."""
    batch: list[Span] = []
    room = BATCH
    for begin, stop in spans:
        start = begin
        while start < stop:
            end = min(stop, start + room)
            batch.append((start, end))
            room -= end - start
            start = end
            if not room:
                yield batch
                batch, room = [], BATCH
    if batch:
        yield batch
