"""A root whose replica remembers, scanned session by session, and what a simple model says of it."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

from aefsync.core.entry import Entry
from aefsync.core.members import Memory
from aefsync.core.minting import Record, judge
from aefsync.core.path import RelPath
from aefsync.core.ports import Access, Missing, Open, Scan, Scanned
from aefsync.core.version import Dot, Version
from aefsync.disk.replica import LocalReplica
from tests.disk.ground import Ground

VERSIONS = Scan(versions=True)


class Rememberer(Ground):
    """A root; `replica` is that of the last session."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.replica = LocalReplica()
        self.entries: dict[bytes, Entry] = {}
        self.tombstones: dict[bytes, Version] = {}
        self.sessions = 0

    @property
    def place_of_sidecar(self) -> Path:
        return self.path / ".aefsync" / "sidecar.db"

    def open(self, access: Access = Access.WRITE) -> LocalReplica:
        """Begin a session, the last one being over."""
        self.replica.close()
        self.sessions += 1
        self.replica = LocalReplica()
        request = Open(os.fsencode(self.path), f"run{self.sessions}", bytes(32), access, Missing.REFUSE, b"")
        self.opened = self.replica.hello(request)
        return self.replica

    def see(self, scan: Scan = VERSIONS, access: Access = Access.WRITE, *, reads: bool = True) -> Scanned:
        """A session that scans, and reads everything."""
        self.open(access)
        scanned = self.replica.scan(scan)
        if reads:
            scanned = self.replica.read_unread((), None)._replace(restored=scanned.restored)
        self.entries = {bytes(each.path): each for each in self.replica.entries([(0, scanned.entries)])}
        self.tombstones = {
            bytes(each.path): each.version for each in self.replica.tombstones([(0, scanned.tombstones)])
        }
        if access is Access.WRITE and not self.place_of_sidecar.exists():
            self.replica.remember(Memory(()))
        return scanned

    @property
    def versions(self) -> dict[bytes, Version | None]:
        return {path: entry.version for path, entry in self.entries.items()}

    def bytes_of_sidecar(self) -> bytes:
        """The file, once the session is over."""
        self.replica.close()
        return self.place_of_sidecar.read_bytes()

    def ask(self, select: str) -> list[tuple[object, ...]]:
        """Ask the sidecar itself."""
        self.replica.close()
        database = sqlite3.connect(self.place_of_sidecar)
        try:
            return database.execute(select).fetchall()
        finally:
            database.close()

    def remove(self, path: bytes) -> None:
        place = self.place(path)
        if os.path.isdir(place) and not os.path.islink(place):
            shutil.rmtree(place)
        else:
            os.unlink(place)

    def close(self) -> None:
        self.replica.close()
        super().close()


class Model:
    """What is to be remembered, path by path, whatever the sidecar does to be quick."""

    def __init__(self) -> None:
        self.records: dict[bytes, Record] = {}
        self.is_new = True
        self.counter = 0

    def judge(self, found: Sequence[Entry], author: bytes, sees: Callable[[bytes], bool]) -> None:
        """Judge what a scan found by itself; `sees` tells of a path whether it would have been found."""
        entries = {bytes(each.path): each._replace(version=None) for each in found}
        dot = Dot(author, self.counter + 1)
        for path in {*entries, *self.records}:
            if path not in entries and not sees(path):
                continue
            judged = judge(entries.get(path), self.records.get(path), dot, first=self.is_new)
            if judged is not None:
                self.records[path] = judged
        self.is_new = False
        self.counter += any(dot in each.version.vector for each in self.records.values())

    def versions(self, found: Sequence[Entry]) -> dict[bytes, Version]:
        return {bytes(each.path): self.records[bytes(each.path)].version for each in found}

    def tombstones(self, sees: Callable[[bytes], bool]) -> dict[bytes, Version]:
        return {path: each.version for path, each in self.records.items() if each.entry is None and sees(path)}


def is_below(path: bytes, top: bytes) -> bool:
    return path == top or RelPath(path).is_below(top)
