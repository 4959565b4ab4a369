"""The scrubber: one pass over the files of a scan, portion by portion, those first that were verified longest ago.

Directories are taken whole and one after the other, so that what is remembered of a pass is a time for each, and a name
in the one that is unfinished (`verified`).  Those with files that are known to be damaged come before all others.
"""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping

from aefsync.core.named_tuple import NamedTuple
from aefsync.core.pace import Pace
from aefsync.core.problem import Problem, reason_of
from aefsync.core.rot import Scrub, Scrubbed, Verdict
from aefsync.disk.building import directory_path
from aefsync.disk.confined import ConfinedRoot
from aefsync.disk.fetching import Fetching
from aefsync.disk.page import Page, PageKey
from aefsync.disk.readable import Readable
from aefsync.disk.scan import Scanner
from aefsync.disk.sidecar import Sidecar
from aefsync.disk.verified import Mark, Noted, Verified
from aefsync.disk.verifying import Found, Fresh, Row, Verifying, rows_of, sizes_of


class Clocks(NamedTuple):
    """What a scrub knows of time."""

    now_ns: Callable[[], int] = time.time_ns
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


class _Due(NamedTuple):
    """A directory that is to be verified, by its key with a closing NUL, and what of it is left."""

    prefix: bytes
    files: int
    size: int


