"""Merging: what a directory shows and what is remembered of it, brought together name by name.

Pages of records and those of a scan are cut at different names.  So each page of records is laid beside what the scan
shows between its first name and that of the next; where both are the same it is left as it is, and where they are not,
whoever merges decides about each name.
"""

from __future__ import annotations

import itertools
from array import array
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

from aefsync.core.named_tuple import NamedTuple
from aefsync.core.snapshot import CONTENT
from aefsync.core.view import STAT
from aefsync.disk.chronicle import Chronicle, Numbered, seal_of
from aefsync.disk.page import RACY, Page
from aefsync.disk.pages import Own
from aefsync.disk.records import NOTHING, Record, Records, joined, pieces
from aefsync.disk.sidecar import Head, Sidecar
from aefsync.disk.vectors import FIRST, packed

Decide = Callable[[bytes, Record | None, Record | None], Record | None]
"""What to remember of a name, given what is remembered and what is to be seen."""


class Rows(NamedTuple):
    """The pages of records of one directory after merging; `changed` are those to be written, by their first names,
    `dropped` those that are no longer needed."""

    heads: tuple[Head, ...]
    changed: dict[bytes, Records]
    dropped: tuple[bytes, ...]
    is_whole: bool
    """everything that the directory shows is recorded as it is, and nothing else"""


class Merging:
    """One directory of a chronicle: what its pages (all of a scan) show, and what is remembered of it (`heads`).

    `named` are names that are decided about even where nothing has changed.
    """

    def __init__(
        self,
        chronicle: Chronicle,
        directory: bytes,
        pages: Own,
        heads: Sequence[Head],
        named: Collection[bytes],
    ) -> None:
        self._chronicle = chronicle
        self._directory = directory
        self._pages = pages
        self._heads = heads
        self._named = sorted(named)
        self._numbers = array("I")
        self._is_whole = True

    def merge(self, decide: Decide, miss: Callable[[Collection[bytes]], None] | None = None) -> Rows:
        """Decide about every name, and note the versions of what is shown.  Before, `miss` is told of names that are
        remembered, or named, and not shown, many at a time."""
        heads: list[Head] = []
        changed: dict[bytes, Records] = {}
        dropped: list[bytes] = []
        for head, before, shown, named in self._slices():
            after = self._merge(before, shown, named, decide, miss)
            if after is before:
                heads.append(head)
                continue
            if not after.names and head.first:
                dropped.append(head.first)
                continue
            for piece in pieces(after):
                first = head.first if not piece.names or piece.names[0] == after.names[0] else piece.names[0]
                heads.append(Head(self._directory, first, len(piece.names), b"", packed(piece.versions)))
                changed[first] = piece
        self._note()
        return Rows(tuple(heads), changed, tuple(dropped), self._is_whole)

    def _slices(self) -> Iterator[tuple[Head, Records, Records, list[bytes]]]:
        """Each page of records with what is shown, and what is named, where its names belong."""
        for head, until, before, shown in laid_beside(
            self._chronicle.sidecar, self._directory, self._heads, self._pages
        ):
            high = len(self._named) if until is None else bisect_left(self._named, until)
            named, self._named = self._named[:high], self._named[high:]
            yield head, before, shown, named

    def _merge(
        self,
        before: Records,
        shown: Records,
        named: Sequence[bytes],
        decide: Decide,
        miss: Callable[[Collection[bytes]], None] | None,
    ) -> Records:
        flags = shown.flags.translate(_KEPT)
        if not named and before[:4] == (shown.names, shown.stats, shown.contents, flags):
            self._numbers += before.versions
            self._is_whole &= not any(shown.flags)
            return before
        remembered, found = dict(before.each()), dict(shown.each())
        merged: list[tuple[bytes, Record]] = []
        asked = frozenset(named)
        if miss is not None and (missing := (remembered.keys() | asked) - found.keys()):
            miss(missing)
        number, is_whole = self._numbers.append, self._is_whole
        for name in sorted({*remembered, *found, *asked}):
            record, now = remembered.get(name), found.get(name)
            # Most of what a directory shows that changed has not: nothing is made of it, nor said.
            if name in asked or not _is_settled(record, now):
                record = decide(name, record, now)
            if now is not None:
                number(FIRST if record is None else record.version)
            is_whole = is_whole and _is_as_shown(record, now)
            if record is not None:
                merged.append((name, record))
        self._is_whole = is_whole
        after = joined(merged)
        return before if after == before and self._heads else after

    def _note(self) -> None:
        """Have the chronicle know the versions of what is shown, page by page."""
        low = 0
        # Where all of it is recorded as it is shown the records have the names.
        is_recorded = self._is_whole and self._chronicle.writable and self._chronicle.sidecar is not None
        for number, page in enumerate(self._pages):
            part = packed(self._numbers[low : low + page.length])
            names = None if is_recorded else self._pages.names(number)
            digests = None if isinstance(names, bytes) else page.digests
            self._chronicle.pages[self._directory, number] = Numbered(part, names, digests)
            low += page.length


_KEPT = bytes(flags & RACY for flags in range(256))


