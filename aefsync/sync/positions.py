"""Positions: where in the snapshots of replicas entries stand that are known by their paths, as `decide` needs them to have
files read."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from aefsync.core.compare import BATCH, Span
from aefsync.core.tree import KeyRange, Question
from aefsync.sync.session import Session
from aefsync.sync.survey import Survey


def positions(session: Session, survey: Survey, wanted: Iterable[tuple[int, bytes]]) -> list[list[Span]]:
    """For each replica, the positions in its snapshot of these paths, which are in key order."""
    finders = [_Finder(session, survey, number) for number in range(len(survey.scans))]
    for number, path in wanted:
        finders[number].add(path.replace(b"/", b"\0"))
    return [finder.finish() for finder in finders]


class _Finder:
    """Finds where entries stand in a replica's snapshot: it asks how many lie between them, many at a time."""

    def __init__(self, session: Session, survey: Survey, replica: int) -> None:
        self._replica = session.replicas[replica]
        self._view = survey.view
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
        bounds = [self._asked_to, *(bound for key in self._keys for bound in (key, key + b"\0"))]
        ranges = tuple(KeyRange(low, high) for low, high in itertools.pairwise(bounds))
        for number, count in enumerate(self._replica.fingerprints(Question(self._view, ranges, 0)).counts):
            if number % 2 and count:
                self._join(self._position, self._position + count)
            self._position += count
        self._asked_to = bounds[-1]
        self._keys = []

    def _join(self, start: int, stop: int) -> None:
        if self._spans and self._spans[-1][1] == start:
            start = self._spans.pop()[0]
        self._spans.append((start, stop))
