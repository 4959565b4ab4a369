"""`RemoteReplica`: the `Replica` port over a stream to an agent; nothing it says is handed on before it was checked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from aefsync.core.action import Action, Applied, Staged, StageFile
from aefsync.core.compare import Span
from aefsync.core.entry import Entry
from aefsync.core.finding import Finding
from aefsync.core.growth import Learned
from aefsync.core.hint import Hints, Wait
from aefsync.core.members import Memory
from aefsync.core.pairing import batches, behind
from aefsync.core.past import RunRecord, TakenBack, TrashItem, TrashQuery, Undo
from aefsync.core.path import RelPath
from aefsync.core.ports import Open, Opened, Piece, Scan, Scanned
from aefsync.core.recipe import Recipe, Run
from aefsync.core.renamed import Rename
from aefsync.core.rot import Scrub, Scrubbed
from aefsync.core.space import Space
from aefsync.core.tree import Answer, Question
from aefsync.core.unsettled import LeftStanding
from aefsync.core.version import Dot, Tombstone
from aefsync.wire import checks
from aefsync.wire.calling import Pending
from aefsync.wire.dialogue import Method
from aefsync.wire.growing import RemoteGrowing
from aefsync.wire.in_order import AHEAD, Asked, in_order, portions, size_of

LONGEST_TRIP_NS = 1_000_000_000
MANY_PATHS = 1 << 14
"""Paths that one call names, at most."""


class RemoteReplica(RemoteGrowing):
    """A replica served by an agent; one call at a time, whichever thread makes it."""

    def hello(self, request: Open) -> Opened:
        before_ns = self._clock_ns()
        opened: Opened = self._call(Method.HELLO, request)
        after_ns = self._clock_ns()
        # The first one waits for the connection, too: its beginning does not tell when the other clock was read.
        self.clock_ahead_ns = opened.clock_ns - after_ns + min(after_ns - before_ns, LONGEST_TRIP_NS) // 2
        return opened

    def scan(self, request: Scan) -> Scanned:
        return self._scanned(Method.SCAN, request)

    def read_unread(self, skip: Sequence[Span], only: Sequence[Span] | None) -> Scanned:
        return self._scanned(Method.READ_UNREAD, skip, only)

    def record(self) -> Scanned:
        return self._scanned(Method.RECORD)

    def fingerprints(self, question: Question) -> Answer:
        answer: Answer = self._call(Method.FINGERPRINTS, question)
        self._check(checks.check_answer, question, answer)
        return answer

    def entries(self, spans: Sequence[Span]) -> Sequence[Entry]:
        found: list[Entry] = []
        for batch in batches(spans):
            left = batch
            while left:
                entries: Sequence[Entry] = self._call(Method.ENTRIES, left)
                self._check(checks.check_entries, left, entries)
                found += entries
                left = behind(left, len(entries))
        return found

    def tombstones(self, spans: Sequence[Span]) -> Sequence[Tombstone]:
        found: list[Tombstone] = []
        for batch in batches(spans):
            tombstones: Sequence[Tombstone] = self._call(Method.TOMBSTONES, batch)
            self._check(checks.check_tombstones, batch, tombstones)
            found += tombstones
        return found

    def search(self, part: bytes, start: int) -> Sequence[Entry]:
        found: Sequence[Entry] = self._call(Method.SEARCH, part, start)
        self._check(checks.check_found, part, found)
        return found

    def mint(self) -> Dot:
        dot: Dot = self._call(Method.MINT)
        return dot

    def remember(self, memory: Memory) -> LeftStanding:
        left: LeftStanding = self._call(Method.REMEMBER, memory)
        return left

    def read(self, pieces: Sequence[Piece]) -> Sequence[Piece]:
        return [piece for given in self.read_ahead(portions(pieces)) for piece in given]

    def read_ahead(self, requests: Iterable[Sequence[Piece]]) -> Iterator[Sequence[Piece]]:
        """`read` for each of several requests, the later ones on their way before the first has come."""
        self.round_trips += 1
        calls = (Asked(asked, size_of(asked), (asked,)) for asked in requests)
        for asked, given in in_order(self._caller, Method.READ, calls):
            self._check(checks.check_pieces, asked, given)
            yield given

    def recipes(self, runs: Sequence[Run], level: int) -> Sequence[Recipe]:
        found: Sequence[Recipe] = self._call(Method.RECIPES, runs, level)
        self._check(checks.check_recipes, runs, found)
        return found

    def match(self, seeds: Sequence[RelPath] | None, recipes: Sequence[Recipe], level: int) -> Sequence[Sequence[Span]]:
        lacking: Sequence[Sequence[Span]] = self._call(Method.MATCH, seeds, recipes, level)
        self._check(checks.check_lacking, recipes, lacking)
        return lacking

    def write(self, pieces: Sequence[Piece]) -> None:
        self.round_trips += 1
        self.write_ahead(pieces)
        self.settle()

    def write_ahead(self, pieces: Sequence[Piece]) -> None:
        """`write`, without waiting for its end: what goes wrong is raised by a later call (not by `read`)."""
        for portion in portions(pieces):
            self.settle(AHEAD)
            self._written.append((size_of(portion), self._caller.send(Method.WRITE, portion)))

    def reuse(self, files: Sequence[StageFile]) -> Staged:
        return self._staged(len(files), Method.REUSE, files)

    def stage(self, files: Sequence[StageFile], peer: int | None) -> Staged:
        staged = self._staged(len(files), Method.STAGE, files, peer)
        self._settled_bytes = 0
        return staged

    def movable(self, renames: Sequence[Rename]) -> Sequence[bool]:
        told: Sequence[bool] = self._call(Method.MOVABLE, renames)
        self._check(checks.check_told, len(renames), told)
        return told

    def learn(self, learned: Sequence[Learned]) -> None:
        self._call(Method.LEARN, learned)

    def apply(self, actions: Sequence[Action]) -> Applied:
        return self._applied(len(actions), Method.APPLY, actions)

    def space(self) -> Sequence[Space]:
        spaces: Sequence[Space] = self._call(Method.SPACE)
        return spaces

    def space_ahead(self) -> Pending:
        """`space`, on its way while other things are asked."""
        return self._caller.send(Method.SPACE)

    def allocated(self, paths: Sequence[RelPath]) -> Sequence[int | None]:
        sizes: list[int | None] = []
        for start in range(0, len(paths), MANY_PATHS):
            portion = paths[start : start + MANY_PATHS]
            given: Sequence[int | None] = self._call(Method.ALLOCATED, portion)
            self._check(checks.check_done, len(portion), given)
            sizes += given
        return sizes

    def trash(self, query: TrashQuery) -> Sequence[TrashItem]:
        items: Sequence[TrashItem] = self._call(Method.TRASH, query)
        self._check(checks.check_trash, items)
        return items

    def restore(self, items: Sequence[TrashItem], to: bytes = b"") -> Applied:
        return self._applied(len(items), Method.RESTORE, items, to)

    def purge(self, runs: Sequence[str]) -> Applied:
        return self._applied(len(runs), Method.PURGE, tuple(runs))

    def runs(self) -> Sequence[RunRecord]:
        records: Sequence[RunRecord] = self._call(Method.RUNS)
        return records

    def undo(self, request: Undo) -> TakenBack:
        taken: TakenBack = self._call(Method.UNDO, request)
        self._check(checks.check_taken_back, taken)
        return taken

    def scrub(self, request: Scrub) -> Scrubbed:
        scrubbed: Scrubbed = self._call(Method.SCRUB, request)
        self._check(checks.check_scrubbed, request, scrubbed)
        return scrubbed

    def examine(self) -> Sequence[Finding]:
        findings: Sequence[Finding] = self._call(Method.EXAMINE)
        return findings

    def wait(self, request: Wait) -> Hints:
        hints: Hints = self._call(Method.WAIT, request)
        return hints

    def _scanned(self, method: Method, *arguments: Any) -> Scanned:
        scanned: Scanned = self._call(method, *arguments)
        self._check(checks.check_scanned, scanned)
        return scanned

    def _staged(self, number: int, method: Method, *arguments: Any) -> Staged:
        staged: Staged = self._call(method, *arguments)
        self._check(checks.check_staged, number, staged)
        return staged

    def _applied(self, number: int, method: Method, *arguments: Any) -> Applied:
        applied: Applied = self._call(method, *arguments)
        self._check(checks.check_done, number, applied.done)
        return applied
