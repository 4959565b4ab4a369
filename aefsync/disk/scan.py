"""Scan: walk the tree directory by directory, each one page, reusing the index's pages wherever nothing moved.

Where the listing is the same, byte for byte, and no file in it was *racy* (so fresh when last looked at that an
unchanged stat proves nothing), the page's **brief** from the index stands for it, and the page itself is not even
loaded unless somebody asks for its entries (`materialise`).  Otherwise entries are matched one by one, and what is new
is read later (`reading`), if it has to be read at all.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from aefsync.core.digest import ENTRY_DIGEST
from aefsync.core.path import PathError, RelPath, check_name
from aefsync.core.problem import Problem
from aefsync.core.snapshot import STAT_COLUMNS
from aefsync.disk.adopting import adopt
from aefsync.disk.building import KINDS, Limits, PageBuilder, above, directory_path
from aefsync.disk.confined import ConfinedRoot
from aefsync.disk.crew import NOBODY, Crew
from aefsync.disk.filesystem import FileSystem, file_system_of
from aefsync.disk.index import Index
from aefsync.disk.key_order import children, runs
from aefsync.disk.listing import list_directory, list_names, read_directory
from aefsync.disk.mount_changes import MountPoints
from aefsync.disk.page import Brief, Page, left_out
from aefsync.disk.spreading import Look, looks


class Scanner:
    """The pages of a replica, by the directory's key with a closing NUL (the root's is empty)."""

    def __init__(
        self,
        root: ConfinedRoot,
        index: Index,
        file_system: FileSystem,
        limits: Limits,
        *,
        crew: Crew = NOBODY,
        clock_ns: Callable[[], int] = time.time_ns,
        on_progress: Callable[[int], None] = lambda entries: None,
    ) -> None:
        self.root = root
        self.index = index
        self.pages: dict[bytes, Page] = {}
        self.briefs: dict[bytes, Brief] = {}
        self.problems: dict[bytes, list[Problem]] = {}
        self.unexamined: set[bytes] = set()
        self._limits = limits
        self.crew = crew
        self._rules = limits.filter.digest + b"".join(sorted(limits.own))
        self._clock_ns = clock_ns
        self._on_progress = on_progress
        self._ignores_index = limits.ignore_index or index.is_empty
        self._eager = limits.eager and not limits.ignore_index and self._ignores_index
        self._device = os.fstat(root.fd).st_dev
        self._file_systems = {self._device: file_system}
        self._narrowing = limits.narrowing
        self.is_unmanaged = limits.is_unmanaged
        self.mounts = MountPoints(root, limits.mounts, limits.compares)

    def scan(self) -> None:
        """Look at everything."""
        self.pages.clear()
        self.briefs.clear()
        self.problems.clear()
        self.unexamined.clear()
        pending, entries = [b""], 0
        while pending:
            spread = self.crew.pays(entries) and self._file_systems[self._device].stable
            for prefix, look in self._looks(pending) if spread else ((pending.pop(), None),):
                found = self._visit(prefix, look=look)
                if found is None:
                    continue
                entries += found.length
                pending += reversed(children(prefix, found))
                self._on_progress(entries)
        self.mounts.look_again()
        if self._narrowing.is_everything:
            self._clear_index()

    def _clear_index(self) -> None:
        """Forget the directories that are no longer there, when their contents have been looked for elsewhere."""
        unseen = tuple(self._unseen())
        known = self.index.vanished(self.pages.keys() | self.briefs.keys())
        vanished = [prefix for prefix in known if not prefix.startswith(unseen)]
        if not self._limits.ignore_index:
            self._adopt(self.pages, filter(None, map(self.index.load, vanished)))
        self.index.forget(vanished)

    def _looks(self, pending: list[bytes]) -> Iterator[tuple[bytes, Look | None]]:
        return looks(self.crew, pending, self._device, self._clock_ns, eager=self._eager)

    def _unseen(self) -> Iterator[bytes]:
        """The keys, with closing NUL, of directories that could not be, or should not be, looked into."""
        failed = (each.path for found in self.problems.values() for each in found if each.subtree)
        return (path.replace(b"/", b"\0") + b"\0" for path in {*failed, *self.mounts.changed, *self.unexamined} if path)

    def materialise(self) -> set[bytes]:
        """Have a page for every directory; those whose contents must be read though the scan recognised them.

        (Another run may have rewritten the index since.)
        """
        for prefix, brief in list(self.briefs.items()):
            page = self.index.load(prefix, brief.seen)
            if page is not None and page.digests == brief.digests:
                self.pages[prefix] = page
                del self.briefs[prefix]
        return self.rescan(list(self.briefs))

    def digests(self) -> Iterator[memoryview]:
        """The entry digests of all that is compared, in key order; every page must be sealed."""
        everything: dict[bytes, Page | Brief] = {**self.briefs, **self.pages}
        for prefix, low, high in runs(everything):
            taken = memoryview(everything[prefix].digests)
            if self._narrowing.names(prefix) is None:
                yield taken[low * ENTRY_DIGEST : high * ENTRY_DIGEST]
            else:
                chosen = self._narrowing.chosen(prefix, self.pages[prefix].name_list(), low, high)
                yield from (taken[index * ENTRY_DIGEST : (index + 1) * ENTRY_DIGEST] for index in chosen)

    @property
    def entries(self) -> int:
        return sum(page.length for page in self.pages.values()) + sum(brief.length for brief in self.briefs.values())

    def rescan(self, prefixes: Iterable[bytes]) -> set[bytes]:
        """Look again at some directories, and at all that is new below them; those that have a page now."""
        pending, looked_at, vanished = sorted(prefixes, reverse=True), set[bytes](), set[bytes]()
        donors: list[Page] = []
        while pending:
            prefix = pending.pop()
            if prefix in looked_at or prefix in vanished or vanished.intersection(above(prefix)):
                continue
            looked_at.add(prefix)
            known, brief = self.pages.get(prefix), self.briefs.get(prefix)
            found = self._visit(prefix, known, in_brief=False)
            before = [key for each in (known, brief) if each is not None for key in children(prefix, each)]
            after = children(prefix, found) if found is not None else []
            for gone in set(before).difference(after):
                donors += self._forget(gone)
                vanished.add(gone)
            pending += [new for new in after if new not in self.pages and new not in self.briefs]
        self._adopt({prefix: self.pages[prefix] for prefix in looked_at if prefix in self.pages}, donors)
        return looked_at & self.pages.keys()

    def _forget(self, gone: bytes) -> Iterator[Page]:
        """Forget a directory and all below it; the pages that were known of them."""
        pending = [gone]
        while pending:
            prefix = pending.pop()
            known = self.pages.pop(prefix, None) or self.briefs.pop(prefix, None)
            self.problems.pop(prefix, None)
            if known is not None:
                pending += children(prefix, known)
            if isinstance(known, Page):
                yield known

    def _adopt(self, pages: Mapping[bytes, Page], donors: Iterable[Page]) -> None:
        """Take contents over from pages of directories that are no longer there."""
        for prefix, page in adopt(pages, donors):
            if page.unread():
                self.pages[prefix] = page
            else:
                self.replace(prefix, page.sealed(prefix))

    def replace(self, prefix: bytes, page: Page, problems: Sequence[Problem] = ()) -> None:
        """Put a completed page in the place of what is known, and keep it."""
        self.pages[prefix] = page
        for problem in problems:
            self.report(prefix, problem)
        self._store(prefix, page)

    def _store(self, prefix: bytes, page: Page) -> None:
        """Keep a page in the index, unless it shows only a part of its directory."""
        if self._narrowing.names(prefix) is None:
            self.index.store(prefix, page)

    def learn(self, contents: Mapping[RelPath, bytes]) -> None:
        """Fill in contents that another replica found; `seal` keeps them."""
        by_page: dict[bytes, dict[bytes, bytes]] = {}
        for path, content in contents.items():
            key = path.key
            by_page.setdefault(key[: -len(path.name)], {})[path.name] = content
        for prefix, known in by_page.items():
            page = self.pages.get(prefix)
            if page is not None:
                names = page.name_list()
                found = {index: known[names[index]] for index in page.unread() if names[index] in known}
                self.pages[prefix] = page.with_contents(found)

    def seal(self) -> None:
        """Take the entry digests that are missing, and keep the pages that had to be completed."""
        for prefix, page in self.pages.items():
            sealed = page.sealed(prefix)
            if sealed is not page:
                self.pages[prefix] = sealed
                self._store(prefix, sealed)

    def bytes_of(self, wanted: Mapping[bytes, Sequence[int]]) -> int:
        """The sizes of the entries at these positions of pages, added up."""
        total = 0
        for prefix, positions in wanted.items():
            sizes = memoryview(self.pages[prefix].stats).cast("q")[1::STAT_COLUMNS].tolist()
            total += sum(sizes) if len(positions) == len(sizes) else sum(sizes[index] for index in positions)
        return total

    def _visit(
        self, prefix: bytes, known: Page | None = None, *, in_brief: bool = True, look: Look | None = None
    ) -> Page | Brief | None:
        """List one directory (as a worker saw it: `look`) and keep what is found; `None` where nothing can be known.

        Its page is `known`, or else looked for in the index, first `in_brief`.
        """
        path = directory_path(prefix)
        self.pages.pop(prefix, None)
        self.briefs.pop(prefix, None)
        self.problems.pop(prefix, None)
        if look is not None and path in self.mounts.changed:
            return None
        if look is not None and self._narrowing.names(prefix) is None:
            return self._take(look, prefix, known, self._file_systems[self._device], in_brief=in_brief)
        try:
            fd = self.root.open_directory(path)
        except FileNotFoundError:
            return None
        except OSError as error:
            self.report(prefix, Problem(path, (error.strerror or str(error)).lower(), subtree=True))
            return None
        try:
            device = os.fstat(fd).st_dev
            if device != self._device:
                if self._limits.one_file_system:
                    self.unexamined.add(path)
                    return None
                self._file_systems[device] = file_system_of(fd)
                self.mounts.cross(path)
            if path in self.mounts.changed:
                return None
            file_system = self._file_systems[device]
            return self._take(self._look(fd, prefix, file_system), prefix, known, file_system, in_brief=in_brief)
        except OSError as error:
            self.report(prefix, Problem(path, (error.strerror or str(error)).lower(), subtree=True))
            return None
        finally:
            os.close(fd)

    def _take(
        self, look: Look, prefix: bytes, known: Page | None, file_system: FileSystem, *, in_brief: bool
    ) -> Page | Brief:
        seen_at, listing, contents = look
        if known is None and not self._ignores_index:
            brief = self.index.brief(prefix) if in_brief and self._narrowing.names(prefix) is None else None
            if brief is not None and brief.rules == self._rules and brief.seen == listing.seen:
                self.briefs[prefix] = brief
                return brief
            known = self.index.load(prefix)
        for name, reason in listing.failed:
            self.report(prefix, Problem(directory_path(prefix + name + b"\0"), reason, subtree=True))
        builder = PageBuilder(prefix, self.root, self._limits, file_system, seen_at)
        return self._keep(prefix, builder.build(listing, known, self._rules, contents))

    def _look(self, fd: int, prefix: bytes, file_system: FileSystem) -> Look:
        """List a directory; with it read its files, if that is wanted and ctimes can be trusted."""
        seen_at, names = self._clock_ns(), self._narrowing.names(prefix)
        if names is not None:
            return Look(seen_at, list_names(fd, names, stable=file_system.stable), {})
        if self._eager and file_system.stable:
            with contextlib.suppress(OSError):
                return Look(seen_at, *read_directory(fd, stable=True))
        return Look(seen_at, list_directory(fd, stable=file_system.stable), {})

    def _keep(self, prefix: bytes, page: Page) -> Page:
        self.pages[prefix] = page
        self._report_left_out(prefix, page)
        if not page.unread():
            self.replace(prefix, page.sealed(prefix))
        return self.pages[prefix]

    def report(self, prefix: bytes, problem: Problem) -> None:
        """Keep a problem of a directory, until that is looked at again."""
        known = self.problems.setdefault(prefix, [])
        if problem not in known:
            known.append(problem)

    def _report_left_out(self, prefix: bytes, page: Page) -> None:
        """Names that no replica may hold are a problem each time they are seen."""
        for name, mode in left_out(page):
            try:
                check_name(name)
            except PathError as error:
                if stat.S_IFMT(mode) in KINDS:
                    self.report(prefix, Problem(directory_path(prefix + name + b"\0"), str(error), subtree=True))
