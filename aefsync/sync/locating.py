"""Locating: the entries of paths in a snapshot, wherever that is, in two exchanges for thousands of them."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import TYPE_CHECKING

from aefsync.core.compare import BATCH, Span
from aefsync.core.entry import Entry
from aefsync.core.pairing import join
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
    finder = Finder(replica, View.FULL)
    for key in sorted({path.key for path in paths}):
        finder.add(key)
    return finder.finish()


class Finder:
    """Finds where entries stand in a replica's snapshot: it asks how many lie between them, many at a time."""

    def __init__(self, replica: RemoteReplica, view: View) -> None:
        self._replica = replica
        self._view = view
        self._keys: list[bytes] = []
        self._asked_to = b""
        self._position = 0
        self._spans: list[Span] = []

    def add(self, key: bytes) -> None:
        """The next key, in order."""
        self._keys.append(key)
        if len(self._keys) == BATCH:
            self._ask()

    def finish(self) -> list[Span]:
        """The positions of all that were added, neighbours joined."""
        if self._keys:
            self._ask()
        return self._spans

    def _ask(self) -> None:
        # No key but its own lies between that of a path and the same with a NUL: the ranges are, in turn, what comes
        # before a path and the path itself.
        bounds = [self._asked_to, *(bound for key in self._keys for bound in (key, key + b"\0"))]
        ranges = tuple(KeyRange(low, high) for low, high in itertools.pairwise(bounds))
        for number, count in enumerate(self._replica.fingerprints(Question(self._view, ranges, 0)).counts):
            if number % 2 and count:
                join(self._spans, self._position, self._position + count)
            self._position += count
        self._asked_to = bounds[-1]
        self._keys = []
