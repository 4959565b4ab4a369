"""Lookalikes: files that may be one file under two names, by what is known before anybody has read them: their size.

A file that only some replicas have need not be read before it is copied, unless one of those that lack it has a file
of that size under a path where something differs as well: then they may be the same, moved.  Nor need a small one that
takes the place of another file: to bring its bytes costs no more than to find out that they were elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

from aefsync.core.compare import Difference
from aefsync.core.entry import Entry, Kind
from aefsync.core.sketch import Sketch
from aefsync.core.verdict import Versions, at

LITTLE = 1 << 14
"""Up to this size a file is brought rather than looked for, where it takes the place of another one."""

_BITS = 24
"""Of a size, as far as a sketch looks at it: 2 MB."""
_FILE = Kind.FILE


def _number(size: int) -> int:
    """What a sketch is told of a size."""
    return size ^ size >> _BITS


class Lookalikes:
    """What may be one file under two names among these differences; they are looked through where that matters."""

    def __init__(self, differences: Iterable[Difference]) -> None:
        self._differences = differences

    @cached_property
    def _sizes(self) -> list[Sketch]:
        """The sizes that each replica has, of files on which something differs."""
        found: list[Sketch] = []
        for difference in self._differences:
            found = found or [Sketch(_BITS) for _ in difference.entries]
            for sizes, entry in zip(found, difference.entries, strict=True):
                if entry is not None and entry.kind is Kind.FILE:
                    sizes.add(_number(entry.size))
        return found

    def maybe_moved(self, entries: Versions, candidates: Iterable[int]) -> list[int]:
        """Those of the `candidates`, replicas whose version was not read, that may have what another one has under another
        path."""
        return [replica for replica in candidates if self._may_be_elsewhere(entries, replica)]

    def _may_be_elsewhere(self, entries: Versions, replica: int) -> bool:
        size = at(entries, replica).size
        for i, other in enumerate(entries):
            if i != replica and _may_have_it(other, size) and _number(size) in self._sizes[i]:
                return True
        return False


def _may_have_it(entry: Entry | None, size: int) -> bool:
    """Whether a replica that has this in its place lacks a file of that size, and would rather find it elsewhere."""
    return entry is None or entry.kind is not _FILE or (entry.size != size and size > LITTLE)
