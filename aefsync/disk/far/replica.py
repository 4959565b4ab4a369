"""`FarReplica`: the `Replica` port over a root that no agent serves.  It runs in a process of its own, on this machine."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Sequence

from aefsync.core.action import Staged, StageFile
from aefsync.core.compare import Span
from aefsync.core.digest import content_digest
from aefsync.core.entry import Entry, Kind
from aefsync.core.files import Files, Readlink, ask
from aefsync.core.first_growth import growth_of
from aefsync.core.growth import Gathered, Growth
from aefsync.core.hint import ROOT, Hints, Wait
from aefsync.core.metadata import PERMISSIONS
from aefsync.core.path import RelPath
from aefsync.core.ports import Access, Open, Opened, Piece, Scan, Scanned
from aefsync.core.problem import Problem
from aefsync.core.recipe import Recipe, Run
from aefsync.core.renamed import Rename
from aefsync.core.rot import Scrub, Scrubbed
from aefsync.disk.building import Limits
from aefsync.disk.far.growing import Ungrown, nothing_gathered
from aefsync.disk.far.home import find_home
from aefsync.disk.far.intents import settle, unsettled
from aefsync.disk.far.movable import are_movable
from aefsync.disk.far.opening import clock_of, describe, open_far, open_index, own_paths
from aefsync.disk.far.reading import read_pieces
from aefsync.disk.far.remembering import FarRemembering
from aefsync.disk.far.root import FarRoot
from aefsync.disk.far.sight import FarSight
from aefsync.disk.filter import Filter
from aefsync.disk.index import Index
from aefsync.disk.narrowing import Narrowing
from aefsync.disk.scan import Scanner
from aefsync.disk.taking import Taking
from aefsync.errors import AefsyncError


class FarReplica(FarRemembering):
    """One root elsewhere.

    `connect` leads to its files, and may be tried again where it raises; `name` tells how its host is reached.
    """

    def __init__(self, connect: Callable[[], Files], name: bytes, clock_ns: Callable[[], int] = time.time_ns) -> None:
        super().__init__(clock_ns)
        self._connect = connect
        self._name = name
        self._files: Files | None = None
        self._ungrown = Ungrown()
        self.stirred = threading.Event()
        """never set: nobody tells of changes there"""

    def _begin(self) -> None:
        super()._begin()
        self._index: Index | None = None
        self._sight: FarSight | None = None

    def hello(self, request: Open) -> Opened:
        """Open the root.  A second hello may ask for more: to create the root, to write, to take another identity."""
        if self._closed:
            raise AefsyncError("the session is closed")
        if self._files is None:
            self._files = self._connect()
            self._clock_ns = clock_of(self._files, self._clock_ns)
        if self._opened is None or self._opened.is_missing:
            self._opened = open_far(self._files, request)
            self._root = None if self._opened.is_missing else self._opened.root
        self._request, self._has_begun = request, True
        if self._home is None and not self._opened.is_missing:
            self._home, self._history = find_home(self._opened.root), None
        home = self._home
        if home is not None and request.access is Access.WRITE and not home.lease.is_held:
            home.lease.take(request.run)
            if request.new_identity:
                home.identify(request.new_identity)
            self._look_whether_copied()
        described = describe(self._opened, home, self._clock_ns(), self._name)
        standing, unreadable = self._said()
        return described._replace(standing=standing, unreadable=unreadable)

    def scan(self, request: Scan) -> Scanned:
        self._check_open()
        filtering = Filter(request.rules)
        self._taking = Taking(None, request.aspects)
        troubles = self._open_chronicle(request)
        if self._root is None or self._opened is None:
            return self._scanned()
        if self._index is None:
            self._index = open_index(self._opened, self._request, self._name)
        limits = Limits(
            filtering,
            own_paths(self._opened, self._request),
            request.one_file_system,
            request.ignore_index,
            narrowing=Narrowing(request.paths),
            mounts=request.mounts,
            list_filtered=request.list_filtered,
        )
        self._sight = FarSight(self._root, limits, self._clock_ns)
        self._scanner = Scanner(self._sight, self._index, limits, self._scanning)
        troubles += self._settle(self._root)
        self._scanner.scan()
        restored = self._take_in(self._root, self._scanner, request, troubles)
        scanned = self._scanned()
        if not scanned.unread_files:
            self._keep_what_is_known(self._scanner)
        return scanned._replace(restored=restored)

    def _settle(self, root: FarRoot) -> list[Problem]:
        """Have what a run left half replaced put back before anybody looks, or know at least that it is unknown."""
        if self._home is None:
            return []
        return (settle if self._request.access is Access.WRITE else unsettled)(root, self._home)

    def entries(self, spans: Sequence[Span]) -> Sequence[Entry]:
        self._check_open()
        if self._root is None:
            return []
        return self._with_targets([entry for low, high in spans for entry in self._snapshot.entries(low, high)])

    def _with_targets(self, found: Sequence[Entry]) -> Sequence[Entry]:
        assert self._root is not None
        links = [entry.path for entry in found if entry.kind is Kind.SYMLINK]
        asked = ask(self._root.files, *[Readlink(self._root.at(path)) for path in links])
        targets = dict(zip(links, asked, strict=True))
        return [_with_target(entry, targets.get(entry.path)) for entry in found]

    def growth(self, spans: Sequence[Span]) -> Growth:
        self._check_open()
        runs = (run for span in spans for run in self._snapshot.runs(*span))
        return growth_of(runs, self._taking.aspects.mode_bits | PERMISSIONS, self._with_targets)

    def gather(self, growth: Growth) -> Gathered:
        self._check_open()
        return nothing_gathered(growth)

    def grow(self, growth: Growth, data: bytes | memoryview, peer: int | None) -> bytes:
        self._writing()
        if peer is not None:
            raise AefsyncError("no replica to copy from directly")
        return self._ungrown.grow(growth)

    def plant(self) -> bytes:
        self._writing()
        return self._ungrown.plant()

    def read(self, pieces: Sequence[Piece]) -> Sequence[Piece]:
        self._check_open()
        return read_pieces(self._root, self._find, pieces) if self._root is not None else pieces

    def recipes(self, runs: Sequence[Run], level: int) -> Sequence[Recipe]:
        """None: what is named in chunks has to be read, and who reads it here has it already."""
        self._check_open()
        return [Recipe(run.path, run.offset, (), b"") for run in runs]

    def match(self, seeds: Sequence[RelPath] | None, recipes: Sequence[Recipe], level: int) -> Sequence[Sequence[Span]]:
        """Everything is lacking: nothing can be put together from what is over there."""
        self._check_open()
        return [[(0, len(recipe.lengths))] for recipe in recipes]

    def write(self, pieces: Sequence[Piece]) -> None:
        self._writing().write(pieces)

    def reuse(self, files: Sequence[StageFile]) -> Staged:
        """Nothing: what is copied over there could not be verified."""
        self._writing()
        return Staged((b"",) * len(files), (), 0)

    def stage(self, files: Sequence[StageFile], peer: int | None) -> Staged:
        writer = self._writing()
        if peer is not None:
            raise AefsyncError("no replica to copy from directly")
        return writer.stage(files)

    def _are_movable(self, root: FarRoot, scanner: Scanner, renames: Sequence[Rename]) -> Sequence[bool]:
        return are_movable(root, scanner, renames)

    def _look_again(self) -> frozenset[bytes]:
        return self._writer.look_again(self._scanner, self._sight) if self._writer is not None else frozenset()

    def scrub(self, request: Scrub) -> Scrubbed:
        raise AefsyncError("an agentless replica cannot be scrubbed")

    def wait(self, request: Wait) -> Hints:
        """Everything there has to be polled."""
        if self._closed:
            raise AefsyncError("the session is closed")
        if self._has_begun:
            self._let_go()
        return Hints(deaf=(ROOT,))

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._let_go()
        self._fetched.close()
        if self._files is not None:
            self._files.close()

    def _let_go(self) -> None:
        """Close everything but the way there, and be as before the first hello."""
        # Where the connection is lost, what is over there stays as it is; the lease runs out.
        with contextlib.suppress(AefsyncError, OSError):
            self._close_chronicle()
            if self._writer is not None:
                self._writer.close()
            if self._history is not None:
                self._history.close()
            if self._home is not None:
                self._home.lease.release()
        if self._index is not None:
            self._index.close()
        self._begin()


def _with_target(entry: Entry, target: object) -> Entry:
    """A symlink with its target, if that is still the one scanned; anything else as it is."""
    if not isinstance(target, bytes) or content_digest(target) != entry.content:
        return entry
    return entry._replace(target=target)
