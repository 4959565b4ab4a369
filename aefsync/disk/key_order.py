"""Key order: from pages to all entries in the order of their keys."""

from __future__ import annotations

import itertools
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Container, Iterator, Mapping

from aefsync.disk.page import Brief, Page, PageKey


def keys_of(known: Container[PageKey], prefix: bytes) -> list[PageKey]:
    """The keys of the pages of one directory, in order."""
    keys = ((prefix, number) for number in itertools.count())
    return list(itertools.takewhile(known.__contains__, keys))


def pages_of(known: Mapping[PageKey, Page], prefix: bytes) -> Iterator[tuple[PageKey, Page]]:
    """The pages of one directory, in order."""
    return ((key, known[key]) for key in keys_of(known, prefix))


def holding(
    known: Mapping[PageKey, Page], prefix: bytes, names: Collection[bytes]
) -> Iterator[tuple[PageKey, Page, dict[int, bytes]]]:
    """The pages of one directory where these names belong, with the positions of those that are there.

    Only these pages are looked into: a few names of a directory of a million cost what a few names cost.
    """
    count = len(keys_of(known, prefix))
    wanted, low = sorted(names) if count else [], 0
    while low < len(wanted):
        number = max(0, bisect_right(range(count), wanted[low], key=lambda n: _first(known[prefix, n])) - 1)
        last = number + 1 == count
        high = len(wanted) if last else bisect_left(wanted, _first(known[prefix, number + 1]), low + 1)
        here, page = frozenset(wanted[low:high]), known[prefix, number]
        yield (prefix, number), page, {i: name for i, name in enumerate(page.name_list()) if name in here}
        low = high


def _first(page: Page) -> bytes:
    return page.listed[: page.listed.find(b"\0")] if b"\0" in page.listed else page.listed


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
