"""Finished: the paths on which moves leave nothing to be done: nearly all, where files were renamed one by one.

A path that something was moved to is finished where every replica has what is wanted there, in the version that is
wanted; one that something was moved away from, where every replica has nothing there, and knows the tombstone of it.
The rest of the plan need not look at those.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby

from aefsync.core.entry import Entry, Kind
from aefsync.core.metadata import Aspects
from aefsync.core.moves import Moves
from aefsync.core.path import RelPath
from aefsync.core.reconcile import Decisions
from aefsync.core.verdict import Decision, Remove, Take, at
from aefsync.core.version import Version

_DIRECTORY = Kind.DIRECTORY


def finished(decisions: Decisions, moves: Mapping[int, Moves]) -> frozenset[RelPath]:
    """The paths of single leaves on which nothing is left to be done after these moves, by versions."""
    paths = {path for own in moves.values() for path in (*own.arrived, *own.buried)}
    aspects = decisions.aspects.alone
    return frozenset(each.path for each in decided(decisions, paths) if _is_finished(each, moves, aspects))


def decided(decisions: Decisions, paths: Iterable[RelPath]) -> Iterator[Decision]:
    """The decisions on these paths."""
    firsts = decisions.firsts
    ordered = sorted(paths, key=lambda path: path.key)
    for number, group in groupby(ordered, key=lambda path: max(0, bisect_right(firsts, path.key) - 1)):
        wanted = set(group)
        yield from (each for each in decisions.window(number) if each.path in wanted)


def _is_finished(decision: Decision, moves: Mapping[int, Moves], aspects: Aspects) -> bool:
    path, entries, verdict, tombstones = decision
    if isinstance(verdict, Take):
        wanted = at(entries, verdict.winner)
        if wanted.kind is _DIRECTORY or wanted.path != path:
            return False
        for replica, entry in enumerate(entries):
            after = moves[replica].arrived.get(path, entry) if replica in moves else entry
            if not _is_as_wanted(after, wanted, verdict.version, aspects):
                return False
        return True
    if not isinstance(verdict, Remove) or verdict.version is None:
        return False
    for replica, (entry, tombstone) in enumerate(zip(entries, tombstones or (None,) * len(entries), strict=True)):
        buried = moves[replica].buried.get(path) if replica in moves else None
        if (buried or tombstone) != verdict.version or (entry is not None and buried is None):
            return False
    return True


def _is_as_wanted(entry: Entry | None, wanted: Entry, version: Version | None, aspects: Aspects) -> bool:
    if entry is None or entry.path != wanted.path or entry.version != version:
        return False
    return entry is wanted or (entry.same_content(wanted) and entry.same_metadata(wanted, aspects))
