"""Read the files whose content is not known, page by page, and complete the pages."""

from __future__ import annotations

import os
from array import array
from bisect import bisect_right
from collections.abc import Callable, Container, Mapping, Sequence

from aefsync.core.compare import Span
from aefsync.core.entry import UNKNOWN
from aefsync.core.problem import Problem
from aefsync.disk.building import directory_path
from aefsync.disk.contested import as_recorded
from aefsync.disk.hashing import HashFailure
from aefsync.disk.key_order import runs
from aefsync.disk.page import Page, PageKey
from aefsync.disk.pages import Pages
from aefsync.disk.scan import Scanner
from aefsync.disk.sight import Wanted


def unread(pages: Pages, directories: Container[bytes] | None = None) -> Wanted:
    """Every file (in some directories) whose content is not known."""
    found = ((key, page.unread()) for key, page in pages.flagged(directories))
    return {key: positions for key, positions in found if positions}


def within(wanted: Wanted, pages: Pages, spans: Sequence[Span], *, inside: bool) -> Wanted:
    """Those of `wanted` at positions of the snapshot of `pages` that lie in `spans` (or outside of them)."""
    chosen: Wanted = {}
    ends = [end for _, end in spans]
    start = 0
    for key, low, high in runs(pages.known):
        own = [position for position in wanted.get(key, ()) if low <= position < high]
        covered = _covered(spans, ends, start, start + high - low) if own else None
        if covered is None:
            at = start - low
            own = [each for each in own if _covered(spans, ends, at + each, at + each + 1) == inside]
        if own and covered in (None, inside):
            chosen.setdefault(key, array("H")).extend(own)
        start += high - low
    return chosen


def _covered(spans: Sequence[Span], ends: Sequence[int], low: int, high: int) -> bool | None:
    """Whether these positions lie in one of the spans, which are sorted and apart, and end where `ends` says; `None` where
    only some do."""
    number = bisect_right(ends, low)
    if number == len(spans) or high <= spans[number][0]:
        return False
    return True if spans[number][0] <= low and high <= ends[number] else None


def read_pages(scanner: Scanner, wanted: Wanted, on_bytes: Callable[[int], None]) -> None:
    """Hash the wanted files; what cannot be read is a problem, what vanished is dropped."""
    done, ahead, is_anew = 0, 0, scanner.limits.ignore_index

    def passed(size: int) -> None:
        nonlocal ahead
        ahead += size
        on_bytes(done + ahead)

    parts: dict[PageKey, dict[int, bytes | HashFailure]] = {}
    for key, part in scanner.sight.read(scanner.pages, wanted, passed):
        results = {**parts.pop(key, {}), **part}
        if is_anew and len(results) < len(wanted[key]):
            parts[key] = results
            continue  # what the index knows of a page is the measure for all of it
        page = scanner.pages[key]
        complete, problems = _completed(key[0], page, results)
        recorded, contested = as_recorded(scanner.index, key, complete) if is_anew else (complete, [])
        scanner.replace(key, complete, [*problems, *contested], recorded)
        done, ahead = done + page.bytes_of(list(results)), 0
        on_bytes(done)


def materialised(scanner: Scanner) -> Pages:
    """Everything that a scan found, page by page; read again where the index no longer tells what it told then."""
    doubtful = scanner.materialise()
    read_pages(scanner, unread(scanner.pages, doubtful), lambda done: None)
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