class Scrubber:
    """One pass; `on_bytes` hears of how many bytes were read, and how many are to be."""

    def __init__(
        self,
        root: ConfinedRoot,
        scanner: Scanner,
        sidecar: Sidecar | None,
        verified: Verified,
        on_bytes: Callable[[int, int], None],
        clocks: Clocks = Clocks(),  # noqa: B008  nothing can change it
    ) -> None:
        self._root = root
        self._scanner = scanner
        self._sidecar = sidecar
        self._verified = verified
        self._on_bytes = on_bytes
        self._clocks = clocks
        self._read_bytes = 0
        stock = self._take_stock()
        self._all = {each.prefix for each in stock}
        if scanner.narrowing.is_everything:
            verified.only(self._all)
        self._due = deque(stock)
        self._left_files, self._left_bytes = sum(e.files for e in stock), sum(e.size for e in stock)
        self._total_bytes = self._left_bytes
        self._at: tuple[Verifying, Iterator[Row]] | None = None
        """the directory at work, and what of it is to come"""
        self._held: list[Fresh] = []
        """files of which there was no record, that others are asked about"""

    def _take_stock(self) -> list[_Due]:
        """The directories with files in them, in the order in which they are to be verified."""
        scanner, marks = self._scanner, self._verified.marks
        told = itertools.chain.from_iterable(scanner.problems.values())
        doubtful = {*self._verified.damage, *(bytes(each.path) for each in told if each.is_damage)}
        first = {path.rpartition(b"/")[0] for path in doubtful}
        found = []
        for prefix in {prefix for prefix, _ in scanner.pages.known.keys() | scanner.briefs.keys()}:
            upto = marks.get(prefix, Mark()).upto
            rest = (row.size for row in self._rows(prefix) if row.name > upto)
            sizes = list(rest) if upto else [size for page in self._pages(prefix) for size in sizes_of(page)]
            if sizes or upto:
                found.append(_Due(prefix, len(sizes), sum(sizes)))
        return sorted(
            found,
            key=lambda due: (
                directory_path(due.prefix) not in first,
                marks.get(due.prefix, Mark()).since_ns,
                due.prefix,
            ),
        )

    def _rows(self, prefix: bytes) -> Iterator[Row]:
        return itertools.chain.from_iterable(rows_of(*each) for each in enumerate(self._pages(prefix)))

    def _pages(self, prefix: bytes) -> Iterator[Page]:
        for number in itertools.count():
            page = self._page((prefix, number))
            if page is None:
                return
            yield page

    def _page(self, key: PageKey) -> Page | None:
        """A page of the scan; one that it knows in brief only is loaded for as long as it is needed."""
        scanner = self._scanner
        brief = scanner.briefs.get(key)
        if brief is None:
            return scanner.pages.get(key)
        page = scanner.index.load(key, brief.seen)
        if page is not None and page.digests == brief.digests:
            return page
        scanner.materialise({key[0]})
        return scanner.pages.get(key)

    def portion(self, request: Scrub) -> Scrubbed:
        """Verify some files, and tell how things stand."""
        pace = Pace(request.bytes_per_s, self._clocks.monotonic, self._clocks.sleep)
        total = min(request.budget, self._total_bytes) if request.budget else self._total_bytes
        before_files, before = self._left_files, self._read_bytes
        self._record_held({*request.doubted})
        found = Found([], [], {}, [] if request.tells_fresh else None)

        def passed(size: int) -> None:
            self._read_bytes += size
            self._on_bytes(min(self._read_bytes, total), total)
            pace.passed(size)

        def is_enough() -> bool:
            done = before_files - self._left_files
            return done >= request.files or (done > 0 and self._read_bytes - before >= request.size)

        while self._due and not is_enough():
            found.contents.clear()
            self._verify_some(self._due[0], found, passed, is_enough)
        self._verified.save()
        self._held = found.fresh or []
        return self._standing(found, before_files - self._left_files, self._read_bytes - before)

    def _verify_some(
        self, due: _Due, found: Found, passed: Callable[[int], None], is_enough: Callable[[], bool]
    ) -> None:
        """Go on with a directory until it is done, or it is enough for now."""
        prefix = due.prefix
        mark = self._verified.marks.get(prefix, Mark())
        if not mark.upto:
            mark = mark._replace(begun_ns=self._clocks.now_ns())
        try:
            with self._root.directory(directory_path(prefix)) as directory:
                verifying, rows = self._at = self._at or self._begin(prefix, mark.upto)
                fetching = Fetching(directory, rows)
                try:
                    for row, opened, _ in fetching.until(is_enough):
                        verifying.verify(directory, row, opened, found, passed)
                        mark = mark._replace(upto=row.name)
                        self._left_files -= 1
                        self._left_bytes -= row.size
                finally:
                    left = fetching.end()
            if left is not None:
                self._at = verifying, left
                self._keep(prefix, mark, found)
                return
            mark = Mark(mark.begun_ns)
        except OSError as error:
            found.problems.append(Problem(directory_path(prefix), reason_of(error), subtree=True))
        self._keep(prefix, mark, found)
        self._due.popleft()
        self._at = None

    def _begin(self, prefix: bytes, upto: bytes) -> tuple[Verifying, Iterator[Row]]:
        verifying = Verifying(prefix, self._scanner.index, self._sidecar, self._verified)
        return verifying, (row for row in self._rows(prefix) if row.name > upto)

    def _record_held(self, doubted: Collection[bytes]) -> None:
        """Record what was told of the last time, and note what of it is rot."""
        for prefix, group in itertools.groupby(self._held, key=lambda each: each.prefix):
            contents: dict[int, dict[int, bytes]] = {}
            for each in group:
                if each.path in doubted:
                    self._verified.note(each.path, Noted(Verdict.ROT, each.row.shown.stat))
                else:
                    self._verified.clear(each.path)
                    contents.setdefault(each.row.number, {})[each.row.position] = each.content
            self._record(prefix, contents)
        self._held = []

    def _record(self, prefix: bytes, found: Mapping[int, dict[int, bytes]]) -> None:
        """Put down contents that were not known, by page and position."""
        scanner = self._scanner
        for number, contents in found.items():
            page = self._page((prefix, number))
            if page is not None:
                scanner.briefs.pop((prefix, number), None)
                scanner.put((prefix, number), page.with_contents(contents))

    def _keep(self, prefix: bytes, mark: Mark, found: Found) -> None:
        """Keep how far a directory is verified, and what was not known of it before."""
        self._record(prefix, found.contents)
        if self._scanner.narrowing.names(prefix) is None:
            self._verified.mark(prefix, mark)

    def _standing(self, found: Found, files: int, size: int) -> Scrubbed:
        oldest_ns = min((self._verified.marks.get(prefix, Mark()).since_ns for prefix in self._all), default=0)
        return standing(self._verified, self._root)._replace(
            files=files,
            size=size,
            damaged=tuple(found.damaged),
            problems=tuple(found.problems),
            left_files=self._left_files,
            left_size=self._left_bytes,
            oldest_s=oldest_ns // 10**9,
            fresh=tuple(each.entry for each in self._held),
        )


def standing(verified: Verified, root: Readable) -> Scrubbed:
    """How a root stands, as earlier scrubs and repairs have found it; nothing is read."""
    verified.look(root)
    verdicts = [noted.verdict for noted in verified.damage.values()]
    oldest_ns = min((mark.since_ns for mark in verified.marks.values()), default=0)
    rot, suspects = verdicts.count(Verdict.ROT), verdicts.count(Verdict.SUSPECT)
    return Scrubbed(0, 0, (), (), 0, 0, rot, suspects, oldest_ns // 10**9)
