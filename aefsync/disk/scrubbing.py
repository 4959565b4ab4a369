"""A session's half that scrubs: what it verified, found damaged and was told to accept, kept beside what it remembers."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from aefsync.core.action import ROTTEN, Act, Action, Applied
from aefsync.core.compare import Span
from aefsync.core.entry import UNKNOWN, Entry
from aefsync.core.path import RelPath
from aefsync.core.ports import Access, Scan, Scanned
from aefsync.core.problem import ROT, SUSPECT, Problem
from aefsync.core.rot import REASONS, Scrub, Scrubbed, Verdict
from aefsync.core.version import FOUND
from aefsync.disk.accepting import Edit, accept
from aefsync.disk.confined import ConfinedRoot
from aefsync.disk.page import Page, PageKey
from aefsync.disk.pending import Intention
from aefsync.disk.records import record_of
from aefsync.disk.remembering_here import RememberingHere
from aefsync.disk.scan import Scanner
from aefsync.disk.scrubber import Clocks, Scrubber, standing
from aefsync.disk.settling import Settling
from aefsync.disk.sidecar import Damaged, Sidecar
from aefsync.disk.verified import NAME, Noted, Verified, damage
from aefsync.disk.verifying import Row, is_stranger, records_of, rows_of
from aefsync.errors import AefsyncError, RootError


class Scrubbing(RememberingHere):
    """An open root that may be scrubbed once it was scanned."""

    def __init__(self, clock_ns: Callable[[], int]) -> None:
        self._clock_ns = clock_ns
        super().__init__()

    def _begin(self) -> None:
        super()._begin()
        self._opened_verified: Verified | None = None
        self._scrubber: Scrubber | None = None

    @property
    def _verified(self) -> Verified:
        """What is remembered of scrubs; whoever only reads has a copy that is lost with the session."""
        if self._opened_verified is None:
            writes = self._request.access is Access.WRITE
            if writes:
                self._writing()
            path = self._home.path_to(NAME) if self._home is not None else None
            self._opened_verified = Verified(path, writable=writes)
        return self._opened_verified

    @property
    def _sidecar(self) -> Sidecar | None:
        return self._chronicle.sidecar if self._chronicle is not None else None

    def scrub(self, request: Scrub) -> Scrubbed:
        self._check_open()
        if self._root is None or (self._scanner is None and (request.begins or request.files)):
            raise AefsyncError("nothing was scanned yet")
        if self._scanner is None:
            return standing(self._verified, self._root)
        try:
            if request.suspected:
                self._doubt(self._scanner, request.suspected)
            problems = self._accept(self._root, self._scanner, request.accepted) if request.accepted else ()
            if request.begins or (self._scrubber is None and request.files):
                parts = (self._root, self._scanner, self._sidecar, self._verified, self._reading)
                self._scrubber = Scrubber(*parts, Clocks(self._clock_ns))
            if self._scrubber is None:
                return standing(self._verified, self._root)._replace(problems=problems)
            scrubbed = self._scrubber.portion(request)
            return scrubbed._replace(problems=(*problems, *scrubbed.problems))
        except Damaged as damaged:
            raise RootError(self._begin_anew(damaged).reason) from None
        finally:
            self._taken = None

    def _take_in(self, root: ConfinedRoot, scanner: Scanner, request: Scan, troubles: Sequence[Problem]) -> bool:
        self._recall(scanner)
        return super()._take_in(root, scanner, request, troubles)

    def _recall(self, scanner: Scanner) -> None:
        """Tell of files that are known to be damaged, and are what they were then, unless all is read anyway.  Those that have
        no record here are read again instead: what they should be is recorded elsewhere."""
        sidecar, known = self._sidecar, self._known_damage
        for path, noted in [(RelPath(each), noted) for each, noted in known.items()]:
            prefix = path.prefix
            scanner.materialise({prefix})
            same = [each for each in _rows(scanner, path) if each[2].shown.stat == noted.stat]
            if sidecar is not None and is_stranger(records_of(sidecar, prefix), path.name, noted.stat):
                for key, page, row in same:
                    scanner.put(key, page.with_contents({row.position: UNKNOWN}))
            elif same and not scanner.limits.ignore_index:
                scanner.report(prefix, Problem(path, REASONS[noted.verdict], subtree=True))

    @property
    def _known_damage(self) -> Mapping[bytes, Noted]:
        if self._opened_verified is not None:
            return self._opened_verified.damage
        return damage(self._home.path_to(NAME)) if self._home is not None else {}

    def _judge_scan(self, root: ConfinedRoot, scanner: Scanner, request: Scan) -> bool:
        restored = super()._judge_scan(root, scanner, request)
        self._note(scanner)
        return restored

    def read_unread(self, skip: Sequence[Span], only: Sequence[Span] | None) -> Scanned:
        scanned = super().read_unread(skip, only)
        if self._scanner is not None and self._scanner.limits.ignore_index:
            self._note(self._scanner)
        return scanned

    def _doubt(self, scanner: Scanner, paths: Iterable[RelPath]) -> None:
        """Read files again, and tell of those that do not hold what is known of them."""
        for path in paths:
            scanner.materialise({path.prefix})
            for key, _, row in list(_rows(scanner, path)):
                ((_, found),) = scanner.sight.read(scanner.pages, {key: array("H", [row.position])})
                now, shown = found[row.position], row.shown
                if isinstance(now, bytes) and not shown.flags and now != shown.content:
                    scanner.report(key[0], Problem(path, ROT if shown.entry(path).inode else SUSPECT, subtree=True))
        self._note(scanner)

    def _note(self, scanner: Scanner) -> None:
        """What is damaged is noted, so that it can be told without a look at it, and comes first in the next scrub."""
        damaged = [each for found in scanner.problems.values() for each in found if each.is_damage]
        for problem in damaged if self._request.access is Access.WRITE else ():
            path, verdict = RelPath(problem.path), Verdict.ROT if problem.reason == ROT else Verdict.SUSPECT
            known = self._verified.damage.get(path)
            for _, _, row in _rows(scanner, path):
                if known is None or known.stat != row.shown.stat:
                    self._verified.note(path, Noted(verdict, row.shown.stat))
        if damaged:
            self._verified.save()

    def _accept(self, root: ConfinedRoot, scanner: Scanner, paths: Sequence[RelPath]) -> tuple[Problem, ...]:
        """Take files for what they are, as edits of this replica; what could not be."""
        self._writing()
        versions = {path: entry.version for path in paths if (entry := self._find(path)) is not None}
        taken = [accept(root, scanner, self._sidecar, self._verified, path) for path in paths]
        scanner.index.flush()
        edits = [each for each in taken if isinstance(each, Edit)]
        if self._chronicle is not None and edits:
            with self._remembering() as chronicle:
                dot, settling = chronicle.mint(), Settling(chronicle, scanner, self._taking.aspects)
                settling.begin()
                settling.settle(
                    self._as_edited(
                        each, chronicle.vectors.number(each.version(versions[each.found.path] or FOUND, dot))
                    )
                    for each in edits
                )
        return tuple(each for each in taken if isinstance(each, Problem))

    @staticmethod
    def _as_edited(edit: Edit, version: int) -> Intention:
        return Intention(Act.COPY, edit.found.path, record_of(edit.found, version))

    def apply(self, actions: Sequence[Action]) -> Applied:
        applied = super().apply([self._as_remembered(action) for action in actions])
        failed = [action for action, is_done in zip(actions, applied.done, strict=True) if not is_done]
        leaders = {each.wanted.leader for each in failed if each.act is Act.JOIN and each.wanted is not None}
        if leaders and self._scanner is not None:
            self._doubt(self._scanner, map(RelPath, leaders))
        return applied

    def _as_remembered(self, action: Action) -> Action:
        """What takes the place of rot is what was there before: whoever brings it has no say in its version."""
        known = super()._find(action.path) if action.aside == ROTTEN else None
        if known is None or action.wanted is None:
            return action
        return action._replace(wanted=action.wanted._replace(version=known.version))

    def _find(self, path: RelPath) -> Entry | None:
        """A damaged file is not what its record says: whoever looks for chunks in it has to read it."""
        entry = super()._find(path)
        known = self._opened_verified
        if entry is None or known is None or path not in known.damage:
            return entry
        return entry._replace(content=UNKNOWN)


def _rows(scanner: Scanner, path: RelPath) -> Iterator[tuple[PageKey, Page, Row]]:
    """What the pages of a scan say of a file, with the page; nothing where it is none, or not there."""
    for key, page, here in scanner.pages.holding(path.prefix, {path.name}):
        yield from ((key, page, row) for row in rows_of(key[1], page) if row.position in here)
