"""The hash tree of a snapshot, which is never stored.

The digest of a node, a key range, is keyed BLAKE3 over the slice of the flat array of entry digests that the range
covers, so there is nothing to keep up to date: all 1024 children of a million-entry root cost about 10 ms.  Nodes are
not tied to directories: a **question** names key ranges, and a replica either answers them as they are or splits each
into parts of about equal count, at bounds that it chooses from its own keys; the other replicas are then asked for the
same bounds.  A bound is the shortest byte string that separates two neighbouring keys.

Example: the keys `a  a.b  b  c\\0x  d` split in two by a replica that holds them give the bounds `b` and the end; a
replica that holds only `a  d` answers the same two ranges with the counts 1 and 1.

The shape view needs no entry digests: it hashes names, kinds and sizes as they stand packed, a stream for each column,
so that the digest does not depend on where blocks are cut.
"""

from __future__ import annotations

import itertools
import os.path
from collections.abc import Iterator

from aefsync.core.digest import ENTRY_DIGEST, KEY_SIZE, NODE_DIGEST, node_digest, short_digests
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.snapshot import STAT_COLUMNS, Snapshot, block_digests, cut
from aefsync.core.view import View


class KeyRange(NamedTuple):
    """The keys `low <= key < high`."""

    low: bytes
    high: bytes


class Question(NamedTuple):
    """What one replica is asked about some ranges.

    `parts` 0: digest and count of each range.  `parts` n > 1: split each range into at most n.  `LEAVES`: a short
    digest of every entry in each range.  `size` is the length of a node's digest.
    """

    view: View
    ranges: tuple[KeyRange, ...]
    parts: int
    size: int = NODE_DIGEST


LEAVES = 1
LEAF = 32
"""No range is split into parts smaller than about this."""


class Answer(NamedTuple):
    """Counts and digests, in the order of the question.

    With parts: `children` gives how many nodes each range was split into, `bounds` the upper bounds of all but the
    last of each range.  With `LEAVES`: `counts` are per range and `digests` one per entry.
    """

    counts: tuple[int, ...]
    digests: bytes
    children: tuple[int, ...] = ()
    bounds: tuple[bytes, ...] = ()


def answer(snapshot: Snapshot, question: Question, key: bytes) -> Answer:
    """Answer a question about a snapshot under the session's key."""
    if question.parts == 0:
        return _answer_nodes(snapshot, question, key)
    if question.parts == LEAVES:
        return _answer_leaves(snapshot, question, key)
    return _split(snapshot, question, key)


def range_digest(snapshot: Snapshot, view: View, low: int, high: int, key: bytes, size: int = NODE_DIGEST) -> bytes:
    """The digest of the entries at positions `low` … `high - 1`."""
    if view is View.SHAPE:
        columns = zip(*_shape_columns(snapshot, low, high), strict=True)
        return node_digest([node_digest(column, key, KEY_SIZE) for column in columns], key, size)
    flat = memoryview(snapshot.digests_in(view))
    return node_digest([flat[low * ENTRY_DIGEST : high * ENTRY_DIGEST]], key, size)


def _shape_columns(snapshot: Snapshot, low: int, high: int) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Names (the directory named where it changes), kinds and sizes of the range, as the blocks hold them."""
    previous = None
    for block, start, stop in snapshot.runs(low, high):
        whole = start == 0 and stop == block.length
        names = block.names if whole else b"\0".join(block.name_list()[start:stop])
        head = b"\0" if block.prefix == previous else b"\0/" + block.prefix + b"/\0"
        previous = block.prefix
        rows = memoryview(block.stats).cast("q")[start * STAT_COLUMNS : stop * STAT_COLUMNS]
        kinds = bytes([mode >> 12 for mode in rows[0::STAT_COLUMNS].tolist()])
        yield head + names, kinds, rows[1::STAT_COLUMNS].tobytes()


def _answer_nodes(snapshot: Snapshot, question: Question, key: bytes) -> Answer:
    positions = [_positions(snapshot, bounds) for bounds in question.ranges]
    digests = [range_digest(snapshot, question.view, low, high, key, question.size) for low, high in positions]
    return Answer(tuple(high - low for low, high in positions), b"".join(digests))


def _answer_leaves(snapshot: Snapshot, question: Question, key: bytes) -> Answer:
    positions = [_positions(snapshot, bounds) for bounds in question.ranges]
    digests = [short_digests(_leaf(snapshot, question.view, low, high), key) for low, high in positions]
    return Answer(tuple(high - low for low, high in positions), b"".join(digests))


def _leaf(snapshot: Snapshot, view: View, low: int, high: int) -> bytes:
    if view is not View.SHAPE:
        return snapshot.digests_in(view)[low * ENTRY_DIGEST : high * ENTRY_DIGEST]
    runs = snapshot.runs(low, high)
    return b"".join(block_digests(cut(block._replace(versions=None), *part), view) for block, *part in runs)


def _split(snapshot: Snapshot, question: Question, key: bytes) -> Answer:
    counts: list[int] = []
    digests: list[bytes] = []
    bounds: list[bytes] = []
    children: list[int] = []
    for bounds_asked in question.ranges:
        low, high = _positions(snapshot, bounds_asked)
        cuts = even_cuts(low, high, min(question.parts, -(-(high - low) // LEAF)))
        children.append(len(cuts) - 1)
        bounds += [separator(snapshot.key(cut - 1), snapshot.key(cut)) for cut in cuts[1:-1]]
        for start, stop in itertools.pairwise(cuts):
            counts.append(stop - start)
            digests.append(range_digest(snapshot, question.view, start, stop, key, question.size))
    return Answer(tuple(counts), b"".join(digests), tuple(children), tuple(bounds))


def _positions(snapshot: Snapshot, bounds: KeyRange) -> tuple[int, int]:
    low = snapshot.position(bounds.low)
    return low, max(low, snapshot.position(bounds.high))


def even_cuts(low: int, high: int, parts: int) -> list[int]:
    """Positions that cut `low` … `high` into at most `parts` runs of about equal length, none of them empty."""
    parts = max(1, min(parts, high - low))
    return [low + (high - low) * i // parts for i in range(parts + 1)]


def separator(below: bytes, above: bytes) -> bytes:
    """The shortest byte string `s` with `below < s <= above`."""
    length = len(os.path.commonprefix([below, above]))
    return above[: length + 1]
