"""Scan: walk the tree directory by directory, page by page, reusing the index's pages wherever nothing moved.

Where the listing is the same, byte for byte, and no file in it was *racy* (so fresh when last looked at that an
unchanged stat proves nothing), the page's **brief** from the index stands for it, and the page itself is not even
loaded unless somebody asks for its entries (`materialise`).  Otherwise entries are matched one by one, and what is new
is read later (`reading`), if it has to be read at all.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping, Sequence
from itertools import chain

from aefsync.core.path import MAX_PATH, PathError, check_name, is_too_deep
from aefsync.core.problem import Problem, reason_of
from aefsync.disk.adopting import adopt
from aefsync.disk.building import KINDS, Earlier, Limits, PageBuilder, above, directory_path
from aefsync.disk.index import Index
from aefsync.disk.key_order import children, pages_of
from aefsync.disk.listing import Listing
from aefsync.disk.mount_changes import MountPoints
from aefsync.disk.page import Brief, Page, PageKey, left_out
from aefsync.disk.pages import Kept, Pages
from aefsync.disk.sight import Sight
from aefsync.disk.spreading import Look
from aefsync.disk.syscalls import trim_memory

_MANY = 64
"""Pages of a directory whose listing took memory worth being given back."""


class Scanner:
    """The pages of a replica, whose root is seen by `sight`."""

    def __init__(
        self,
        sight: Sight,
        index: Index,
        limits: Limits,
        on_progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> None:
        self.sight = sight
        self.index = index
        self.pages = Pages(index.directory)
        self.briefs: dict[PageKey, Brief] = {}
        self.problems: dict[bytes, list[Problem]] = {}
        self.limits = limits
        self._rules = limits.filter.digest + b"".join(sorted(limits.own))
        self._on_progress = on_progress
        self._ignores_index = limits.ignore_index or index.is_empty
        self._eager = limits.eager and not limits.ignore_index and self._ignores_index
        self.narrowing = limits.narrowing
        self.is_unmanaged = limits.is_unmanaged
        self.lists_filtered = limits.list_filtered

    @property
    def mounts(self) -> MountPoints:
        return self.sight.mounts

    @property
    def unexamined(self) -> set[bytes]:
        return self.sight.unexamined

    def scan(self) -> None:
        """Look at everything."""
        self.pages.clear()
        self.briefs.clear()
        self.problems.clear()
        self.unexamined.clear()
        pending, entries = [b""], 0
        while pending:
            for prefix, look in self.sight.ahead(pending, entries, eager=self._eager):
                found = self._visit(prefix, look=look)
                entries += sum([each.length for each in found])
                pending += [child for each in reversed(found) for child in reversed(children(prefix, each))]
                self._on_progress(entries, 0)
        self._on_progress(entries, entries)
        self.mounts.look_again()
        if self.narrowing.is_everything:
            self._clear_index()

    def _clear_index(self) -> None:
        """Forget the directories that are no longer there, when their contents have been looked for elsewhere."""
        unseen = tuple(self.unseen())
        known = self.index.vanished({prefix for prefix, _ in self.pages.known.keys() | self.briefs.keys()})
        vanished = [prefix for prefix in known if not prefix.startswith(unseen)]
        if not self.limits.ignore_index:
            self._adopt(lambda prefix: True, chain.from_iterable(map(self.index.pages, vanished)))
        self.index.forget(vanished)

    def unseen(self) -> Iterator[bytes]:
        """The keys, with closing NUL, of directories that could not be, or should not be, looked into."""
        failed = (each.path for found in self.problems.values() for each in found if each.subtree)
        return (path.replace(b"/", b"\0") + b"\0" for path in {*failed, *self.mounts.changed, *self.unexamined} if path)

    def materialise(self, prefixes: Collection[bytes] | None = None) -> set[bytes]:
        """Have pages for everything, or for some directories; those whose contents must be read though the scan
        recognised them.

        (Another run may have rewritten the index since.)
        """
        wanted = [each for each in self.briefs.items() if prefixes is None or each[0][0] in prefixes]
        for key, brief in wanted:
            page = self.index.load(key, brief.seen)
            if page is not None and page.digests == brief.digests:
                self.pages[key] = page
                del self.briefs[key]
        return self.rescan({key[0] for key, _ in wanted if key in self.briefs})

    @property
    def entries(self) -> int:
        return sum(each.length for known in (self.pages.known, self.briefs) for each in known.values())

    @property
    def found_root(self) -> bool:
        return (b"", 0) in self.pages or (b"", 0) in self.briefs

    def rescan(self, prefixes: Iterable[bytes], seen: Callable[[bytes], None] = lambda prefix: None) -> set[bytes]:
        """Look again at some directories, and at all that is new below them; those that have pages now.

        `seen` hears of each when it has its pages, before what is left to be found out of all of them fills memory.
        """
        pending, looked_at, vanished = sorted(prefixes, reverse=True), set[bytes](), set[bytes]()
        donors: list[Page] = []
        while pending:
            prefix = pending.pop()
            if prefix in looked_at or prefix in vanished or vanished.intersection(above(prefix)):
                continue
            looked_at.add(prefix)
            known, before = self._withdraw(prefix)
            if len(known) > _MANY:
                trim_memory()
            after = {child for each in self._visit(prefix, known) for child in children(prefix, each)}
            seen(prefix)
            for gone in before - after:
                donors += self._forget(gone)
                vanished.add(gone)
            pending += [new for new in after if (new, 0) not in self.pages and (new, 0) not in self.briefs]
        self._adopt(looked_at.__contains__, donors)
        self.mounts.look_again()
        return looked_at & {prefix for prefix, _ in self.pages}

    def _withdraw(self, prefix: bytes) -> tuple[list[Kept], set[bytes]]:
        """Forget what is known of a directory itself; what that was, page by page, and the directories in it."""
        self.problems.pop(prefix, None)
        known, inside = list[Kept](), set[bytes]()
        while (key := (prefix, len(known))) in self.pages or key in self.briefs:
            kept = self.pages.withdraw(key) if key in self.pages else Kept(self.briefs.pop(key), None)
            inside.update(children(prefix, kept.known))
            known.append(kept)
        return known, inside

    def _forget(self, gone: bytes) -> Iterator[Page]:
        """Forget a directory and all below it; the pages that were known of them."""
        pending = [gone]
        while pending:
            prefix = pending.pop()
            known, inside = self._withdraw(prefix)
            pending += inside
            yield from (self.pages.taken(each.held) for each in known if each.held is not None)

    def _adopt(self, is_meant: Callable[[bytes], bool], donors: Iterable[Page]) -> None:
        """Take contents over, in the directories that are meant, from pages of those that are no longer there."""
        for key, page in adopt(self.pages, is_meant, donors):
            self.index.moved(key[0])
            self.put(key, page)

    def put(self, key: PageKey, page: Page) -> None:
        """Put a page in the place of what is known; one in which nothing is left to be read is sealed, and kept."""
        if page.unread():
            self.pages[key] = page
        else:
            self.replace(key, page.sealed(key[0]))

    def replace(self, key: PageKey, page: Page, problems: Sequence[Problem] = (), recorded: Page | None = None) -> None:
        """Put a completed page in the place of what is known, and keep it (`recorded`: as the index is to have it)."""
        self.pages[key] = page
        for problem in problems:
            self.report(key[0], problem)
        self._store(key, recorded or page)

    def _store(self, key: PageKey, page: Page) -> None:
        """Keep a page in the index, unless it shows only a part of its directory."""
        if self.narrowing.names(key[0]) is None:
            self.index.store(key, page)

    def seal(self, prefixes: Collection[bytes] | None = None) -> None:
        """Take the entry digests that are missing, and keep the pages that had to be completed: all, or those of some
        directories."""
        own: Iterable[tuple[PageKey, Page]] = self.pages.unsettled()
        if prefixes is not None:
            own = (each for prefix in prefixes for each in pages_of(self.pages, prefix))
        for key, page in own:
            sealed = page.sealed(key[0])
            if sealed is not page:
                self.pages[key] = sealed
                self._store(key, sealed)

    def _visit(self, prefix: bytes, before: list[Kept] | None = None, look: Look | None = None) -> list[Page | Brief]:
        """See one directory (`look`: as it was seen) and keep what is found; nothing where nothing can be known.

        What is kept of it is taken from `before`, or else looked for in the index: without `before` first in brief.
        """
        path = directory_path(prefix)
        try:
            look = look or self.sight.look(prefix, eager=self._eager)
        except FileNotFoundError:
            return []
        except OSError as error:
            self.report(prefix, Problem(path, reason_of(error), subtree=True))
            return []
        return [] if look is None or path in self.mounts.changed else self._take(look, prefix, before)

    def _take(self, look: Look, prefix: bytes, before: list[Kept] | None) -> list[Page | Brief]:
        in_brief = before is None and not self._ignores_index and self.narrowing.names(prefix) is None
        briefs = self.index.briefs(prefix) if in_brief else {}
        kept, put_back = before or (), set[int]()
        earlier = Earlier(self._pages_before(prefix, kept, put_back) if kept else self._pages_of_index(prefix))
        builder = PageBuilder(prefix, self.limits, look.file_system, look.seen_at, self._link_contents)
        found: list[Page | Brief] = []
        for number, listing in enumerate(look.listings):
            for name, reason in listing.failed:
                self.report(prefix, Problem(directory_path(prefix + name + b"\0"), reason, subtree=True))
            brief = briefs.get(number)
            if brief is not None and brief.rules == self._rules and brief.seen == listing.seen:
                self.briefs[prefix, number] = brief
                found.append(brief)
            elif number < len(kept) and look.file_system.stable and self._is_still(kept[number], listing):
                found.append(self.pages.put_back((prefix, number), kept[number]))
                put_back.add(number)
            else:
                page = builder.build(listing, earlier.around(listing), self._rules, look.contents)
                found.append(self._keep((prefix, number), page))
        if len(found) < len(briefs):
            self.index.cut(prefix, len(found))
        if len(found) > _MANY:
            trim_memory()
        return found

    def _is_still(self, kept: Kept, listing: Listing) -> bool:
        """Whether a page of which nothing is left to be found out shows what its directory shows now."""
        known = kept.known
        return kept.held is not None and known.is_settled and (known.seen, known.rules) == (listing.seen, self._rules)

    def _pages_before(self, prefix: bytes, kept: Sequence[Kept], put_back: Container[int]) -> Iterator[Page]:
        """What was known of a directory, page by page; not what is `put_back` when it comes up: its names are nowhere else."""
        for number, (known, held) in enumerate(kept):
            if number not in put_back:
                page = self.index.load((prefix, number), known.seen) if held is None else self.pages.taken(held)
                if page is not None:
                    yield page

    def _pages_of_index(self, prefix: bytes) -> Iterator[Page]:
        return iter(()) if self._ignores_index else self.index.pages(prefix)

    def _keep(self, key: PageKey, page: Page) -> Page | Brief:
        self._report_left_out(key[0], page)
        self.put(key, page)
        return self.pages.known[key]

    def report(self, prefix: bytes, problem: Problem) -> None:
        """Keep a problem of a directory, until that is looked at again."""
        known = self.problems.setdefault(prefix, [])
        if problem not in known:
            known.append(problem)

    def _link_contents(self, prefix: bytes, names: Mapping[int, bytes]) -> dict[int, bytes]:
        """The targets of links, as digests; those that cannot be read are reported, and nothing is known of them."""
        found: dict[int, bytes] = {}
        for number, content in self.sight.link_contents(prefix, names).items():
            if isinstance(content, bytes):
                found[number] = content
            elif not content.vanished:
                path = directory_path(prefix + names[number] + b"\0")
                self.report(prefix, Problem(path, content.reason, subtree=True))
        return found

    def _report_left_out(self, prefix: bytes, page: Page) -> None:
        """Names that no replica may hold, and paths that are too long to be told, are a problem each time they are seen."""
        for name, mode in left_out(page):
            if is_too_deep(prefix, len(name)):
                self.report(prefix, Problem(directory_path(prefix), f"holds paths of more than {MAX_PATH} bytes"))
                continue
            try:
                check_name(name)
            except PathError as error:
                if stat.S_IFMT(mode) in KINDS:
                    self.report(prefix, Problem(directory_path(prefix + name + b"\0"), str(error), subtree=True))
