"""Remembering what concerns a root elsewhere: a copy of its sidecar is changed here, and sent back."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence

from aefsync.core.members import Memory
from aefsync.core.unsettled import LeftStanding
from aefsync.core.writing import Durability
from aefsync.disk.absence import Absence
from aefsync.disk.building import directory_path
from aefsync.disk.far.fetched import Fetched
from aefsync.disk.far.home import FarHome
from aefsync.disk.far.keeping import FarKeeping
from aefsync.disk.far.root import FarRoot
from aefsync.disk.far.sidecar import FarSidecar
from aefsync.disk.far.writer import FarWriter
from aefsync.disk.remembering import Remembering
from aefsync.disk.scan import Scanner
from aefsync.disk.sidecar import Damaged, Sidecar
from aefsync.errors import AefsyncError


class FarRemembering(Remembering[FarRoot, FarHome], FarKeeping):
    """An open root elsewhere with its chronicle."""

    _root: FarRoot | None
    _home: FarHome | None
    _writer: FarWriter | None

    def __init__(self, clock_ns: Callable[[], int]) -> None:
        self._clock_ns = clock_ns
        self._fetched = Fetched()
        super().__init__()

    def _begin(self) -> None:
        super()._begin()
        self._far_sidecar: FarSidecar | None = None

    def _sidecar_of(self, home: FarHome) -> FarSidecar:
        if self._far_sidecar is None:
            self._fetched.cache_dir = self._request.cache_dir
            durable = self._request.writing.durability is not Durability.NONE and home.files.abilities.sync
            self._far_sidecar = FarSidecar(home, self._fetched, self._clock_ns, durable=durable)
        return self._far_sidecar

    def _whereabouts(self, root: FarRoot) -> bytes:
        """Not told: what an agent has written of that stays as it is."""
        return b""

    def _has_sidecar(self, home: FarHome) -> bool:
        return self._sidecar_of(home).is_there

    def _open_for_writing(self, home: FarHome) -> Sidecar:
        return self._sidecar_of(home).open_for_writing()

    def _open_for_reading(self, home: FarHome) -> Sidecar | None:
        return self._sidecar_of(home).open_for_reading()

    def _set_aside(self, home: FarHome) -> str:
        return self._sidecar_of(home).set_aside(self._request.run)

    def _absence(self, root: FarRoot, scanner: Scanner) -> Absence:
        return FarAbsence(root, scanner)

    def remember(self, memory: Memory) -> LeftStanding:
        left = super().remember(memory)
        self._merge()
        return left

    def _merge(self) -> None:
        if self._far_sidecar is not None:
            self._far_sidecar.merge()

    def _close_chronicle(self) -> None:
        # Where it cannot be merged, its log says all: whoever opens it next merges that.
        with contextlib.suppress(AefsyncError, Damaged):
            self._merge()
        super()._close_chronicle()
        self._far_sidecar = None


class FarAbsence(Absence):
    """Looks for what is missing by listing once more the directory that it was in: one answer for all of them."""

    def __init__(self, root: FarRoot, scanner: Scanner) -> None:
        super().__init__(root, scanner)
        self._far_root = root
        self._listed: tuple[bytes, frozenset[bytes]] | None = None
        self._gone: set[bytes] = set()

    def is_directory_gone(self, directory: bytes) -> bool:
        ends = (end + 1 for end, byte in enumerate(directory) if not byte)
        if not any(directory[:end] in self._gone for end in ends) and not super().is_directory_gone(directory):
            return False
        self._gone.add(directory)
        return True

    def _gone_of(self, directory: bytes, sought: Sequence[bytes]) -> frozenset[bytes]:
        if self._listed is None or self._listed[0] != directory:
            try:
                self._listed = directory, frozenset(self._far_root.names(directory_path(directory)))
            except OSError:
                # The directory itself may be gone.
                return super()._gone_of(directory, sought)
        return frozenset(sought) - self._listed[1]
