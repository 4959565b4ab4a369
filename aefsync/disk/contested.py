"""Contested: a reading that contradicts the index though the stat says that nobody wrote: rot, as it seems.

Whoever reads everything (`--checksum`) is told, so that nothing of it spreads, and the index keeps what it knew: it is the
one record of a root without a sidecar, and without it no scrub could tell any more that a file has rotted.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from aefsync.core.problem import ROT, Problem
from aefsync.core.snapshot import CONTENT
from aefsync.core.view import STAT
from aefsync.disk.building import directory_path
from aefsync.disk.index import Index
from aefsync.disk.page import RACY, UNREAD, Page, PageKey

_NO_INODE = bytes(8)


def as_recorded(index: Index, key: PageKey, page: Page) -> tuple[Page, list[Problem]]:
    """The page as the index is to have it: with earlier contents where the stat is what it was, to the last field; and
    what there is to say of these files.

    Where inodes are not stable there are none, and nothing can be told.  (Names of a directory of many pages that have
    moved to another page since are taken as they are.)
    """
    known = index.load(key)
    if known is None or (known.names, known.contents) == (page.names, page.contents):
        return page, []
    before = {name: (stat, content) for name, stat, content, flags in _rows(known) if not flags & (RACY | UNREAD)}
    kept = {
        position: before[name][1]
        for position, (name, stat, content, flags) in enumerate(_rows(page))
        if not flags & UNREAD and name in before and before[name][0] == stat and before[name][1] != content
    }
    if not kept:
        return page, []
    names, directory = page.name_list(), directory_path(key[0])
    told = [Problem(os.path.join(directory, names[position]), ROT, subtree=True) for position in kept]
    return page.with_contents(kept).sealed(key[0]), told


def carry_over(known: Index, index: Index, pages: Mapping[PageKey, Page], *, is_anew: bool) -> None:
    """Have an index begin with what a scan knows (`is_anew`: whatever the one that was `known` before said)."""
    for key, page in pages.items() if index.is_empty else ():
        index.store(key, as_recorded(known, key, page)[0] if is_anew else page)


def _rows(page: Page) -> Iterator[tuple[bytes, bytes, bytes, int]]:
    """Name, stat, content and flags of what has an inode to be known by."""
    for position, name in enumerate(page.name_list()):
        stat = page.stats[position * STAT.size : (position + 1) * STAT.size]
        flags = page.flags[position] if stat[-len(_NO_INODE) :] != _NO_INODE else UNREAD
        yield name, stat, page.contents[position * CONTENT : (position + 1) * CONTENT], flags
