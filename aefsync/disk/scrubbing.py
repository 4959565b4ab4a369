"""A session's half that scrubs: what it verified, found damaged and was told to accept, kept beside what it remembers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from aefsync.core.action import ROTTEN, Act, Action, Applied
from aefsync.core.entry import UNKNOWN, Entry
from aefsync.core.path import RelPath
from aefsync.core.ports import Access, Phase
from aefsync.core.problem import Problem
from aefsync.core.rot import Scrub, Scrubbed
from aefsync.core.version import FOUND
from aefsync.disk.accepting import Edit, accept
from aefsync.disk.confined import ConfinedRoot
from aefsync.disk.pending import Intention
from aefsync.disk.records import record_of
from aefsync.disk.remembering import Remembering
from aefsync.disk.scan import Scanner
from aefsync.disk.scrubber import Clocks, Scrubber
from aefsync.disk.settling import Settling
from aefsync.disk.sidecar import Damaged, Sidecar
from aefsync.disk.verified import NAME, Verified
from aefsync.disk.writer import Writer
from aefsync.errors import AefsyncError, RootError


class Scrubbing(Remembering):
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
        if self._scanner is None or self._root is None:
            raise AefsyncError("nothing was scanned yet")
        try:
            problems = self._accept(self._root, self._scanner, request.accepted) if request.accepted else ()
            if request.begins or self._scrubber is None:
                parts = (self._root, self._scanner, self._sidecar, self._verified, self._read_anew)
                self._scrubber = Scrubber(*parts, Clocks(self._clock_ns))
            scrubbed = self._scrubber.portion(request)
            return scrubbed._replace(problems=(*problems, *scrubbed.problems))
        except Damaged as damaged:
            raise RootError(self._begin_anew(damaged).reason) from None
        finally:
            self._taken = None

    def _read_anew(self, done: int, total: int) -> None:
        self.on_progress(Phase.READ, done, total)

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

    def _apply(self, writer: Writer, actions: Sequence[Action], scanner: Scanner) -> Applied:
        return super()._apply(writer, [self._as_remembered(action) for action in actions], scanner)

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
