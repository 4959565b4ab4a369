"""Key order: from pages to all entries in the order of their keys."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping

from aefsync.core.snapshot import Block
from aefsync.disk.page import Brief, Page, PageKey


def pages_of(known: Mapping[PageKey, Page], prefix: bytes) -> Iterator[tuple[PageKey, Page]]:
    """The pages of one directory, in order."""
    for number in itertools.count():
        page = known.get((prefix, number))
        if page is None:
            return
        yield (prefix, number), page


def children(prefix: bytes, found: Page | Brief) -> list[bytes]:
    """The keys, with closing NUL, of the sub-directories."""
    if isinstance(found, Brief):
        return [prefix + name + b"\0" for name in found.names]
    names = found.name_list() if found.directories else []
    return [prefix + names[index] + b"\0" for index in found.directories]


def runs(known: Mapping[PageKey, Page | Brief]) -> Iterator[tuple[PageKey, int, int]]:
    """All entries in key order, as runs (page, from, to) with nothing of another directory between them."""
    stack = [_cuts(known, b"")]
    while stack:
        for key, low, high, child in stack[-1]:
            yield key, low, high
            if child is not None:
                stack.append(_cuts(known, child))
                break
        else:
            stack.pop()


def _cuts(known: Mapping[PageKey, Page | Brief], prefix: bytes) -> Iterator[tuple[PageKey, int, int, bytes | None]]:
    """The pages of a directory, cut behind each sub-directory, which is named."""
    for number in itertools.count():
        key = prefix, number
        found = known.get(key)
        if found is None:
            return
        low = 0
        for index, child in zip(found.directories, children(prefix, found), strict=True):
            yield key, low, index + 1, child
            low = index + 1
        if low < found.length:
            yield key, low, found.length, None


def assemble(pages: Mapping[PageKey, Page]) -> list[Block]:
    """All entries in key order, as blocks."""
    names: dict[PageKey, list[bytes]] = {}
    blocks = []
    for key, low, high in runs(pages):
        page = pages[key]
        if page.directories and key not in names:
            names[key] = page.name_list()
        blocks.append(page.block(key[0], names.get(key, []), low, high))
        if high == page.length:
            names.pop(key, None)
    return blocks
