"""Doubtful: the files of unknown content that have to be read before a scan is judged.

A file may be the one that is remembered under its name, and only its content tells.  And where something is no longer
where it was, another file of that size may be the same, moved: to read it now, as long as this replica alone is busy
with it, saves whoever compares the replicas from doing so twice.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable, Mapping, Sequence

from aefsync.core.snapshot import STAT_COLUMNS
from aefsync.core.stores import SECOND_NS
from aefsync.core.view import STAT
from aefsync.disk.chronicle import Chronicle
from aefsync.disk.key_order import pages_of
from aefsync.disk.page import PageKey
from aefsync.disk.pending import Intention
from aefsync.disk.scan import Scanner
from aefsync.disk.sidecar import Head, Sidecar
from aefsync.disk.sight import Wanted

Intended = Mapping[bytes, Mapping[bytes, Sequence[Intention]]]
"""What an interrupted run was about to do, by directory and name, in order."""
_About = tuple[bytes, int, int]
"""A name, the size of a file, and about its mtime, as far as anybody can tell it (`minting.is_same_time`)."""


def to_be_read(
    chronicle: Chronicle,
    scanner: Scanner,
    intended: Intended,
    changed: Mapping[bytes, Sequence[Head]],
    absent: Iterable[bytes],
) -> Wanted:
    """Those in directories that `changed`, by what is recorded of these and of those that are `absent`."""
    own = ((key, page) for directory in changed for key, page in pages_of(scanner.pages, directory))
    unread = {key: positions for key, page in own if (positions := page.unread())}
    sidecar = chronicle.sidecar
    if not unread or sidecar is None:
        return {}
    wanted: dict[PageKey, set[int]] = {key: set() for key in unread}
    sizes_gone: set[int] = set()
    for directory, heads in (*changed.items(), *((each, sidecar.heads_of(each)) for each in absent)):
        remembered = _remembered(sidecar, directory, heads, intended.get(directory, {}))
        if not remembered:
            continue
        shown: set[bytes] = set()
        for key, page in pages_of(scanner.pages, directory):
            names = page.name_list()
            shown.update(names)
            if key in unread:
                wanted[key].update(i for i in unread[key] if (names[i], *_about(page.stats, i)) in remembered)
        sizes_gone.update(size for name, size, _ in remembered if name not in shown)
    for key, positions in unread.items():
        wanted[key].update(_as_large(scanner.pages[key].stats, positions, sizes_gone))
    return {key: array("H", sorted(positions)) for key, positions in wanted.items() if positions}


def _remembered(
    sidecar: Sidecar, directory: bytes, heads: Iterable[Head], intended: Mapping[bytes, Sequence[Intention]]
) -> set[_About]:
    """The files whose content is remembered, or was to be placed."""
    records = [each for head in heads for each in sidecar.records(directory, head.first).each()]
    records += [(name, each.record) for name, several in intended.items() for each in several]
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
