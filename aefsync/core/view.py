"""Views: what of an entry must agree for the question at hand.

Entry digests, and so all digests above them, are taken of the entry as a view sees it.
"""

from __future__ import annotations

import enum
import itertools
import stat
import struct
import sys
from collections.abc import Iterable, Iterator

from aefsync.core.digest import META
from aefsync.core.entry import KIND_BITS, Entry, Kind, has_kind
from aefsync.core.metadata import PLAIN, Aspects

STAT = struct.Struct("=5q")
"""A packed stat: mode with kind bits, size (0 for directories), mtime_ns, ctime_ns, inode modulo 2**63."""

_META = struct.Struct("<3q")
_PLAIN = struct.Struct(f"={META}s{STAT.size - META}x")
_AS_PACKED = sys.byteorder == "little"
"""A packed stat of a plain file then begins with its reduced form."""


class View(enum.IntEnum):
    FULL = 0
    """kind, the metadata that counts, size, content: what replicas must agree on"""
    CONTENT = 1
    """kind, size, content"""
    QUICK = 2
    """kind, the metadata that counts, size: contents not read"""
    SHAPE = 3
    """kind and size: what tells which contents need not be read at all"""
    VERSIONED = 4
    """as FULL, and the version"""
    BURIED = 5
    """tombstones: what was deleted, and the version"""

    @property
    def reads(self) -> bool:
        """Whether contents count."""
        return self in (View.FULL, View.CONTENT, View.VERSIONED)

    @property
    def metadata(self) -> bool:
        """Whether metadata counts."""
        return self in (View.FULL, View.QUICK, View.VERSIONED)

    def same(self, entries: Iterable[Entry | None], aspects: Aspects = PLAIN) -> bool:
        """Whether entries of one path look equal in this view."""
        versions = list(entries)
        if not aspects.symlinks and has_kind(versions, Kind.SYMLINK):
            # It is left alone, but what lies below the directory that another replica has there cannot be.
            return not has_kind(versions, Kind.DIRECTORY)
        there = [entry for entry in versions if entry is not None]
        if len(there) < len(versions):
            return not there
        if self is View.VERSIONED and any(entry.version != there[0].version for entry in there[1:]):
            return False
        if len({self._look(entry) for entry in versions}) > 1:
            return False
        return not self.metadata or all(
            one.same_metadata(other, aspects) for one, other in itertools.combinations(there, 2)
        )

    def _look(self, entry: Entry | None) -> tuple[object, ...] | None:
        """What must agree beside metadata."""
        if entry is None:
            return None
        size = entry.size if entry.kind is Kind.FILE else 0
        return (entry.kind, size, entry.content if self.reads else b"")


def reduce_stats(stats: bytes, view: View, aspects: Aspects = PLAIN) -> Iterator[bytes]:
    """Kind with permission bits, size and mtime_ns of each packed stat (little endian, 8 bytes each), what the view
    does not look at, or does not count, set to zero: sizes count for files only, mtimes not for directories,
    permission bits not for symlinks.
    """
    if view.metadata and not aspects.has_exact_times:
        return _reduce_times(stats, aspects)
    mask = KIND_BITS | aspects.mode_bits if view.metadata else KIND_BITS
    modes = set(memoryview(stats).cast("q")[:: STAT.size // 8].tolist()) if stats else set()
    if _AS_PACKED and view.metadata and all(mode & mask == mode and stat.S_ISREG(mode) for mode in modes):
        return itertools.chain.from_iterable(_PLAIN.iter_unpack(stats))
    return _reduce_each(stats, mask, timed=view.metadata)


def _reduce_each(stats: bytes, mask: int, *, timed: bool) -> Iterator[bytes]:
    """The same, one by one."""
    regular, directory = stat.S_IFREG, stat.S_IFDIR
    pack, width = _META.pack, STAT.size
    for start, (mode, size, mtime_ns, _, _) in zip(range(0, len(stats), width), STAT.iter_unpack(stats), strict=True):
        kind = mode & KIND_BITS
        if kind == regular:
            if _AS_PACKED and timed and mode & mask == mode:
                yield stats[start : start + META]
            else:
                yield pack(mode & mask, size, mtime_ns if timed else 0)
        elif kind == directory:
            yield pack(mode & mask, 0, 0)
        else:
            yield pack(kind, 0, mtime_ns if timed else 0)


def _reduce_times(stats: bytes, aspects: Aspects) -> Iterator[bytes]:
    """The same where mtimes are not taken as they are."""
    mask = KIND_BITS | aspects.mode_bits
    for mode, size, mtime_ns, _, _ in STAT.iter_unpack(stats):
        kind = mode & KIND_BITS
        mtime_slot = 0 if kind == stat.S_IFDIR else aspects.slot(mtime_ns)
        yield _META.pack(kind if kind == stat.S_IFLNK else mode & mask, size if kind == stat.S_IFREG else 0, mtime_slot)
