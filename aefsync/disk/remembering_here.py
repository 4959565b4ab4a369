"""Remembering what concerns a root of this machine: its sidecar stands in its home, and what has grown is planted."""

from __future__ import annotations

from functools import partial

from aefsync.core.growth import Growth
from aefsync.core.ports import Scan
from aefsync.disk.absence import Absence
from aefsync.disk.chronicle import Chronicle
from aefsync.disk.confined import ConfinedRoot
from aefsync.disk.filesystem import place_of
from aefsync.disk.home import Home
from aefsync.disk.keeping import Keeping
from aefsync.disk.mount_changes import MountPoints
from aefsync.disk.remembering import Remembering
from aefsync.disk.scan import Scanner
from aefsync.disk.settling import Settling
from aefsync.disk.sidecar import Sidecar
from aefsync.disk.sidecar_file import has_sidecar, open_for_reading, open_for_writing, set_aside
from aefsync.disk.standing import MOUNTS, mounts_in
from aefsync.disk.writer import Writer


class RememberingHere(Remembering[ConfinedRoot, Home], Keeping):
    """An open root of this machine with its chronicle."""

    _root: ConfinedRoot | None
    _home: Home | None
    _writer: Writer | None

    def _whereabouts(self, root: ConfinedRoot) -> bytes:
        return place_of(root.fd)

    def _has_sidecar(self, home: Home) -> bool:
        return has_sidecar(home)

    def _open_for_writing(self, home: Home) -> Sidecar:
        return open_for_writing(home, self._file_system, self._request.writing.durability)

    def _open_for_reading(self, home: Home) -> Sidecar | None:
        return open_for_reading(home)

    def _set_aside(self, home: Home) -> str:
        return set_aside(home, self._request.run)

    def _absence(self, root: ConfinedRoot, scanner: Scanner) -> Absence:
        return Absence(root, scanner)

    def _mounts_before(self, request: Scan) -> tuple[bytes, ...] | None:
        """The mount points that are expected; `None`: any.

        What whoever scans remembers may be lost, or is older where others scanned; but where a session has no versions,
        what it was allowed is noted there alone.
        """
        if request.any_mounts:
            return None
        if self._chronicle is None:
            return self._mounts if request.mounts is None else request.mounts
        known = mounts_in(self._chronicle.words)
        return request.mounts if known is None else known

    def _note_mounts(self, chronicle: Chronicle, mounts: MountPoints) -> None:
        if mounts_in(chronicle.words) != mounts.expected:
            chronicle.set_words({MOUNTS: b"".join(path + b"\0" for path in mounts.expected)})

    def _plant(self, writer: Writer, scanner: Scanner) -> bytes:
        """Put in place what has grown, which is pending before the first of it."""
        if self._chronicle is None:
            return writer.plant(scanner)
        flags = writer.plant(scanner, partial(self._intend, scanner))
        self._underway.planted(flags)
        return flags

    def _intend(self, scanner: Scanner, growth: Growth, flags: bytes) -> None:
        with self._remembering() as chronicle:
            Settling(chronicle, scanner, self._taking.aspects).begin()
            self._underway.intend_growth(chronicle, growth, flags)
