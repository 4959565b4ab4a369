"""Settling: after a run the records are made to say what it left, and what was read meanwhile."""

from __future__ import annotations

from array import array
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial

from aefsync.core.action import Act
from aefsync.core.entry import Kind
from aefsync.core.metadata import Aspects
from aefsync.core.path import RelPath
from aefsync.core.view import STAT
from aefsync.disk.chronicle import Chronicle
from aefsync.disk.entering import Entering
from aefsync.disk.merging import Merging, write, write_first
from aefsync.disk.page import RACY
from aefsync.disk.pending import Intention, by_directory
from aefsync.disk.pending_growth import carried_out, is_growth, unpack_growth
from aefsync.disk.records import Record
from aefsync.disk.scan import Scanner
from aefsync.disk.sidecar import trouble
from aefsync.disk.vectors import FIRST

Done = Mapping[bytes, Intention]
_LOOK = 24
"""In a packed stat, the bytes of mode, size and mtime_ns."""
_TOGETHER = 1 << 15
"""So many intentions, or one batch more, are settled at once."""


class Settling:
    """The records of one replica after a scan; `scanner` has looked again at whatever was touched since."""

    def __init__(self, chronicle: Chronicle, scanner: Scanner, aspects: Aspects) -> None:
        self._chronicle = chronicle
        self._scanner = scanner
        self._aspects = aspects

    def begin(self, directories: Collection[bytes] | None = None) -> None:
        """Write the records of what was found for the first time, before anything is looked at again: of everything, or of
        these directories."""
        chronicle, scanner = self._chronicle, self._scanner
        chosen = chronicle.deferred.copy() if directories is None else chronicle.deferred.intersection(directories)
        if not chronicle.writable or not chosen:
            return
        scanner.materialise(chosen)
        with chronicle.transaction():
            for directory in sorted(chosen):
                none = array("I", [FIRST]) * sum(scanner.pages.lengths(directory))
                write_first(chronicle, directory, scanner.pages.of(directory), none)
            chronicle.deferred -= chosen
            if scanner.narrowing.is_everything and not chronicle.deferred:
                chronicle.looked_at_everything()

    def carry(self, done: Sequence[bytes], failed: Collection[bytes]) -> None:
        """Record what is pending as far as it was done, but for what is in directories that are not durable (by their
        paths); `done` has, for each row that is pending, a byte 1 for each thing that was."""
        sidecar = self._chronicle.sidecar
        assert sidecar is not None
        entering = Entering(self._chronicle, self._scanner, failed)
        for body, own in zip(sidecar.pending(), done, strict=False):
            if is_growth(body):
                with trouble():
                    entering.add(unpack_growth(body), own)
        # A directory that several batches are about is written once, as far as it does not matter what came first.
        together: list[Intention] = []
        for body, own in zip(sidecar.pending(), done, strict=False):
            with trouble():
                batch = list(carried_out(body, own, entering.entered))
            renamed = [each for each in batch if each.source]
            # A version that is only remembered, or a tombstone, is so of what the batches before have left.
            if renamed or len(together) >= _TOGETHER or any(each.act is Act.RECORD for each in batch):
                self._settle_lasting(together, failed)
                together = []
            self.move(renamed)
            together += batch
        self._settle_lasting(together, failed)

    def _settle_lasting(self, batch: Sequence[Intention], failed: Collection[bytes]) -> None:
        kept = [each for each in batch if each.path.rpartition(b"/")[0] not in failed] if failed else batch
        self.settle(kept)

    def move(self, batch: Iterable[Intention]) -> None:
        """Have the records of renamed directories move along."""
        sidecar = self._chronicle.sidecar
        assert sidecar is not None
        for each in batch:
            if each.source:
                old, new = RelPath(each.source).key + b"\0", RelPath(each.path).key + b"\0"
                for directory in sidecar.directories(*_below(old)):
                    there = new + directory[len(old) :]
                    self._chronicle.unsealed.discard(directory)
                    self._chronicle.unsealed.add(there)
                    sidecar.rename(directory, there, each.carried)
                    self._unbury(there)

    def _unbury(self, directory: bytes) -> None:
        """Take away the tombstones of what lives in a directory."""
        sidecar, buried = self._chronicle.sidecar, self._chronicle.tombstones.get(directory)
        assert sidecar is not None
        for head in sidecar.heads_of(directory) if buried else ():
            for name in sidecar.records(directory, head.first).names:
                self._chronicle.unbury(directory, name)

    def settle(self, batch: Iterable[Intention]) -> None:
        """Record what was carried out."""
        for directory, done in by_directory(batch).items():
            # Of several for one path the last one is what was left there.
            self._merge(directory, {name: each[-1] for name, each in done.items()})

    def complete(self) -> None:
        """Fill in what was read since it was recorded, and seal what is recorded as it is shown."""
        self._scanner.materialise(self._chronicle.unsealed)
        for directory in sorted(self._chronicle.unsealed):
            self._merge(directory, {})

    def _merge(self, directory: bytes, done: Done) -> None:
        sidecar = self._chronicle.sidecar
        assert sidecar is not None
        heads = sidecar.heads_of(directory)
        pages = self._scanner.pages.of(directory)
        rows = Merging(self._chronicle, directory, pages, heads, done).merge(partial(self._decide, directory, done))
        write(self._chronicle, directory, rows, pages, heads)

    def _decide(
        self, directory: bytes, done: Done, name: bytes, before: Record | None, now: Record | None
    ) -> Record | None:
        intention = done.get(name)
        if intention is None:
            return before and _completed(before, now)
        version = intention.record.version
        if intention.is_departure:
            return None
        if intention.is_tombstone:
            if intention.act is Act.RECORD and before is not None:
                return _completed(before, now)
            self._chronicle.bury(directory, name, version)
            return None
        if intention.act is Act.RECORD and before is not None:
            return _completed(before, now)._replace(version=version)
        if intention.act is Act.RECORD and (now is None or not self._is_as_meant(intention, now)):
            return None
        self._chronicle.unbury(directory, name)
        if now is None or not self._is_as_meant(intention, now):
            return intention.record
        content = now.content if now.is_read else intention.record.content
        return Record(now.stat, content, now.flags & RACY, version)

    def _is_as_meant(self, intention: Intention, now: Record) -> bool:
        """Whether what is to be seen is what was put there, stored as this file system can."""
        meant = intention.record
        if meant.stat[:_LOOK] == now.stat[:_LOOK] and meant.content == now.content:
            return True
        _, size, mtime_ns, _, _ = STAT.unpack(meant.stat)
        _, size_found, mtime_found_ns, _, _ = STAT.unpack(now.stat)
        kind = meant.kind
        if kind is not now.kind or kind is Kind.DIRECTORY:
            return kind is now.kind
        if meant.is_read and now.is_read and meant.content != now.content:
            return False
        same_time = not self._aspects.times or self._is_stored_as(mtime_ns, mtime_found_ns)
        return same_time and (kind is Kind.SYMLINK or size == size_found)

    def _is_stored_as(self, meant_ns: int, found_ns: int) -> bool:
        return meant_ns == found_ns or self._aspects.stored_time(meant_ns) == self._aspects.stored_time(found_ns)


def _completed(before: Record, now: Record | None) -> Record:
    """A record with the content that is known by now, if it is still of what is there."""
    if now is None or before.is_read or not now.is_read or not before.is_like(now):
        return before
    return before._replace(content=now.content, flags=now.flags & RACY)


def _below(directory: bytes) -> tuple[bytes, bytes]:
    """The keys, with closing NUL, of a directory and all below it."""
    return directory, directory[:-1] + b"\x01"