def _is_settled(before: Record | None, now: Record | None) -> bool:
    """Whether a name shows just what is remembered of it."""
    return before is not None and now is not None and before[:2] == now[:2] and before.flags == now.flags & RACY


def _is_as_shown(record: Record | None, now: Record | None) -> bool:
    if now is None:
        return record is None
    if record is None or now.flags or record.content != now.content:
        return False
    return record.stat == now.stat or record.is_like(now)


def laid_beside(
    sidecar: Sidecar | None, directory: bytes, heads: Sequence[Head], pages: Sequence[Page]
) -> Iterator[tuple[Head, bytes | None, Records, Records]]:
    """Each page of records of a directory (an empty one where it has none), the name before which it ends (`None`: it is
    the last one), and what the directory shows where its names belong; one at a time, however large the directory is."""
    shown = Shown(pages)
    for number, head in enumerate(heads or [Head(directory, b"", 0, b"", b"")]):
        until = heads[number + 1].first if number + 1 < len(heads) else None
        before = sidecar.records(directory, head.first) if heads and sidecar is not None else NOTHING
        yield head, until, before, shown.until(until)


class Shown:
    """What a directory shows, to be had from name to name."""

    def __init__(self, pages: Sequence[Page]) -> None:
        self._pages = iter(pages)
        self._page: Page | None = None
        self._names: list[bytes] = []
        self._at = 0

    def until(self, high: bytes | None) -> Records:
        """What is shown from where it was had last, up to a name (`None`: to the end), without versions."""
        parts: list[Records] = []
        while self._page is not None or self._turn():
            page = self._page
            assert page is not None
            stop = page.length if high is None else bisect_left(self._names, high)
            if stop > self._at:
                parts.append(_part(page, self._names, self._at, stop))
                self._at = stop
            if stop < page.length:
                break
            self._page = None
        return _together(parts)

    def _turn(self) -> bool:
        self._page = next(self._pages, None)
        self._names, self._at = [] if self._page is None else self._page.name_list(), 0
        return self._page is not None


def _part(page: Page, names: Sequence[bytes], low: int, high: int) -> Records:
    contents, flags = page.contents[low * CONTENT : high * CONTENT], page.flags[low:high]
    none = array("I", bytes(4 * (high - low)))
    return Records(tuple(names[low:high]), page.stats[low * STAT.size : high * STAT.size], contents, flags, none)


def _together(parts: Sequence[Records]) -> Records:
    if len(parts) <= 1:
        return parts[0] if parts else NOTHING
    names = tuple(name for part in parts for name in part.names)
    stats, contents, flags = (b"".join(each) for each in zip(*(part[1:4] for part in parts), strict=True))
    return Records(names, stats, contents, flags, array("I", bytes(4 * len(names))))


def write_first(chronicle: Chronicle, directory: bytes, pages: Sequence[Page], numbers: array[int]) -> None:
    """Write the first records of a directory, in a transaction of the chronicle: what its pages show, with these versions.

    One page is unpacked at a time: a directory may be of any size.
    """
    ends = itertools.accumulate((page.length for page in pages), initial=0)
    versions = [numbers[low:high] for low, high in itertools.pairwise(ends)]
    is_whole = not any(any(page.flags) for page in pages)
    seal = _sealed(chronicle, directory, pages, map(packed, versions) if is_whole else None)
    sidecar = chronicle.sidecar
    shown = ((page, own) for page, own in zip(pages, versions, strict=True) if page.length)
    for number, (page, own) in enumerate(shown):
        if sidecar is None or not chronicle.writable:
            return
        names = tuple(page.name_list())
        records = Records(names, page.stats, page.contents, page.flags.translate(_KEPT), own)
        sidecar.store(directory, names[0] if number else b"", b"" if number else seal, records)


def _sealed(chronicle: Chronicle, directory: bytes, pages: Sequence[Page], versions: Iterable[bytes] | None) -> bytes:
    """The seal of a directory, which its chronicle hears of; empty where it has none (`None`)."""
    if versions is None:
        chronicle.unsealed.add(directory)
        return b""
    chronicle.unsealed.discard(directory)
    return seal_of(pages, list(versions))


def write(chronicle: Chronicle, directory: bytes, rows: Rows, pages: Sequence[Page], heads: Sequence[Head]) -> None:
    """Write what merging came to, in a transaction of the chronicle, with the seal of the directory where everything is
    recorded as it is shown."""
    versions = (head.versions for head in rows.heads) if rows.is_whole else None
    seal = _sealed(chronicle, directory, pages, versions)
    sidecar = chronicle.sidecar
    if sidecar is None or not chronicle.writable:
        return
    if rows.changed or rows.dropped or (rows.is_whole and seal != (heads[0].seal if heads else b"")):
        _write(sidecar, directory, rows, seal)


def _write(sidecar: Sidecar, directory: bytes, rows: Rows, seal: bytes) -> None:
    for first in rows.dropped:
        sidecar.drop(directory, first)
    for first, records in rows.changed.items():
        sidecar.store(directory, first, b"" if first else seal, records)
    if len(rows.heads) == 1 and not rows.heads[0].length:
        sidecar.drop(directory)
    elif b"" not in rows.changed:
        sidecar.set_seal(directory, seal)
