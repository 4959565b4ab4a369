"""Scan: walk the tree directory by directory, each one page, reusing the index's pages wherever nothing moved.

A page is reused as it stands when names and stats are the same, byte for byte, and no file in it was *racy* (so fresh
when last looked at that an unchanged stat proves nothing).  Otherwise entries are matched one by one, and what is new
is read later (`reading`), if it has to be read at all.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from aefsync.core.path import PathError, RelPath, check_name
from aefsync.core.problem import Problem
from aefsync.core.snapshot import Block
from aefsync.core.view import STAT
from aefsync.disk.building import KINDS, Limits, PageBuilder, directory_path
from aefsync.disk.confined import ConfinedRoot
from aefsync.disk.filesystem import FileSystem
from aefsync.disk.index import Index
from aefsync.disk.listing import list_directory, without_sizes
from aefsync.disk.page import Page


class Scanner:
    """The pages of a replica, by the directory's key with a closing NUL (the root's is empty)."""

    def __init__(
        self,
        root: ConfinedRoot,
        index: Index,
        file_system: FileSystem,
        limits: Limits,
        *,
        clock_ns: Callable[[], int] = time.time_ns,
        on_progress: Callable[[int], None] = lambda entries: None,
    ) -> None:
        self.root = root
        self.index = index
        self.pages: dict[bytes, Page] = {}
        self.problems: dict[bytes, list[Problem]] = {}
        self.unexamined: set[bytes] = set()
        self._file_system = file_system
        self._limits = limits
        self._rules = limits.filter.digest + b"".join(sorted(limits.own))
        self._clock_ns = clock_ns
        self._on_progress = on_progress
        self._device = os.fstat(root.fd).st_dev

    def scan(self) -> None:
        """Look at everything."""
        self.pages.clear()
        self.problems.clear()
        self.unexamined.clear()
        pending, entries = [b""], 0
        while pending:
            prefix = pending.pop()
            page = self._visit(prefix)
            if page is None:
                continue
            entries += page.length
            if page.directories:
                names = page.name_list()
                pending += [prefix + names[index] + b"\0" for index in reversed(page.directories)]
            self._on_progress(entries)
        self.index.prune(self.pages)

    def rescan(self, prefixes: Iterable[bytes]) -> set[bytes]:
        """Look again at some directories, and at all that is new below them; the directories looked at."""
        pending, looked_at = sorted(prefixes, reverse=True), set[bytes]()
        while pending:
            prefix = pending.pop()
            if prefix in looked_at:
                continue
            looked_at.add(prefix)
            before = self._children(prefix)
            self._visit(prefix)
            after = self._children(prefix)
            for gone in before - after:
                self._forget(gone)
            pending += [new for new in after if new not in self.pages]
        return looked_at & self.pages.keys()

    def _forget(self, gone: bytes) -> None:
        for known in [key for key in self.pages if key.startswith(gone)]:
            self.pages.pop(known)
            self.problems.pop(known, None)

    def replace(self, prefix: bytes, page: Page, problems: Sequence[Problem] = ()) -> None:
        """Put a completed page in the place of what is known, and keep it."""
        self.pages[prefix] = page
        for problem in problems:
            self._problem(prefix, problem)
        self.index.store(prefix, page)

    def learn(self, contents: Mapping[RelPath, bytes]) -> None:
        """Fill in contents that another replica found."""
        by_page: dict[bytes, dict[bytes, bytes]] = {}
        for path, content in contents.items():
            key = path.key
            by_page.setdefault(key[: -len(path.name)], {})[path.name] = content
        for prefix, known in by_page.items():
            page = self.pages.get(prefix)
            if page is not None:
                names = page.name_list()
                found = {index: known[names[index]] for index in page.unread() if names[index] in known}
                self.replace(prefix, page.with_contents(found))

    def seal(self) -> None:
        """Take the entry digests that are missing, and keep the pages that had to be completed."""
        for prefix, page in self.pages.items():
            sealed = page.sealed(prefix)
            if sealed is not page:
                self.pages[prefix] = sealed
                self.index.store(prefix, sealed)

    def size(self, prefix: bytes, index: int) -> int:
        """The size in bytes of the entry at a position of a page."""
        return int(STAT.unpack_from(self.pages[prefix].stats, index * STAT.size)[1])

    def _children(self, prefix: bytes) -> set[bytes]:
        page = self.pages.get(prefix)
        if page is None:
            return set()
        names = page.name_list()
        return {prefix + names[index] + b"\0" for index in page.directories}

    def _visit(self, prefix: bytes) -> Page | None:
        """List one directory and keep its page; `None` where nothing can be known of it."""
        path = directory_path(prefix)
        self.pages.pop(prefix, None)
        self.problems.pop(prefix, None)
        try:
            fd = self.root.open_directory(path)
        except FileNotFoundError:
            return None
        except OSError as error:
            self._problem(prefix, Problem(path, (error.strerror or str(error)).lower(), subtree=True))
            return None
        try:
            if self._limits.one_file_system and os.fstat(fd).st_dev != self._device:
                self.unexamined.add(path)
                return None
            page = self._read_page(fd, prefix)
        except OSError as error:
            self._problem(prefix, Problem(path, (error.strerror or str(error)).lower(), subtree=True))
            return None
        finally:
            os.close(fd)
        self.pages[prefix] = page
        return page

    def _problem(self, prefix: bytes, problem: Problem) -> None:
        self.problems.setdefault(prefix, []).append(problem)

    def _read_page(self, fd: int, prefix: bytes) -> Page:
        seen_at = self._clock_ns()
        listing = list_directory(fd, stable=self._file_system.stable)
        known = None if self._limits.ignore_index else self.index.load(prefix)
        for name, reason in listing.failed:
            self._problem(prefix, Problem(directory_path(prefix + name + b"\0"), reason, subtree=True))
        if known is not None and not known.is_racy and known.rules == self._rules and known.listed == listing.names:
            if without_sizes(listing.stats, _listed_directories(known)) == known.listed_stats:
                self._report_left_out(prefix, known)
                return known
        builder = PageBuilder(prefix, fd, self._limits, self._file_system, seen_at)
        page = builder.build(listing, known, self._rules)
        self._report_left_out(prefix, page)
        if not page.unread():
            page = page.sealed(prefix)
            self.index.store(prefix, page)
        return page

    def _report_left_out(self, prefix: bytes, page: Page) -> None:
        """Names that no replica may hold are a problem each time they are seen."""
        for name, mode in left_out(page):
            try:
                check_name(name)
            except PathError as error:
                if stat.S_IFMT(mode) in KINDS:
                    self._problem(prefix, Problem(directory_path(prefix + name + b"\0"), str(error), subtree=True))


def left_out(page: Page) -> Iterator[tuple[bytes, int]]:
    """Names that a directory lists and the tree leaves out, with their modes."""
    if page.listed is page.names or page.listed == page.names:
        return
    kept = set(page.name_list())
    for name, row in zip(page.listed.split(b"\0"), STAT.iter_unpack(page.listed_stats), strict=True):
        if name not in kept:
            yield name, row[0]


def _listed_directories(page: Page) -> list[int] | tuple[int, ...]:
    """Positions of the directories among what is listed."""
    if page.listed is page.names or page.listed == page.names:
        return page.directories
    return [index for index, row in enumerate(STAT.iter_unpack(page.listed_stats)) if stat.S_ISDIR(row[0])]


def assemble(pages: dict[bytes, Page]) -> list[Block]:
    """All entries in key order."""
    blocks: list[Block] = []
    stack = [(b"", iter(pages[b""].blocks(b"")))] if b"" in pages else []
    while stack:
        prefix, remaining = stack[-1]
        block = next(remaining, None)
        if block is None:
            stack.pop()
            continue
        blocks.append(block)
        child = prefix + block.names.rpartition(b"\0")[2] + b"\0"
        if child in pages:
            stack.append((child, iter(pages[child].blocks(child))))
    return blocks
