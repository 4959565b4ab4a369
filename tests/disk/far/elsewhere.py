"""A root elsewhere, edited from behind, and replicas of it whose every operation can be watched, or fail."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from aefsync.core.action import Act, Action, Applied, StageFile
from aefsync.core.digest import content_digest
from aefsync.core.entry import Entry, Kind
from aefsync.core.files import Abilities, Files, Op, Statfs, Task, Volume
from aefsync.core.path import RelPath
from aefsync.core.ports import Access, Missing, Open, Piece, Scan
from aefsync.core.stores import SECOND_NS
from aefsync.core.writing import Writing
from aefsync.disk.far.replica import FarReplica
from aefsync.wire.sftp.client import SftpFiles
from aefsync.wire.stream import Copying, Stream

T = TypeVar("T")
Before = Callable[[Op], OSError | None]
"""What happens before an operation; an error it gives stands in its place."""
USUAL = Writing()


class Distant(Copying):
    """A stream whose far side is so far away that all answers to what was asked come at once: each read is a round trip."""

    def __init__(self, inner: Stream) -> None:
        self._inner = inner
        self.client: SftpFiles | None = None
        self.round_trips = 0
        self.write = inner.write
        self.met = inner.met
        self.loss = inner.loss
        self.close = inner.close

    @property
    def sent_bytes(self) -> int:
        return self._inner.sent_bytes

    @property
    def received_bytes(self) -> int:
        return self._inner.received_bytes

    def read(self, size: int) -> bytes:
        self.round_trips += 1
        data = bytearray(self._inner.read(size))
        while self.client is not None and _packets(data) < len(self.client._asked):
            data += self._inner.read(size)
        return bytes(data)


def _packets(data: bytearray) -> int:
    """How many packets have come whole."""
    at = count = 0
    while at + 4 <= len(data) and at + 4 + int.from_bytes(data[at : at + 4]) <= len(data):
        at += 4 + int.from_bytes(data[at : at + 4])
        count += 1
    return count


class Watched(Files):
    """Files whose operations are counted, and met by `before`."""

    def __init__(self, inner: Files, before: Before, instead: Callable[[Op], object]) -> None:
        self._inner = inner
        self._before = before
        self._instead = instead
        self.counts: Counter[str] = Counter()

    @property
    def abilities(self) -> Abilities:
        return self._inner.abilities

    def carry_out(self, tasks: Iterable[Task[T]]) -> Iterator[T]:
        return self._inner.carry_out(map(self._watch, tasks))

    def _watch(self, task: Task[T]) -> Task[T]:
        outcomes: Sequence[Any] | None = None
        while True:
            try:
                ops = task.send(outcomes)  # type: ignore[arg-type]
            except StopIteration as stop:
                result: T = stop.value
                return result
            self.counts.update(type(op).__name__ for op in ops)
            # One by one, so that what happens before an operation happens after the one before it.
            outcomes = []
            for op in ops:
                error = self._before(op)
                outcomes.append(error or self._instead(op) or (yield [op])[0])

    def close(self) -> None:
        return None


class Elsewhere:
    """A root at `path`."""

    def __init__(self, files: Files, path: Path) -> None:
        self._files = files
        self.path = path
        self.cache = os.fsencode(path) + b".cache"
        self.before: Before = lambda op: None
        self.volume: Volume | None = None
        """what is told of the file system, in place of what is so"""
        self._opened: list[FarReplica] = []
        self.watched = Watched(files, self._meet, lambda op: self.volume if isinstance(op, Statfs) else None)

    def _meet(self, op: Op) -> OSError | None:
        return self.before(op)

    def write(self, name: str, data: bytes = b"", mtime_s: int = 1000) -> None:
        place = self.path / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
        os.utime(place, (mtime_s, mtime_s))

    def open(self, access: Access = Access.WRITE, run: str = "run", writing: Writing = USUAL) -> FarReplica:
        """A replica that has said hello."""
        replica = FarReplica(lambda: self.watched, b"box")
        self._opened.append(replica)
        replica.hello(Open(os.fsencode(self.path), run, bytes(32), access, Missing.REFUSE, self.cache, writing=writing))
        return replica

    def close(self) -> None:
        for replica in self._opened:
            replica.close()

    def survey(
        self, access: Access = Access.WRITE, run: str = "run", writing: Writing = USUAL
    ) -> tuple[FarReplica, dict[str, Entry]]:
        """A replica that was scanned and read, and its entries by path."""
        replica = self.open(access, run, writing)
        replica.scan(Scan())
        number = replica.read_unread((), None).entries
        return replica, {str(entry.path): entry for entry in replica.entries([(0, number)])}


def file(path: str, data: bytes, mtime_s: int = 5000) -> Entry:
    content = content_digest(data)
    return Entry(RelPath(path.encode()), Kind.FILE, 0o644, len(data), mtime_s * SECOND_NS, 0, 0, content)


def put(replica: FarReplica, path: str, data: bytes) -> Entry:
    """Stage a file; the entry that is wanted."""
    wanted = file(path, data)
    replica.write([Piece(wanted.path, 0, len(data), data)] if data else [])
    assert replica.stage([StageFile(wanted, wanted.path)], None).contents == (wanted.content,)
    return wanted


def replace(replica: FarReplica, path: str, data: bytes, found: Entry) -> Applied:
    """Put a new version in the place of what was found."""
    wanted = put(replica, path, data)
    return replica.apply([Action(Act.COPY, wanted.path, wanted, found)])
