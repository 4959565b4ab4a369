"""Locating: the entries of paths in a snapshot, wherever that is, in two exchanges for thousands of them."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from aefsync.core.compare import BATCH, Span
from aefsync.core.entry import Entry
from aefsync.core.path import RelPath
from aefsync.core.tree import KeyRange, Question
from aefsync.core.view import View

if TYPE_CHECKING:
    from aefsync.wire.remote import RemoteReplica


def locate(replica: RemoteReplica, paths: Iterable[RelPath]) -> dict[RelPath, Entry]:
    """The entries of those of these paths that the replica's snapshot has."""
    spans = positions(replica, paths)
    return {entry.path: entry for entry in replica.entries(spans)} if spans else {}


def positions(replica: RemoteReplica, paths: Iterable[RelPath]) -> list[Span]:
    """Where in the replica's snapshot these paths are, in key order; those that it does not have are left out."""
    ordered = sorted({path.key for path in paths})
    spans: list[Span] = []
    for start in range(0, len(ordered), BATCH):
        spans += _positions(replica, ordered[start : start + BATCH])
    return spans


def _positions(replica: RemoteReplica, keys: list[bytes]) -> Iterator[Span]:
    # No key but its own lies between that of a path and the same with a NUL: the ranges are, in turn, what comes
    # before a path and the path itself.
    bounds = [b"", *(bound for key in keys for bound in (key, key + b"\0"))]
    ranges = tuple(KeyRange(*pair) for pair in itertools.pairwise(bounds))
    counts = replica.fingerprints(Question(View.FULL, ranges, 0)).counts
    ends = itertools.accumulate(counts)
    yield from (
        (end - 1, end) for end, count, own in zip(ends, counts, itertools.cycle((0, 1)), strict=False) if own and count
    )
