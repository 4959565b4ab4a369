"""Read the files whose content is not known, page by page, and complete the pages."""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable, Mapping, Sequence

from aefsync.core.compare import Span
from aefsync.core.entry import UNKNOWN
from aefsync.core.problem import Problem
from aefsync.disk.building import directory_path
from aefsync.disk.contested import as_recorded
from aefsync.disk.hashing import HashFailure
from aefsync.disk.key_order import runs
from aefsync.disk.page import Page, PageKey
from aefsync.disk.scan import Scanner
from aefsync.disk.sight import Wanted


def unread(pages: Mapping[PageKey, Page]) -> Wanted:
    """Every file whose content is not known."""
    found = ((key, page.unread()) for key, page in pages.items())
    return {key: positions for key, positions in found if positions}


def within(wanted: Wanted, pages: Mapping[PageKey, Page], spans: Sequence[Span], *, inside: bool) -> Wanted:
    """Those of `wanted` at positions of the snapshot of `pages` that lie in `spans` (or outside of them)."""
    chosen: Wanted = {}
    start = 0
    for key, low, high in runs(pages):
        for position in wanted.get(key, ()):
            if low <= position < high and _covered(spans, start + position - low) == inside:
                chosen.setdefault(key, array("H")).append(position)
        start += high - low
    return chosen


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
    done, is_anew = 0, scanner.limits.ignore_index
    for key, results in scanner.sight.read(scanner.pages, wanted):
        page = scanner.pages[key]
        complete, problems = _completed(key[0], page, results)
        recorded, contested = as_recorded(scanner.index, key, complete) if is_anew else (complete, [])
        scanner.replace(key, complete, [*problems, *contested], recorded)
        done += page.bytes_of(wanted[key])
        on_bytes(done)


def materialised(scanner: Scanner) -> Mapping[PageKey, Page]:
    """Everything that a scan found, page by page; read again where the index no longer tells what it told then."""
    doubtful = scanner.materialise()
    again = {key: found for key, found in unread(scanner.pages).items() if key[0] in doubtful} if doubtful else {}
    read_pages(scanner, again, lambda done: None)
    return scanner.pages


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
