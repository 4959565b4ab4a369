"""`LocalReplica`: the `Replica` port over a directory of this machine.  It runs in a process of its own."""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Callable, Sequence

from aefsync.core.action import Staged, StageFile
from aefsync.core.compare import Span
from aefsync.core.entry import Entry
from aefsync.core.first_growth import growth_of
from aefsync.core.growth import Gathered, Growth
from aefsync.core.hint import ROOT, Hints, Wait
from aefsync.core.metadata import PERMISSIONS
from aefsync.core.path import RelPath
from aefsync.core.ports import Access, Open, Opened, Piece, Scan, Scanned
from aefsync.core.problem import Problem
from aefsync.core.recipe import Recipe, Run
from aefsync.core.renamed import Rename
from aefsync.disk.annexes import attach
from aefsync.disk.assembly import clear_remains
from aefsync.disk.building import Limits
from aefsync.disk.confined import ConfinedRoot
from aefsync.disk.content import Giving, cut_runs, with_target
from aefsync.disk.contested import carry_over
from aefsync.disk.crew import NOBODY, Crew, processors
from aefsync.disk.filesystem import file_system_of
from aefsync.disk.filter import Filter
from aefsync.disk.hashing import Towards
from aefsync.disk.home import Home
from aefsync.disk.index import Index
from aefsync.disk.intents import settle, unsettled
from aefsync.disk.listening import Listening, Place
from aefsync.disk.movable import are_movable
from aefsync.disk.narrowing import Narrowing
from aefsync.disk.opening import OpenRoot, describe, open_home_of, open_index, open_root, own_paths
from aefsync.disk.reading import unread
from aefsync.disk.scan import Scanner
from aefsync.disk.scrubbing import Scrubbing
from aefsync.disk.sight import LocalSight
from aefsync.disk.taking import Taking
from aefsync.errors import AefsyncError

PeerRoot = Callable[[int], int]
FEW_FILES, FEW_BYTES = 256, 4 << 20
"""Unread files of which an eager scan reads the contents at once, needed or not: to ask which are costs more."""


