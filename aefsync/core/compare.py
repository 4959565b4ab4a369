"""Compare N replicas level by level: find exactly the entries on which they disagree, at a cost of the differences.

Anti-entropy as in Dynamo (DeCandia 2007, §4.7) and Riak's `hashtree`, over key ranges instead of a fixed tree.  The
replicas are reached through one function, `ask`, which puts one question to each at the same time.  A level is two
exchanges in a row: the **leader** (the replica with the most entries) splits the open ranges, the others answer the
same bounds.  Ranges with equal digests are closed.  A range that only one replica has anything in is not descended
into.  In ranges of at most `LEAF` entries each replica gives a short digest of every entry, and those that not all
have are **selected**; where little is left anyway, whole ranges are selected and the short digests saved.

    level 0   [------------------------------ all ------------------------------]   counts 1,000,000 / 1,000,000
    level 1   [ ... ][ ... ][ differs ][ ... ]                                      177 parts of 5,650
    level 2            [..][..][differs][..]                                        177 parts of 32
    level 3                   entries of that range, both sides: 64 entries

What comes out are positions in each replica's snapshot; `pairing` fetches those entries in batches and pairs them by
path, in key order.  The comparison holds ranges and positions, never more than a batch of entries.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from math import isqrt

from aefsync.core.consistent import check_parts
from aefsync.core.digest import NODE_DIGEST
from aefsync.core.entry import Entry
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.path import END, RelPath
from aefsync.core.tree import LEAF, LEAVES, Answer, KeyRange, Question
from aefsync.core.version import Tombstone, Version
from aefsync.core.view import View

Ask = Callable[[Sequence[Question | None]], Sequence[Answer | None]]
Span = tuple[int, int]
Fetch = Callable[[int, Sequence[Span]], Sequence[Entry]]
FetchTombstones = Callable[[int, Sequence[Span]], Sequence[Tombstone]]
Tombstones = tuple[Version | None, ...]

FEW = 96
"""Entries (of one replica) that are fetched at once rather than asked for their short digests first."""
BATCH = 2048
"""Entries, or nodes, in one message."""


class Difference(NamedTuple):
    """One path on which replicas disagree; an entry, or `None` where there is none, for each replica.

    In sessions with versions `tombstones` tells of each replica whether it knows that the path was deleted (empty: none does).
    """

    path: RelPath
    entries: tuple[Entry | None, ...]
    tombstones: Tombstones = ()


class Range(NamedTuple):
    """An open key range: where it begins in each replica's snapshot and how many entries each has in it."""

    keys: KeyRange
    starts: tuple[int, ...]
    counts: tuple[int, ...]

    @property
    def size(self) -> int:
        return max(self.counts)

    @property
    def leader(self) -> int:
        """The replica that chooses the bounds: the one with most to split, so that every split makes progress."""
        return self.counts.index(max(self.counts))

    @property
    def one_sided(self) -> bool:
        return sum(1 for count in self.counts if count) == 1


class Selection(NamedTuple):
    """Positions, as half-open spans in key order, of what must be looked at within one range, for each replica."""

    spans: tuple[tuple[Span, ...], ...]

    @property
    def size(self) -> int:
        return sum(stop - start for spans in self.spans for start, stop in spans)


def whole(counts: Sequence[int]) -> Range:
    """The range of everything, for snapshots of these sizes."""
    return Range(KeyRange(b"", END), (0,) * len(counts), tuple(counts))


def select(ask: Ask, view: View, counts: Sequence[int], *, exact: bool = False) -> list[Selection]:
    """The positions of all entries on which the replicas disagree, in key order.

    Every entry that differs is selected; unless `exact`, which may take one exchange more, some that do not are too.
    """
    unordered: list[tuple[bytes, Selection]] = []
    pending = [whole(counts)] if any(counts) else []
    while pending:
        few = not exact and sum(each.size for each in pending) <= FEW
        chosen = [each for each in pending if few or each.one_sided]
        leaves = [each for each in pending if not few and not each.one_sided and each.size <= LEAF]
        larger = [each for each in pending if not few and not each.one_sided and each.size > LEAF]
        unordered += [(each.keys.low, _everything(each)) for each in chosen]
        unordered += _select_leaves(ask, view, leaves)
        pending = list(itertools.chain.from_iterable(_descend(ask, view, part) for part in _portions(larger)))
    unordered.sort(key=lambda pair: pair[0])
    return [selection for _, selection in unordered]


def _everything(each: Range) -> Selection:
    spans = zip(each.starts, each.counts, strict=True)
    return Selection(tuple(((start, start + count),) if count else () for start, count in spans))


