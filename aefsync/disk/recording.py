"""After the actions: what was placed is looked at again, its contents known without reading."""

from __future__ import annotations

import contextlib
import itertools
import zlib
from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from functools import partial

from aefsync.core.entry import UNKNOWN, Entry, kind_of
from aefsync.core.growth import Learned
from aefsync.core.problem import Problem
from aefsync.core.snapshot import CONTENT, STAT_COLUMNS
from aefsync.core.view import STAT
from aefsync.disk.building import directory_path
from aefsync.disk.page import UNREAD, Page
from aefsync.disk.pages import Pages
from aefsync.disk.scan import Scanner
from aefsync.disk.spill import Place, Spill

Stat = tuple[int, ...]
"""Kind, size, mtime_ns, ctime_ns, inode."""


_AT_HAND = 16 << 20
"""Bytes of what was placed that are kept in memory."""


class Placed:
    """What a run put in place, content included, packed: some 60 bytes an entry, with a `directory` mostly on its disk.

    It is kept until the directories were looked at again: an entry is still what was put there if its stat is.
    """

    def __init__(self, directory: str | None = None) -> None:
        self._packed: dict[bytes, list[bytes | Place]] = {}
        self._spill = Spill(directory)
        self._size = 0

    def _keep(self, prefix: bytes, packed: bytes) -> None:
        held: bytes | Place = packed
        if self._size > _AT_HAND:
            with contextlib.suppress(OSError):
                held = self._spill.put(packed)
        self._size += len(packed)
        self._packed.setdefault(prefix, []).append(held)

    def _taken(self, held: bytes | Place) -> bytes:
        return held if isinstance(held, bytes) else self._spill.get(held)

    def add(self, entries: Sequence[Entry]) -> None:
        """Remember entries, with the ctime_ns and inode that they had right after they were placed."""
        for directory, group in itertools.groupby(entries, key=lambda entry: entry.path.rpartition(b"/")[0]):
            prefix = directory.replace(b"/", b"\0") + b"\0" if directory else b""
            self._keep(prefix, _pack(list(group)))

    def add_columns(self, prefix: bytes, names: bytes, stats: bytes, contents: bytes) -> None:
        """Remember entries of one directory, packed as here."""
        self._keep(prefix, _squeeze(names, stats, contents))

    def scan_again(
        self, scanner: Scanner, prefixes: Collection[bytes], lost: Container[bytes], failed: Mapping[bytes, str]
    ) -> None:
        """Look again at directories, and tell of those that could not be made durable, and why; of those of the tree that are
        `lost` nothing is known without reading."""
        scanner.rescan(prefixes, partial(self.complete, scanner, lost))
        for directory, reason in failed.items():
            scanner.report(b"", Problem(directory, f"not durable: {reason}"))

    def complete(self, scanner: Scanner, lost: Container[bytes], prefix: bytes) -> None:
        """Fill in the contents of what is still as it was put there, in one directory; not in one that is `lost`."""
        for held in self._packed.pop(prefix, ()) if directory_path(prefix) not in lost else ():
            names, stats, contents = _stretch(self._taken(held))
            page = scanner.pages.get((prefix, 0))
            if page is not None and page.names == names and _all_show(page, stats):
                scanner.put((prefix, 0), _filled(page, range(page.length), contents))
                continue
            placed = {
                name: (stat, content) for name, stat, content in _rows(names, stats, contents) if content != UNKNOWN
            }
            for key, page, here in scanner.pages.holding(prefix, placed):
                there = ((index, *placed[name]) for index, name in here.items())
                found = {index: content for index, stat, content in there if _shows(page, index, stat)}
                scanner.put(key, page.with_contents(found))


