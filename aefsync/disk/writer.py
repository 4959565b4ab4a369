"""Change one root: stage, apply, look again at what was touched, restore from the trash and purge it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from aefsync.core.action import Action, Applied, Staged, StageFile
from aefsync.core.entry import Entry
from aefsync.core.growth import Growth
from aefsync.core.metadata import Aspects
from aefsync.core.path import RelPath
from aefsync.core.ports import Open, Piece
from aefsync.core.problem import Problem
from aefsync.disk.annexes import Annexes
from aefsync.disk.any_writer import AnyWriter
from aefsync.disk.apply import Applier
from aefsync.disk.assembly import Assembly
from aefsync.disk.building import directory_path
from aefsync.disk.confined import ConfinedRoot
from aefsync.disk.crew import processors
from aefsync.disk.durability import Durable
from aefsync.disk.extras import Extras
from aefsync.disk.filesystem import FileSystem
from aefsync.disk.growing import Growing
from aefsync.disk.home import Home
from aefsync.disk.intents import Intents
from aefsync.disk.journal import Journal, path_of
from aefsync.disk.journaling import Recorder
from aefsync.disk.lasting import LastingFile
from aefsync.disk.mounts import HeldMounts
from aefsync.disk.planting import Intend, Planting, unheard
from aefsync.disk.putting_back import Putting
from aefsync.disk.recording import Placed, unread_among
from aefsync.disk.restoring import Restorer
from aefsync.disk.retention import expire, forget_bytes, half_done
from aefsync.disk.scan import Scanner
from aefsync.disk.scene import Scene
from aefsync.disk.staging import Staging
from aefsync.disk.trash import DELETED, REPLACED, Trash, slot_names


class Writer(AnyWriter[ConfinedRoot, Home]):
    """The writing half of a session with a root whose home is locked by it; `assembly` knows what of the files to come
    is here already."""

    def __init__(
        self,
        root: ConfinedRoot,
        home: Home,
        request: Open,
        file_system: FileSystem,
        aspects: Aspects,
        assembly: Assembly,
        on_copied: Callable[[int], None],
    ) -> None:
        super().__init__(root, home, request.run, aspects)
        self._title = request.title
        self._writing = request.writing
        self._durable = Durable(request.writing.durability)
        self._opened_journal: Journal | None = None
        self._file_system = file_system
        self._assembly = assembly
        self._on_copied = on_copied
        self._trash = Trash(home, self._run)
        self._intents = Intents(home, self._run, self._durable)
        self._annexes = Annexes(root, home, self._run, self._new_staging)
        self._opened_staging: Staging | None = None
        self._is_cleared = False
        self._applier: Applier | None = None
        self._mounts: HeldMounts | None = None
        self._growing: Growing | None = None
        # While one replica copies from another, that one has nothing else to do.
        self._parallel = min(2 * request.parallel, processors()) if request.parallel else processors()
        self._placed = Placed(home.path_to(""))

    @property
    def _journal(self) -> Journal:
        if self._opened_journal is None:
            log = LastingFile(self._home, path_of(self._run), self._durable)
            self._opened_journal = Journal(log, self._title, self._aspects)
        return self._opened_journal

    @property
    def _staging(self) -> Staging:
        if self._opened_staging is None:
            self._opened_staging = self._new_staging(self._home)
        elif self._is_cleared:
            self._opened_staging.begin_anew()
        self._is_cleared = False
        return self._opened_staging

    def _new_staging(self, home: Home) -> Staging:
        parts = (home, self._run, self._durable, self._on_copied, self._assembly.fill)
        return Staging(*parts, self._aspects, self._parallel)

    def write(self, pieces: Sequence[Piece]) -> None:
        self._staging.write(pieces)

    def stage(self, files: Sequence[StageFile], source: ConfinedRoot | None) -> Staged:
        """Complete files, copied from another root or as written."""
        staged = self._staging.stage(files, source)
        if source is None:
            self._assembly.arrived(files, staged.contents)
        return staged

    def reuse(self, files: Sequence[StageFile], held: Mapping[bytes, Entry]) -> Staged:
        """Complete the files whose content is that of one that is `held`, by content digest, or was before this run put it in
        the trash; one that is not is no problem by itself."""
        left = [file._replace(held=held[file.source.content]) for file in files if file.source.content in held]
        contents: dict[RelPath, bytes] = {}
        reused, own = 0, tuple[Problem, ...]()
        for root, place in self._places:
            if own or not left:
                break
            there = [file._replace(held=file.held and file.held._replace(path=place(file.held.path))) for file in left]
            staged = self._staging.stage(there, root)
            contents |= dict(zip((file.path for file in left), staged.contents, strict=True))
            left = [file for file in left if not contents[file.path]]
            reused, own = reused + staged.literal_bytes, staged.own_problems if self._staging.is_full else ()
        return Staged(tuple(contents.get(file.path, b"") for file in files), (), 0, reused, own)

    @property
    def _places(self) -> Iterator[tuple[ConfinedRoot, Callable[[RelPath], RelPath]]]:
        """Where a file of the scan may be by now: a root, and its path there by the one that it had."""
        yield self._root, RelPath
        for why in (DELETED, REPLACED):
            yield self._home, partial(_slot, self._run, why)

    def content(self, path: RelPath) -> bytes:
        return self._staging.content(path)

    def grow(self, growth: Growth, data: bytes | memoryview, origin: ConfinedRoot | None) -> bytes:
        """Have new entries ready, as the port says."""
        staging = self._staging
        if self._growing is None:
            self._growing = Growing(self._root, staging, self._aspects, self._parallel)
        return self._growing.grow(growth, data, origin)

    def plant(self, scanner: Scanner, intend: Intend = unheard) -> bytes:
        """Put in place what has grown, `intend` having heard of it, and know its contents from then on."""
        if self._growing is None:
            return b""
        touched, stable = self._ready(scanner.is_unmanaged).touched, self._file_system.stable
        parts = (self._root, self._staging.fd, self._durable, self._journal, self._intents.modes, self._placed, touched)
        return Planting(*parts, stable=stable).plant(*self._growing.take(), intend)

    def _ready(self, is_unmanaged: Callable[[bytes], bool] = lambda path: False) -> Applier:
        staging = self._staging
        if self._applier is None:
            self._mounts = HeldMounts(self._root)
            parts = (self._root, staging, self._trash, self._durable)
            self._applier = Applier(Scene(*parts, self._aspects, self._annexes, self._intents, is_unmanaged))
        return self._applier

    def apply(self, actions: Sequence[Action], scanner: Scanner) -> Applied:
        applier = self._ready(scanner.is_unmanaged)
        stable = self._file_system.stable
        extras = Extras(self._root, self._aspects) if self._aspects.alone.has_extras else None
        applied = Recorder(self._journal, applier, self._staging.content, extras, stable=stable).apply(actions)
        self._placed.add(applier.placed)
        return applied

    def look_again(self, scanner: Scanner | None) -> frozenset[bytes]:
        """Make durable what was touched, and scan it anew where there was a scan; the directories that are not durable."""
        prefixes = self._applier.touched if self._applier is not None else set()
        if not prefixes:
            return frozenset()
        tree = [(self._root, directory_path(prefix)) for prefix in prefixes]
        mounts = [home.fd for home in (self._home, *self._home.annexes.values())]
        mounts += self._mounts.of(directory for _, directory in tree) if self._mounts is not None else ()
        failed = self._durable.directories([*tree, *self._trash.directories], mounts)
        if not failed:
            # Deleted sooner, what took its place could be forgotten after it, and other names of it would look edited.
            if not self._writing.keeps_trash:
                self._trash.empty()
            self._intents.clear(self._root)
        lost = frozenset(directory for root, directory in failed if root is self._root)
        if scanner is None:
            return lost
        # One step later nothing that was just placed is racy any more.
        time.sleep(self._file_system.step_ns / 1e9)
        scanner.materialise()
        prefixes = prefixes | unread_among(scanner.pages, self._applier.renewed if self._applier else ())
        self._placed.scan_again(
            scanner, prefixes, lost, {directory: reason for (_, directory), reason in failed.items()}
        )
        return lost

    def _completing(self, aspects: Aspects) -> Callable[[Entry], Entry]:
        return Extras(self._root, aspects).look

    def _restorer(self) -> Restorer:
        stable = self._file_system.stable
        applier = self._ready()
        putting = Putting(self._root, self._home, self._trash, self._durable, applier, self._intents)
        return Restorer(self._journal, applier, putting.put_back, stable=stable)

    def expire(self, clock_ns: Callable[[], int]) -> None:
        if self._applier is not None and self._applier.touched:
            homes = (self._home, *self._home.annexes.values())
            for home in homes:
                forget_bytes(home, self._run)
            with contextlib.suppress(OSError):
                spared = half_done(self._home)
                for home in homes:
                    with contextlib.suppress(OSError):
                        expire(home, self._run, self._writing, clock_ns, spared)

    def clear(self) -> None:
        """Empty the staging, also of what interrupted runs left there, but for files whose origin was lost midway."""
        self._annexes.close()
        unfinished = self._opened_staging.unfinished if self._opened_staging is not None else ()
        self._home.clear_tmp([self._run.encode() + b"/" + name for name in unfinished])
        self._is_cleared = not unfinished
        for annex in self._home.annexes.values():
            if annex.lock.is_held or annex.lock.try_take(self._run):
                annex.clear_tmp()

    def close(self) -> None:
        self._intents.close()
        self._annexes.close()
        self._trash.close()
        if self._mounts is not None:
            self._mounts.close()
        if self._growing is not None:
            self._growing.close()
        if self._opened_journal is not None:
            self._opened_journal.close()
        super().close()
        if self._opened_staging is not None:
            self._opened_staging.close()


def _slot(run: str, why: str, path: RelPath) -> RelPath:
    """Where a run nearly always puts away what was at a path."""
    return RelPath.again(next(slot_names(run, why, path)))
