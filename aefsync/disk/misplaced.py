"""Misplaced: files that were renamed, and whose bytes are no longer those that were recorded of them under the old name.

Inode, size and mtime say that it is the same file, and its birth that no later one was given the inode.  Whether anybody
wrote to it nobody knows: it is suspect (DESIGN, §8), as it would be under its old name.  As an edit it would spread, and
the healthy copies of the others, which have the old name, would go.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence

from aefsync.core.entry import Kind
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.view import STAT
from aefsync.disk.building import directory_path
from aefsync.disk.merging import laid_beside
from aefsync.disk.page import RACY
from aefsync.disk.records import Record, Records
from aefsync.disk.scan import Scanner
from aefsync.disk.sidecar import Head, Sidecar

Names = dict[bytes, set[bytes]]
"""By directory, its key with a closing NUL."""


class Misplaced(NamedTuple):
    """What was found, and where it should be: by the records it is gone from there, or another file is there."""

    here: Names
    there: Names


NOWHERE = Misplaced({}, {})


class _Found(NamedTuple):
    directory: bytes
    name: bytes
    record: Record

    @property
    def path(self) -> bytes:
        return directory_path(self.directory + self.name + b"\0")


def misplaced(
    sidecar: Sidecar, scanner: Scanner, changed: Mapping[bytes, Sequence[Head]], absent: Iterable[bytes]
) -> Misplaced:
    """Those in directories that `changed`, by what is recorded of these and of those that are `absent`."""
    came = dict(_came(_unlike(sidecar, scanner, changed.items())))
    here: Names = {}
    there: Names = {}
    gone = ((directory, sidecar.heads_of(directory)) for directory in absent)
    for directory, before, shown in _unlike(sidecar, scanner, itertools.chain(changed.items(), gone)) if came else ():
        known = [(name, record) for name, record in before.each() if _inode(record) in came]
        now = dict(shown.each()) if known else {}
        for name, record in known:
            found = came[_inode(record)]
            if _is_suspect(record, found, scanner):
                here.setdefault(found.directory, set()).add(found.name)
                if name not in now or _inode(now[name]) != _inode(record):
                    there.setdefault(directory, set()).add(name)
    return Misplaced(here, there) if here else NOWHERE


def _unlike(
    sidecar: Sidecar, scanner: Scanner, directories: Iterable[tuple[bytes, Sequence[Head]]]
) -> Iterator[tuple[bytes, Records, Records]]:
    """Pages of records with what is shown in their place, where that is not the same."""
    for directory, heads in directories:
        for _, _, before, shown in laid_beside(sidecar, directory, heads, scanner.pages.of(directory)):
            if before[:3] != shown[:3]:
                yield directory, before, shown


def _came(pages: Iterable[tuple[bytes, Records, Records]]) -> Iterator[tuple[int, _Found]]:
    """The files whose bytes are known and that have no record, or that of another file; by inode."""
    for directory, before, shown in pages:
        known = {name: _inode(record) for name, record in before.each()}
        for name, now in shown.each():
            inode = _inode(now) if now.is_read and now.kind is Kind.FILE else 0
            if inode and known.get(name) != inode:
                yield inode, _Found(directory, name, now)


def _is_suspect(record: Record, found: _Found, scanner: Scanner) -> bool:
    """Whether what was found is the file of a record, and its bytes are others."""
    if not record.is_read or record.flags & RACY or record.content == found.record.content:
        return False
    _, size, mtime_ns, ctime_ns, _ = STAT.unpack(record.stat)
    now = STAT.unpack(found.record.stat)
    if record.kind is not Kind.FILE or (size, mtime_ns) != now[1:3]:
        return False
    born_ns = scanner.sight.born_ns(found.path)
    return born_ns is not None and born_ns <= ctime_ns


def _inode(record: Record) -> int:
    return int(STAT.unpack(record.stat)[4])