def _portions(ranges: list[Range]) -> Iterator[list[Range]]:
    """Groups of ranges whose split gives about `BATCH` nodes at most."""
    group: list[Range] = []
    nodes = 0
    for each in ranges:
        parts = _parts(each.size)
        if group and nodes + parts > BATCH:
            yield group
            group, nodes = [], 0
        group.append(each)
        nodes += parts
    if group:
        yield group


def _parts(size: int) -> int:
    """How many parts a range of this size is split into: two levels of about the same width, or one if it is small."""
    leaves = -(-size // LEAF)
    return leaves if leaves <= BATCH // 8 else isqrt(leaves) + 1


def _descend(ask: Ask, view: View, ranges: list[Range]) -> Iterator[Range]:
    """Split ranges once; the children on which the replicas disagree."""
    replicas = range(len(ranges[0].counts))
    parts = max(_parts(each.size) for each in ranges)
    led: list[list[Range]] = [[each for each in ranges if each.leader == replica] for replica in replicas]
    splits = ask([Question(view, _keys(own), parts) if own else None for own in led])
    children = [_children(own, split) for own, split in zip(led, splits, strict=True)]
    asked = [[child for leader in replicas if leader != own for child in children[leader]] for own in replicas]
    answers = ask([Question(view, tuple(keys for _, keys in own), 0) if own else None for own in asked])
    replies = [_Replies(answer) for answer in answers]
    for leader in replicas:
        lead = _Replies(splits[leader])
        for each, group in itertools.groupby(children[leader], key=lambda child: child[0]):
            yield from _open_children(each, [keys for _, keys in group], lead, replies)


def _keys(ranges: list[Range]) -> tuple[KeyRange, ...]:
    return tuple(each.keys for each in ranges)


def _children(ranges: list[Range], split: Answer | None) -> list[tuple[Range, KeyRange]]:
    found: list[tuple[Range, KeyRange]] = []
    if split is None:
        return found
    bounds = iter(split.bounds)
    for each, number in zip(ranges, split.children, strict=True):
        inner = list(itertools.islice(bounds, number - 1))
        cuts = itertools.pairwise([each.keys.low, *inner, each.keys.high])
        found += [(each, KeyRange(low, high)) for low, high in cuts]
    return found


class _Replies:
    """Reads an answer node by node."""

    def __init__(self, answer: Answer | None) -> None:
        self._nodes = iter(answer.counts if answer else ())
        self._digests = answer.digests if answer else b""
        self._number = 0

    def next(self) -> tuple[int, bytes]:
        begin = self._number * NODE_DIGEST
        self._number += 1
        return next(self._nodes), self._digests[begin : begin + NODE_DIGEST]


def _open_children(each: Range, children: list[KeyRange], lead: _Replies, replies: list[_Replies]) -> Iterator[Range]:
    starts = each.starts
    for keys in children:
        nodes = [lead.next() if replica == each.leader else reply.next() for replica, reply in enumerate(replies)]
        counts = tuple(count for count, _ in nodes)
        if len(set(nodes)) > 1:
            yield Range(keys, starts, counts)
        starts = tuple(start + count for start, count in zip(starts, counts, strict=True))
    check_parts(each.counts, [stop - start for start, stop in zip(each.starts, starts, strict=True)])


def _select_leaves(ask: Ask, view: View, ranges: list[Range]) -> Iterator[tuple[bytes, Selection]]:
    for index in range(0, len(ranges), BATCH // LEAF * 4):
        group = ranges[index : index + BATCH // LEAF * 4]
        question = Question(view, tuple(each.keys for each in group), LEAVES)
        answers = ask([question] * len(group[0].counts))
        offsets = [0] * len(answers)
        for number, each in enumerate(group):
            check_parts(each.counts, [reply.counts[number] for reply in answers if reply is not None])
            short = []
            for replica, reply in enumerate(answers):
                assert reply is not None
                begin, count = offsets[replica], each.counts[replica]
                flat = reply.digests[begin * NODE_DIGEST : (begin + count) * NODE_DIGEST]
                short.append([flat[i : i + NODE_DIGEST] for i in range(0, len(flat), NODE_DIGEST)])
                offsets[replica] += count
            yield each.keys.low, _unshared(each, short)


def _unshared(each: Range, short: list[list[bytes]]) -> Selection:
    """The entries of a leaf whose digest not every replica has."""
    shared = set(short[0]).intersection(*short[1:])
    return Selection(
        tuple(
            tuple(spans_of([start + i for i, digest in enumerate(own) if digest not in shared]))
            for start, own in zip(each.starts, short, strict=True)
        )
    )


def spans_of(positions: list[int]) -> Iterator[Span]:
    """Consecutive positions as half-open spans."""
    for _, run in itertools.groupby(enumerate(positions), lambda pair: pair[1] - pair[0]):
        members = [position for _, position in run]
        yield members[0], members[-1] + 1
