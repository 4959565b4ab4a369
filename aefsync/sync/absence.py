"""Absence looked at once more: what a listing missed because names moved while it was read must not be deleted."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from aefsync.core.path import RelPath
from aefsync.core.reconcile import Decisions
from aefsync.core.verdict import Remove
from aefsync.sync.session import Session

_ASKED = 4096
"""Paths in one question."""


def appeared(session: Session, decisions: Decisions) -> frozenset[RelPath]:
    """Of the paths that are to go because the first replica lacks them, those that it has after all.

    What lies below a directory that is missing is missing too, so only the outermost are asked about.
    """
    found: set[RelPath] = set()
    outermost = _outermost(decisions)
    while paths := list(itertools.islice(outermost, _ASKED)):
        told = session.call(0, lambda _, replica: replica.allocated(paths))
        found.update(path for path, size in zip(paths, told, strict=True) if size is not None)
    return frozenset(found)


def _outermost(decisions: Decisions) -> Iterator[RelPath]:
    top: RelPath | None = None
    for path, _, verdict, _ in decisions:
        if isinstance(verdict, Remove) and not (top is not None and path.is_below(top)):
            top = path
            yield path