class LocalReplica(Scrubbing):
    """One root of this machine.

    `peer_root` gives the root descriptor of another replica of the same coordinator, by its number; `on_root` hears of
    this one's, and of -1 when it was let go.  `stirred`, once set, ends a `wait` under way.
    """

    def __init__(
        self,
        peer_root: PeerRoot | None = None,
        on_root: Callable[[int], None] = lambda fd: None,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        super().__init__(clock_ns)
        self._peer_root = peer_root
        self._on_root = on_root
        self.stirred = threading.Event()
        self._listening = Listening(self.stirred)
        self._listened_at: Place | None = None
        self._giving = Giving()

    def _begin(self) -> None:
        super()._begin()
        self._index: Index | None = None
        self._crew = NOBODY

    def hello(self, request: Open) -> Opened:
        """Open the root.  A second hello may ask for more: to create the root, to write, to take another identity."""
        if self._closed:
            raise AefsyncError("the session is closed")
        opened = self._opened
        if opened is None or opened.fd < 0:
            opened = self._opened = open_root(request)
            if opened.fd >= 0:
                self._root = ConfinedRoot(opened.fd)
                self._file_system = file_system_of(opened.fd)
                self._on_root(opened.fd)
                self._crew = Crew(opened.fd, request.parallel or processors())
        self._request, self._has_begun = request, True
        if self._home is None or not self._home.lock.is_held:
            home, self._home, self._history = self._home, None, None
            if home is not None:
                home.close()
            self._home = open_home_of(opened, request)
            self._look_whether_copied()
            if self._home is not None:
                attach(ConfinedRoot(opened.fd), self._home)
        standing, unreadable = self._said()
        described = describe(opened, self._clock_ns(), self._home, request.access)
        return described._replace(standing=standing, unreadable=unreadable)

    def scan(self, request: Scan) -> Scanned:
        self._check_open()
        # A rule that is none is refused before anything is made below the root.
        filtering = Filter(request.rules)
        self._taking, is_fresh = Taking(self._root, request.aspects), self._writer is None
        troubles = self._open_chronicle(request)
        if self._root is None:
            return self._scanned()
        assert self._opened is not None
        if self._index is None:
            self._index = open_index(self._opened, self._request, self._home, self._file_system, self._clock_ns())
        own = own_paths(self._opened, self._request)
        flags = (request.one_file_system, request.ignore_index, request.eager)
        limits = Limits(
            filtering, own, *flags, Narrowing(request.paths), self._mounts_before(request), request.list_filtered
        )
        sight = LocalSight(
            self._root,
            self._file_system,
            limits,
            crew=self._crew,
            clock_ns=self._clock_ns,
            directory=self._index.directory,
        )
        self._scanner = Scanner(sight, self._index, limits, self._scanning)
        troubles += self._settle(self._root)
        if self._home is not None and self._home.lock.is_held and is_fresh:
            clear_remains(self._home)
        self._scanner.scan()
        if self._chronicle is not None:
            self._let_settle(self._scanner)
        restored = self._take_in(self._root, self._scanner, request, troubles)
        scanned, is_eager = self._scanned(), request.eager and not request.ignore_index
        if is_eager and 0 < scanned.unread_files <= FEW_FILES and scanned.unread_bytes <= FEW_BYTES:
            self._read(self._scanner, unread(self._scanner.pages))
            scanned = self._scanned()
        if not scanned.unread_files:
            self._keep_what_is_known(self._scanner)
        return scanned._replace(restored=restored)

    def _let_settle(self, scanner: Scanner) -> None:
        """What changed just now is looked at once more, so that what is remembered of it proves something."""
        racy = {directory for (directory, _), page in scanner.pages.flagged() if page.is_racy}
        if racy and self._file_system.stable:
            time.sleep(self._file_system.step_ns / 1e9)
            scanner.rescan(racy)

    def _settle(self, root: ConfinedRoot) -> list[Problem]:
        """Have what a run left half replaced put back before anybody looks, or know at least that it is unknown."""
        if self._home is None:
            return []
        return (settle if self._request.access is Access.WRITE else unsettled)(root, self._home)

    def entries(self, spans: Sequence[Span]) -> Sequence[Entry]:
        self._check_open()
        if self._root is None:
            return []
        found = [with_target(self._root, each) for low, high in spans for each in self._snapshot.entries(low, high)]
        return self._taking.complete(found)

    def growth(self, spans: Sequence[Span]) -> Growth:
        self._check_open()
        root = self._root
        assert root is not None
        runs = itertools.chain.from_iterable(self._snapshot.runs(*span) for span in spans)
        counted = self._taking.aspects.mode_bits | PERMISSIONS
        return growth_of(runs, counted, lambda links: [with_target(root, each) for each in links])

    def gather(self, growth: Growth) -> Gathered:
        self._check_open()
        return self._giving.gather(self._root, growth)

    def read(self, pieces: Sequence[Piece]) -> Sequence[Piece]:
        self._check_open()
        return self._giving.read(self._root, self._find, pieces)

    def recipes(self, runs: Sequence[Run], level: int) -> Sequence[Recipe]:
        self._check_open()
        if self._root is None:
            return [Recipe(run.path, run.offset, (), b"") for run in runs]
        passed = Towards(self._reading, sum(run.length for run in runs))
        return cut_runs(self._root, self._find, runs, level, self._lists, passed)

    def match(self, seeds: Sequence[RelPath] | None, recipes: Sequence[Recipe], level: int) -> Sequence[Sequence[Span]]:
        self._check_open()
        if self._root is None:
            return [[(0, len(recipe.lengths))] for recipe in recipes]
        return self._assembling(self._root).match(seeds, recipes, level)

    def write(self, pieces: Sequence[Piece]) -> None:
        self._writing().write(pieces)

    def reuse(self, files: Sequence[StageFile]) -> Staged:
        writer = self._writing()
        wanted = {file.source.content for file in files if file.source.is_read}
        return writer.reuse(files, self._snapshot.holding(wanted))

    def stage(self, files: Sequence[StageFile], peer: int | None) -> Staged:
        writer = self._writing()
        if peer is None:
            return writer.stage(files, None)
        origin = self._peer(peer)
        reused = self.reuse(files)
        rest = [file for file, content in zip(files, reused.contents, strict=True) if not content]
        return reused.with_rest(writer.stage(rest, origin))

    def grow(self, growth: Growth, data: bytes | memoryview, peer: int | None) -> bytes:
        return self._writing().grow(growth, data, None if peer is None else self._peer(peer))

    def plant(self) -> bytes:
        writer = self._writing()
        if self._scanner is None:
            raise AefsyncError("nothing was scanned yet")
        return self._plant(writer, self._scanner)

    def _peer(self, number: int) -> ConfinedRoot:
        if self._peer_root is None:
            raise AefsyncError("no replica to copy from directly")
        return ConfinedRoot(self._peer_root(number))

    def _are_movable(self, root: ConfinedRoot, scanner: Scanner, renames: Sequence[Rename]) -> Sequence[bool]:
        return are_movable(root, scanner, renames)

    def _look_again(self) -> frozenset[bytes]:
        return self._writer.look_again(self._scanner) if self._writer is not None else frozenset()

    def _on_home(self, opened: OpenRoot, home: Home) -> None:
        """From now on the index lives in the new home; it begins with what is known already."""
        super()._on_home(opened, home)
        if self._index is None or self._scanner is None:
            return
        known = self._index
        known.flush()
        self._index = self._scanner.index = open_index(opened, self._request, home, self._file_system, known.begun_ns)
        carry_over(known, self._index, self._scanner.pages, is_anew=self._scanner.limits.ignore_index)
        known.close()

    def wait(self, request: Wait) -> Hints:
        if self._has_begun:
            self._listened_at = self._listened()
            self._let_go()
        if self._closed:
            raise AefsyncError("the session is closed")
        if self._listened_at is None:
            return Hints(deaf=(ROOT,))
        return self._listening.wait(self._listened_at, request)

    def _listened(self) -> Place:
        """What is listened to while the session rests."""
        assert self._opened is not None
        if self._scanner is None and self._listened_at is not None:
            return self._listened_at
        limits = self._scanner.limits if self._scanner is not None else Limits(Filter(()))
        return Place(self._opened.path, limits.filter, limits.own, shared=not self._file_system.stable)

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._listening.close()
        self._let_go()

    def _let_go(self) -> None:
        """Close everything, and be as before the first hello."""
        self._close_chronicle()
        self._crew.close()
        if self._writer is not None:
            self._writer.close()
        if self._history is not None:
            self._history.close()
        if self._index is not None:
            self._index.close()
        if self._home is not None:
            self._home.close()
        if self._root is not None:
            os.close(self._root.fd)
            self._on_root(-1)
        self._begin()
