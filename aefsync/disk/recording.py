"""After the actions: what was placed is looked at again, its contents known without reading."""

from __future__ import annotations

from collections.abc import Iterable

from aefsync.core.entry import UNKNOWN, Entry, kind_of
from aefsync.core.path import RelPath
from aefsync.core.view import STAT
from aefsync.disk.page import Page
from aefsync.disk.scan import Scanner

Placed = dict[RelPath, Entry]
"""What a run put at each path, content included."""


def complete_placed(scanner: Scanner, prefixes: Iterable[bytes], placed: Placed) -> None:
    """Fill in the contents of what was placed and still is what was put there, by its stat."""
    by_page: dict[bytes, list[Entry]] = {}
    for path, entry in placed.items():
        by_page.setdefault(path.key[: -len(path.name)], []).append(entry)
    for prefix in prefixes:
        page = scanner.pages[prefix]
        positions = {name: index for index, name in enumerate(page.name_list())} if prefix in by_page else {}
        found = {}
        for entry in by_page.get(prefix, ()):
            index = positions.get(entry.path.name, -1)
            if index >= 0 and entry.content != UNKNOWN and _shows(page, index, entry):
                found[index] = entry.content
        if found:
            scanner.replace(prefix, page.with_contents(found))


def _shows(page: Page, index: int, entry: Entry) -> bool:
    """Whether a page still shows what was placed; ctime and inode count where they are stable."""
    mode, size, mtime_ns, ctime_ns, inode = STAT.unpack_from(page.stats, index * STAT.size)
    same = kind_of(mode) is entry.kind and size == entry.size and mtime_ns == entry.mtime_ns
    return same and (not inode or (inode == entry.inode and ctime_ns == entry.ctime_ns))