def learn(scanner: Scanner, learned: Iterable[Learned]) -> None:
    """Fill in contents that another replica found."""
    for prefix, names, contents in learned:
        page = scanner.pages.get((prefix, 0))
        if page is not None and page.names == names:
            scanner.put((prefix, 0), _filled(page, page.unread(), contents))
            continue
        pairs = zip(names.split(b"\0"), _digests(contents), strict=True)
        known = {name: content for name, content in pairs if content != UNKNOWN}
        for key, page, here in scanner.pages.holding(prefix, known):
            found = {index: known[name] for index, name in here.items() if page.flags[index] & UNREAD}
            scanner.put(key, page.with_contents(found))


def unread_among(pages: Pages, inodes: Collection[int]) -> set[bytes]:
    """The directories with unread names of these files, which were changed under another name: their stats are stale."""
    found = set()
    for (prefix, _), page in pages.flagged() if inodes else ():
        column = memoryview(page.stats).cast("q")[STAT_COLUMNS - 1 :: STAT_COLUMNS].tolist() if page.stats else []
        if any(column[index] in inodes for index in page.unread()):
            found.add(prefix)
    return found


def _filled(page: Page, positions: Sequence[int], contents: bytes) -> Page:
    """The page with those of these contents that are known, at these positions of it."""
    if len(positions) == page.length and UNKNOWN not in _digests(contents):
        return page.with_all_contents(contents)
    found = ((index, contents[index * CONTENT : (index + 1) * CONTENT]) for index in positions)
    return page.with_contents({index: content for index, content in found if content != UNKNOWN})


def _digests(contents: bytes) -> Iterator[bytes]:
    return (contents[i : i + CONTENT] for i in range(0, len(contents), CONTENT))


def _pack(entries: Sequence[Entry]) -> bytes:
    names = b"\0".join([entry.path.rpartition(b"/")[2] for entry in entries])
    pack = STAT.pack
    stats = [pack(entry.kind, *entry[3:7]) for entry in entries]
    return _squeeze(names, b"".join(stats), b"".join([entry.content for entry in entries]))


def _squeeze(names: bytes, stats: bytes, contents: bytes) -> bytes:
    """Names and stats in little, and the digests, which nothing makes smaller, as they are."""
    squeezed = zlib.compress(b"".join([len(names).to_bytes(8), names, stats]), 1)
    return b"".join([len(squeezed).to_bytes(8), squeezed, contents])


def _stretch(packed: bytes) -> tuple[bytes, bytes, bytes]:
    """Names, stats and contents again."""
    data, contents = _cut(packed)
    return (*_cut(zlib.decompress(data)), contents)


def _cut(joined: bytes) -> tuple[bytes, bytes]:
    """What is as long as the first bytes say, and the rest."""
    end = 8 + int.from_bytes(joined[:8])
    return joined[8:end], joined[end:]


def _rows(names: bytes, stats: bytes, contents: bytes) -> Iterator[tuple[bytes, Stat, bytes]]:
    return zip(names.split(b"\0"), STAT.iter_unpack(stats), _digests(contents), strict=True)


def _all_show(page: Page, placed: bytes) -> bool:
    """Whether a page still shows everything as it was placed."""
    seen, wanted = memoryview(page.stats).cast("q"), memoryview(placed).cast("q")
    modes = seen[0::STAT_COLUMNS].tolist()
    kinds = {mode: kind_of(mode) for mode in set(modes)}
    return list(map(kinds.__getitem__, modes)) == wanted[0::STAT_COLUMNS].tolist() and all(
        seen[column::STAT_COLUMNS].tolist() == wanted[column::STAT_COLUMNS].tolist()
        for column in range(1, STAT_COLUMNS)
    )


def _shows(page: Page, index: int, placed: Stat) -> bool:
    """Whether a page still shows what was placed; ctime and inode count where they are stable."""
    mode, *seen = STAT.unpack_from(page.stats, index * STAT.size)
    kind, *wanted = placed
    # Size and mtime_ns, then ctime_ns and inode.
    return kind_of(mode) == kind and seen[:2] == wanted[:2] and (not seen[3] or seen[2:] == wanted[2:])
