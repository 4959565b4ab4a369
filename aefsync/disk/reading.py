"""Read the files whose content is not known, page by page, and complete the pages."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence

from aefsync.core.compare import Span
from aefsync.core.entry import UNKNOWN
from aefsync.core.problem import Problem
from aefsync.core.snapshot import Block
from aefsync.core.view import STAT
from aefsync.disk.building import directory_path
from aefsync.disk.hashing import HashFailure, Seen, hash_files
from aefsync.disk.page import Page
from aefsync.disk.scan import Scanner
from aefsync.disk.spreading import Spread, spread

Wanted = dict[bytes, list[int]]
"""Positions within pages, by the page's key."""


def unread(pages: dict[bytes, Page]) -> Wanted:
    """Every file whose content is not known."""
    found = {prefix: page.unread() for prefix, page in pages.items()}
    return {prefix: positions for prefix, positions in found.items() if positions}


def within(wanted: Wanted, blocks: Sequence[Block], spans: Sequence[Span], *, inside: bool) -> Wanted:
    """Those of `wanted` at positions of the snapshot that lie in `spans` (or outside of them)."""
    chosen: Wanted = {}
    for prefix, low, high, start in placed(blocks):
        positions = wanted.get(prefix)
        if positions is None:
            continue
        for position in positions:
            if low <= position < high and _covered(spans, start + position - low) == inside:
                chosen.setdefault(prefix, []).append(position)
    return chosen


def placed(blocks: Sequence[Block]) -> Iterator[tuple[bytes, int, int, int]]:
    """For each block: its page, the positions there (from, to), and where it begins in the snapshot."""
    filled: dict[bytes, int] = {}
    start = 0
    for block in blocks:
        low = filled.get(block.prefix, 0)
        filled[block.prefix] = low + block.length
        yield block.prefix, low, low + block.length, start
        start += block.length


def _covered(spans: Sequence[Span], position: int) -> bool:
    """Whether a position lies in one of the spans, which are sorted and apart."""
    low, high = 0, len(spans)
    while low < high:
        middle = (low + high) // 2
        if spans[middle][1] <= position:
            low = middle + 1
        else:
            high = middle
    return low < len(spans) and spans[low][0] <= position


def read_pages(scanner: Scanner, wanted: Wanted, on_bytes: Callable[[int], None]) -> None:
    """Hash the wanted files; what cannot be read is a problem, what vanished is dropped."""
    done = 0
    pays = scanner.crew.pays(sum(map(len, wanted.values())))
    alone: Iterator[Spread] = ((prefix, {}) for prefix in sorted(wanted))
    for prefix, known in spread(scanner.crew, scanner.pages, wanted) if pays else alone:
        page = scanner.pages[prefix]
        names = page.name_list()
        stats = [Seen._make(row[1:]) for row in STAT.iter_unpack(page.stats)]
        rows = {index: stats[index] for index in wanted[prefix] if index not in known}
        try:
            with scanner.root.directory(directory_path(prefix)) as fd:
                results = hash_files(fd, [names[index] for index in rows], list(rows.values()))
        except FileNotFoundError:
            results = [HashFailure("vanished", vanished=True)] * len(rows)
        except OSError as error:
            results = [HashFailure((error.strerror or str(error)).lower())] * len(rows)
        scanner.replace(prefix, *_completed(prefix, page, {**known, **dict(zip(rows, results, strict=True))}))
        done += sum(stats[index].size for index in wanted[prefix])
        on_bytes(done)


def _completed(prefix: bytes, page: Page, results: Mapping[int, bytes | HashFailure]) -> tuple[Page, list[Problem]]:
    names = page.name_list()
    contents: dict[int, bytes] = {}
    gone: set[int] = set()
    problems = []
    for index, result in results.items():
        if not isinstance(result, HashFailure):
            contents[index] = result
        elif result.vanished:
            gone.add(index)
        else:
            contents[index] = UNKNOWN
            problems.append(Problem(os.path.join(directory_path(prefix), names[index]), result.reason))
    page = page.with_contents(contents)
    return (page.without(gone) if gone else page).sealed(prefix), problems
