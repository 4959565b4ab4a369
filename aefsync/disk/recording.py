"""After the actions: what was placed is looked at again, its contents known without reading."""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from aefsync.core.entry import UNKNOWN, Entry, kind_of
from aefsync.core.path import RelPath
from aefsync.core.snapshot import CONTENT, STAT_COLUMNS
from aefsync.core.view import STAT
from aefsync.disk.key_order import holding
from aefsync.disk.page import UNREAD, Page, PageKey
from aefsync.disk.scan import Scanner

Stat = tuple[int, ...]
"""Kind, size, mtime_ns, ctime_ns, inode."""


class Placed:
    """What a run put in place, content included, packed: a million entries take about 60 MB.

    It is kept until the directories were looked at again: an entry is still what was put there if its stat is.
    """

    def __init__(self) -> None:
        self._packed: dict[bytes, list[bytes]] = {}

    def add(self, entries: Sequence[Entry]) -> None:
        """Remember entries, with the ctime_ns and inode that they had right after they were placed."""
        for prefix, group in itertools.groupby(entries, key=lambda entry: entry.path.key[: -len(entry.path.name)]):
            self._packed.setdefault(prefix, []).append(_pack(list(group)))

    def complete(self, scanner: Scanner, prefixes: Iterable[bytes]) -> None:
        """Fill in the contents of what is still as it was put there, in these directories; sealing keeps them."""
        for prefix in prefixes:
            for packed in self._packed.pop(prefix, ()):
                placed = {name: (stat, content) for name, stat, content in _unpack(packed) if content != UNKNOWN}
                for key, page, here in holding(scanner.pages, prefix, placed):
                    there = ((index, *placed[name]) for index, name in here.items())
                    found = {index: content for index, stat, content in there if _shows(page, index, stat)}
                    scanner.pages[key] = page.with_contents(found)


def learn(scanner: Scanner, contents: Mapping[RelPath, bytes]) -> None:
    """Fill in contents that another replica found; sealing the pages keeps them."""
    by_directory: dict[bytes, dict[bytes, bytes]] = {}
    for path, content in contents.items():
        by_directory.setdefault(path.key[: -len(path.name)], {})[path.name] = content
    for prefix, known in by_directory.items():
        for key, page, here in holding(scanner.pages, prefix, known):
            found = {index: known[name] for index, name in here.items() if page.flags[index] & UNREAD}
            scanner.pages[key] = page.with_contents(found)


def unread_among(pages: Mapping[PageKey, Page], inodes: Collection[int]) -> set[bytes]:
    """The directories with unread names of these files, which were changed under another name: their stats are stale."""
    found = set()
    for (prefix, _), page in pages.items() if inodes else ():
        column = memoryview(page.stats).cast("q")[STAT_COLUMNS - 1 :: STAT_COLUMNS].tolist() if page.stats else []
        if any(column[index] in inodes for index in page.unread()):
            found.add(prefix)
    return found


def _pack(entries: Sequence[Entry]) -> bytes:
    names = b"\0".join(entry.path.name for entry in entries)
    stats = (STAT.pack(e.kind, e.size, e.mtime_ns, e.ctime_ns, e.inode) for e in entries)
    columns = [names, b"".join(stats), b"".join(entry.content for entry in entries)]
    return zlib.compress(b"".join([len(names).to_bytes(8), *columns]), 1)


def _unpack(packed: bytes) -> Iterator[tuple[bytes, Stat, bytes]]:
    """Names, stats and contents again."""
    data = zlib.decompress(packed)
    end = 8 + int.from_bytes(data[:8])
    names = data[8:end].split(b"\0")
    contents = end + len(names) * STAT.size
    stats = STAT.iter_unpack(memoryview(data)[end:contents])
    return zip(names, stats, (data[i : i + CONTENT] for i in range(contents, len(data), CONTENT)), strict=True)


def _shows(page: Page, index: int, placed: Stat) -> bool:
    """Whether a page still shows what was placed; ctime and inode count where they are stable."""
    mode, *seen = STAT.unpack_from(page.stats, index * STAT.size)
    kind, *wanted = placed
    # Size and mtime_ns, then ctime_ns and inode.
    return kind_of(mode) == kind and seen[:2] == wanted[:2] and (not seen[3] or seen[2:] == wanted[2:])
