"""Key order: from pages to all entries in the order of their keys."""

from __future__ import annotations

import itertools
from collections.abc import Container, Iterator, Mapping

from aefsync.disk.page import Brief, Page, PageKey


def keys_of(known: Container[PageKey], prefix: bytes) -> list[PageKey]:
    """The keys of the pages of one directory, in order."""
    keys = ((prefix, number) for number in itertools.count())
    return list(itertools.takewhile(known.__contains__, keys))


def pages_of(known: Mapping[PageKey, Page], prefix: bytes) -> Iterator[tuple[PageKey, Page]]:
    """The pages of one directory, in order."""
    return ((key, known[key]) for key in keys_of(known, prefix))


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
