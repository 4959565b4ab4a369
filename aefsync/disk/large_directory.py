"""List a very large directory, a page at a time.

Its names are sorted in runs, which are put away (`spill`) and merged, as sorting does that has little memory (external
merge sort: Knuth, The Art of Computer Programming 3, 5.4); stats are taken only as pages are asked for.
"""

from __future__ import annotations

import heapq
import os
from collections.abc import Iterator
from itertools import chain, groupby, islice

from aefsync.disk.listing import EMPTY, MANY, Listing, encoded, list_part
from aefsync.disk.page import ROWS
from aefsync.disk.spill import Spill

LARGE = 2 << 20
"""A directory file of so many bytes makes a directory a large one: of 50,000 names or more, on most file systems."""
_RUN = 1 << 16
"""Names that are sorted at once."""


def list_large_directory(fd: int, spill: Spill, *, stable: bool) -> Iterator[Listing]:
    """As `list_directory`: names are read at once, and looked at as they are asked for, whatever becomes of `fd`."""
    # A name that is told twice is one.
    names = (name for name, _ in groupby(_sorted_names(fd, spill)))
    return _listings(_Duplicate(fd), names, stable=stable)


class _Duplicate:
    """A descriptor of its own, closed with the last who knows it, who may never have begun."""

    def __init__(self, fd: int) -> None:
        self.fd = -1
        self.fd = os.dup(fd)

    def __del__(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)


def _listings(directory: _Duplicate, names: Iterator[bytes], *, stable: bool) -> Iterator[Listing]:
    parts = iter(lambda: list(islice(names, ROWS)), [])
    listings = (list_part(directory.fd, part, stable=stable) for part in parts)
    is_empty = True
    for listing in filter(Listing.has_any, listings):
        yield listing
        is_empty = False
    if is_empty:
        yield EMPTY


def _sorted_names(fd: int, spill: Spill) -> Iterator[bytes]:
    runs: list[Iterator[bytes]] = []
    with os.scandir(fd) as entries:
        while names := _some_names(entries):
            names.sort()
            runs.append(_put_away(names, spill))
    return heapq.merge(*runs)


def _some_names(entries: Iterator[os.DirEntry[str]]) -> list[bytes]:
    names: list[bytes] = []
    while len(names) < _RUN and (some := [entry.name for entry in islice(entries, MANY)]):
        names += encoded(some)
    return names


def _put_away(names: list[bytes], spill: Spill) -> Iterator[bytes]:
    """A run, page by page from where it was put away; from memory where that cannot be done."""
    try:
        places = [spill.put(b"\0".join(names[low : low + ROWS])) for low in range(0, len(names), ROWS)]
    except OSError:
        return iter(names)
    return chain.from_iterable(spill.get(place).split(b"\0") for place in places)
