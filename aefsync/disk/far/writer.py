"""Change one root elsewhere: stage, apply, look again at what was touched, restore from the trash and purge it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence

from aefsync.core.action import Action, Applied, Staged, StageFile
from aefsync.core.change import Change
from aefsync.core.entry import Entry
from aefsync.core.files import Sync, ask
from aefsync.core.metadata import Aspects
from aefsync.core.path import RESERVED, RelPath
from aefsync.core.ports import Open, Piece
from aefsync.core.problem import reason_of
from aefsync.core.writing import Durability
from aefsync.disk.any_writer import AnyWriter
from aefsync.disk.building import directory_path
from aefsync.disk.far.applier import FarApplier
from aefsync.disk.far.home import FarHome
from aefsync.disk.far.intents import FarIntents
from aefsync.disk.far.log import FarLog
from aefsync.disk.far.root import FarRoot
from aefsync.disk.far.scene import FarScene
from aefsync.disk.far.sight import FarSight
from aefsync.disk.far.staging import FarStaging
from aefsync.disk.far.steps import put_back
from aefsync.disk.history import as_it_is
from aefsync.disk.intents import Intent
from aefsync.disk.journal import Journal, path_of
from aefsync.disk.journaling import Recorder
from aefsync.disk.recording import Placed
from aefsync.disk.restoring import Made, Restorer
from aefsync.disk.retention import expire, forget_bytes, half_done
from aefsync.disk.scan import Scanner
from aefsync.disk.trash import REPLACED


class FarWriter(AnyWriter[FarRoot, FarHome]):
    """The writing half of a session with a root whose home is locked by it."""

    def __init__(
        self, root: FarRoot, home: FarHome, request: Open, aspects: Aspects, on_copied: Callable[[int], None]
    ) -> None:
        super().__init__(root, home, request.run, aspects)
        self._request = request
        self._durable = request.writing.durability is not Durability.NONE and home.files.abilities.sync
        self._on_copied = on_copied
        self._opened_staging: FarStaging | None = None
        self._is_cleared = False
        self._opened_scene: FarScene | None = None
        self._applier: FarApplier | None = None
        self._opened_journal: Journal | None = None
        self._placed = Placed()

    @property
    def _journal(self) -> Journal:
        if self._opened_journal is None:
            log = FarLog(self._home, path_of(self._run), durable=self._durable)
            self._opened_journal = Journal(log, self._request.title, self._aspects)
        return self._opened_journal

    @property
    def _staging(self) -> FarStaging:
        if self._opened_staging is None:
            parts = (self._home, self._run, self._aspects)
            self._opened_staging = FarStaging(*parts, durable=self._durable, on_bytes=self._on_copied)
        elif self._is_cleared:
            self._opened_staging.begin_anew()
        self._is_cleared = False
        return self._opened_staging

    def _scene(self, is_unmanaged: Callable[[bytes], bool] = lambda path: False) -> FarScene:
        if self._opened_scene is None:
            intents = FarIntents(self._home, self._run, durable=self._durable)
            parts = (self._root, self._home, self._run, self._staging, self._aspects, intents)
            self._opened_scene = FarScene(*parts, is_unmanaged)
        return self._opened_scene

    def _ready(self, is_unmanaged: Callable[[bytes], bool] = lambda path: False) -> FarApplier:
        if self._applier is None:
            self._applier = FarApplier(self._scene(is_unmanaged))
        return self._applier

    def write(self, pieces: Sequence[Piece]) -> None:
        self._staging.write(pieces)

    def stage(self, files: Sequence[StageFile]) -> Staged:
        return self._staging.stage(files)

    def content(self, path: RelPath) -> bytes:
        return self._staging.content(path)

    def apply(self, actions: Sequence[Action], scanner: Scanner) -> Applied:
        applier = self._ready(scanner.is_unmanaged)
        applied = Recorder(self._journal, applier, self._staging.content, None, stable=False).apply(actions)
        self._placed.add(applier.placed)
        return applied

    def look_again(self, scanner: Scanner | None, sight: FarSight | None) -> frozenset[bytes]:
        """Make durable what was touched, and scan it anew where there was a scan; the directories that are not durable."""
        scene = self._opened_scene
        if scene is None or not scene.touched:
            return frozenset()
        failed = self._sync([directory_path(prefix) for prefix in scene.touched]) if self._durable else {}
        if not failed:
            if not self._request.writing.keeps_trash:
                scene.empty_trash()
            scene.intents.clear(self._root)
        if scanner is None or sight is None:
            return frozenset(failed)
        scanner.materialise()
        sight.fetch(scene.touched)
        self._placed.scan_again(scanner, scene.touched, failed, failed)
        return frozenset(failed)

    def _sync(self, directories: Sequence[bytes]) -> dict[bytes, str]:
        """Have what was done to directories last, and in the trash; those where that failed, though they are there, and
        why."""
        slots = [RESERVED + b"/" + each for each in sorted(self._scene().slot_directories)]
        paths = [*directories, *slots]
        outcomes = ask(self._root.files, *(Sync(self._root.at(path)) for path in paths))
        return {
            path: reason_of(outcome)
            for path, outcome in zip(paths, outcomes, strict=True)
            if isinstance(outcome, OSError) and not isinstance(outcome, FileNotFoundError)
        }

    def _completing(self, aspects: Aspects) -> Callable[[Entry], Entry]:
        return as_it_is(aspects)

    def _restorer(self) -> Restorer:
        return Restorer(self._journal, self._ready(), self._put_back, stable=False)

    def _put_back(self, change: Change, slot: bytes) -> Made:
        scene = self._scene()
        scene.home.lease.check()
        scene.kept.clear()
        intents = [Intent(REPLACED, change.path, change.path)] if change.before is not None else []
        scene.intents.declare(intents)
        list(self._home.files.carry_out([put_back(scene, change, slot)]))
        scene.intents.complete(intents)
        return Made(kept=scene.kept[0] if scene.kept else None)

    def expire(self, clock_ns: Callable[[], int]) -> None:
        if self._opened_scene is not None and self._opened_scene.touched:
            forget_bytes(self._home, self._run)
            with contextlib.suppress(OSError):
                expire(self._home, self._run, self._request.writing, clock_ns, half_done(self._home))

    def clear(self) -> None:
        self._home.clear_tmp()
        self._is_cleared = True

    def close(self) -> None:
        if self._opened_journal is not None:
            self._opened_journal.close()
        super().close()
