"""Key order: from pages, one for each directory, to all entries in the order of their keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from aefsync.core.snapshot import Block
from aefsync.disk.page import Brief, Page


def children(prefix: bytes, found: Page | Brief) -> list[bytes]:
    """The keys, with closing NUL, of the sub-directories."""
    if isinstance(found, Brief):
        return [prefix + name + b"\0" for name in found.names]
    names = found.name_list() if found.directories else []
    return [prefix + names[index] + b"\0" for index in found.directories]


def runs(known: Mapping[bytes, Page | Brief]) -> Iterator[tuple[bytes, int, int]]:
    """All entries in key order, as runs (page, from, to) with nothing of another directory between them."""
    stack = [(b"", 0, _cuts(b"", known[b""]))] if b"" in known else []
    while stack:
        prefix, start, cuts = stack.pop()
        stop, child = next(cuts, (known[prefix].length, None))
        if stop > start:
            yield prefix, start, stop
        if child is not None:
            stack.append((prefix, stop, cuts))
            if child in known:
                stack.append((child, 0, _cuts(child, known[child])))


def _cuts(prefix: bytes, found: Page | Brief) -> Iterator[tuple[int, bytes]]:
    """Where a page is cut: behind each sub-directory, whose entries come in between."""
    positions = [index + 1 for index in found.directories]
    return iter(list(zip(positions, children(prefix, found), strict=True)))


def assemble(pages: Mapping[bytes, Page]) -> list[Block]:
    """All entries in key order, as blocks."""
    names: dict[bytes, list[bytes]] = {}
    blocks = []
    for prefix, low, high in runs(pages):
        page = pages[prefix]
        if page.directories and prefix not in names:
            names[prefix] = page.name_list()
        blocks.append(page.block(prefix, names.get(prefix, []), low, high))
        if high == page.length:
            names.pop(prefix, None)
    return blocks
