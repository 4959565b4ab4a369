"""Doubtful: the files of unknown content that have to be read before a scan is judged.

A file may be the one that is remembered under its name, and only its content tells.  Where something is no longer
where it was, another file of that size may be the same, moved: to read it now, as long as this replica alone is busy
with it, saves whoever compares the replicas from doing so twice.  And a small file that was edited will be asked for
anyway: known now, it is recorded once.
"""

from __future__ import annotations

import itertools
from array import array
from bisect import bisect_right
from collections.abc import Collection, Iterable, Mapping, Sequence

from aefsync.core.growth import SMALL
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.snapshot import STAT_COLUMNS
from aefsync.core.stores import SECOND_NS
from aefsync.core.view import STAT
from aefsync.disk.chronicle import Chronicle
from aefsync.disk.merging import laid_beside
from aefsync.disk.page import UNREAD, PageKey
from aefsync.disk.pending import Intention
from aefsync.disk.reading import unread
from aefsync.disk.records import Record, Records
from aefsync.disk.scan import Scanner
from aefsync.disk.sidecar import Head
from aefsync.disk.sight import Wanted

Intended = Mapping[bytes, Mapping[bytes, Sequence[Intention]]]
"""What an interrupted run was about to do, by directory and name, in order."""
_About = tuple[bytes, int, int]
"""A name, the size of a file, and about its mtime, as far as anybody can tell it (`minting.is_same_time`)."""


class Doubtful(NamedTuple):
    """The files that have to be read; and whether any may have been moved, or had a name that is gone or another's now."""

    wanted: Wanted
    may_have_moved: bool


NOTHING = Doubtful({}, may_have_moved=False)


def to_be_read(
    chronicle: Chronicle,
    scanner: Scanner,
    intended: Intended,
    changed: Mapping[bytes, Sequence[Head]],
    absent: Iterable[bytes],
) -> Doubtful:
    """Those in directories that `changed`, by what is recorded of these and of those that are `absent`."""
    open_there = unread(scanner.pages, changed)
    sidecar = chronicle.sidecar
    if not open_there or sidecar is None:
        return NOTHING._replace(may_have_moved=sidecar is not None and bool(changed))
    wanted: dict[PageKey, set[int]] = {key: set() for key in open_there}
    sizes_gone: set[int] = set()
    for directory, heads in (*changed.items(), *((each, sidecar.heads_of(each)) for each in absent)):
        parts = laid_beside(sidecar, directory, heads, scanner.pages.of(directory))
        found = _found(parts, intended.get(directory, {}), sizes_gone)
        ends = list(itertools.accumulate(scanner.pages.lengths(directory), initial=0))
        for number in found:
            at = bisect_right(ends, number) - 1
            wanted[directory, at].add(number - ends[at])
    for key, positions in open_there.items():
        wanted[key].update(_as_large(scanner.pages[key].stats, positions, sizes_gone))
    found_in = {key: array("H", sorted(positions)) for key, positions in wanted.items() if positions}
    return Doubtful(found_in, bool(sizes_gone))


def _found(
    parts: Iterable[tuple[Head, bytes | None, Records, Records]],
    intended: Mapping[bytes, Sequence[Intention]],
    sizes_gone: set[int],
) -> array[int]:
    """Which entries of a directory, counted through its pages, are unread and may be the files whose content is remembered
    of them, or was to be placed, or are small ones in the place of these; `sizes_gone` comes to have the sizes of those
    that are not there."""
    found, low = array("I"), 0
    meant = _read([(name, each.record) for name, several in intended.items() for each in several])
    lacking = meant.copy()
    for _, _, before, shown in parts:
        if not meant and before[:3] == shown[:3]:
            low += len(shown.names)
            continue
        names, recorded, known = frozenset(shown.names), frozenset(before.names), _read(before.each())
        sizes_gone.update(size for name, size, _ in known if name not in names)
        lacking = {each for each in lacking if each[0] not in names}
        for index in [index for index, flag in enumerate(shown.flags) if flag & UNREAD]:
            name, size, _ = about = (shown.names[index], *_about(shown.stats, index))
            if about in known or about in meant or (size <= SMALL and name in recorded):
                found.append(low + index)
        low += len(shown.names)
    sizes_gone.update(size for _, size, _ in lacking)
    return found


def _read(records: Iterable[tuple[bytes, Record]]) -> set[_About]:
    """Those whose content is known."""
    return {(name, *_about(record.stat)) for name, record in records if record.is_read}


def _about(stats: bytes, index: int = 0) -> tuple[int, int]:
    _, size, mtime_ns, _, _ = STAT.unpack_from(stats, index * STAT.size)
    return size, mtime_ns // SECOND_NS


def _as_large(stats: bytes, positions: Iterable[int], sizes: Collection[int]) -> list[int]:
    """Which of these positions have one of these sizes."""
    if not sizes:
        return []
    own = memoryview(stats).cast("q")[1::STAT_COLUMNS].tolist()
    return [index for index in positions if own[index] in sizes]
