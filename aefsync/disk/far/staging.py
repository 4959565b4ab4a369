"""Staging elsewhere: files complete in `.aefsync/tmp/RUN/`, but not yet in place.

Bytes are hashed as they are sent, and what arrives is looked at by its size: to read it again would cost as much as to
send it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

from aefsync.core.action import Staged, StageFile
from aefsync.core.entry import Entry
from aefsync.core.files import Create, Lstat, Op, Remove, SetStat, Sync, Task, Write, ask, raised
from aefsync.core.metadata import Aspects
from aefsync.core.path import RelPath
from aefsync.core.ports import Piece
from aefsync.core.problem import Problem
from aefsync.core.stores import SECOND_NS
from aefsync.disk.arriving import Coming
from aefsync.disk.far.home import FarHome, why
from aefsync.disk.home import TMP
from aefsync.disk.looking import Refused, check_content
from aefsync.disk.setting import new_mode


class FarStaging:
    """The staging of one run; `durable`: files are made so before they count."""

    def __init__(
        self, home: FarHome, run: str, aspects: Aspects, *, durable: bool, on_bytes: Callable[[int], None]
    ) -> None:
        self._home = home
        self._aspects = aspects
        self._durable = durable
        self._on_bytes = on_bytes
        self._folder = TMP + b"/" + run.encode()
        self._numbers = itertools.count(1)
        self._names: dict[RelPath, bytes] = {}
        self._coming: dict[RelPath, Coming] = {}
        self._contents: dict[RelPath, bytes] = {}
        self._unwritten: dict[RelPath, str] = {}
        self._bytes = 0
        self.begin_anew()

    def begin_anew(self) -> None:
        """Have a directory, also once the run had cleared it away and goes on."""
        list(self._home.files.carry_out([self._home.make_directories(self._folder)]))

    def place(self, path: RelPath) -> bytes | None:
        """Where what is meant for `path` stands, for operations."""
        name = self._names.get(path)
        return None if name is None else self._home.at(name)

    def content(self, path: RelPath) -> bytes:
        """The content digest of what is complete in staging for `path`; empty where nothing is."""
        return self._contents.get(path, b"")

    def take(self, path: RelPath) -> bytes:
        """Forget what was staged for `path`, because it is in place; its content digest."""
        self._names.pop(path, None)
        return self._contents.pop(path, b"")

    def new_place(self) -> bytes:
        """A place for something else that is to be complete before it is put where it belongs."""
        return self._home.at(self._new_name())

    def _new_name(self) -> bytes:
        return self._folder + b"/%08d" % next(self._numbers)

    def write(self, pieces: Sequence[Piece]) -> None:
        """Append pieces to the files they are meant for."""
        able = [piece for piece in pieces if piece.path not in self._unwritten]
        for piece in able:
            if piece.path not in self._names:
                self._names[piece.path] = self._new_name()
                self._coming[piece.path] = Coming()
            self._coming[piece.path].add(piece)
        for piece, outcome in zip(able, self._home.files.carry_out(map(self._send, able)), strict=True):
            if isinstance(outcome, OSError):
                self._unwritten.setdefault(piece.path, why(self._home, outcome))
            self._bytes += len(piece.data)
            self._on_bytes(self._bytes)

    def _send(self, piece: Piece) -> Task[Any]:
        return (yield [Write(self._home.at(self._names[piece.path]), piece.offset, bytes(piece.data))])[0]

    def stage(self, files: Sequence[StageFile]) -> Staged:
        """Complete files as they were written; a digest each, empty where it failed."""
        contents: list[bytes] = []
        problems: list[Problem] = []
        own: dict[str, Problem] = {}
        literal = 0
        for file, outcome in zip(files, self._home.files.carry_out(map(self._attempt, files)), strict=True):
            if isinstance(outcome, bytes):
                contents.append(outcome)
                self._contents[file.path] = outcome
                literal += file.source.size
                continue
            contents.append(b"")
            if isinstance(outcome, Refused):
                problems.append(Problem(bytes(file.source.path), str(outcome)))
            elif isinstance(outcome, OSError):
                # Once for all that one thing stopped.
                reason = why(self._home, outcome)
                own.setdefault(reason, Problem(bytes(file.path), reason))
            self._discard(file.path)
        return Staged(tuple(contents), tuple(problems), literal, 0, tuple(own.values()))

    def _attempt(self, file: StageFile) -> Task[bytes | Exception]:
        try:
            return (yield from self._complete(file))
        except Refused as refusal:
            return refusal
        except OSError as error:
            return error

    def _complete(self, file: StageFile) -> Task[bytes]:
        reason = self._unwritten.pop(file.path, None)
        if reason is not None:
            raise OSError(reason)
        coming = self._coming.pop(file.path, None) or Coming()
        content = _content_of(coming, file.source)
        place = self.place(file.path)
        if place is None:
            name = self._names[file.path] = self._new_name()
            place = self._home.at(name)
            raised((yield [Create(place, b"")])[0])
        if self._durable:
            raised((yield [Sync(place)])[0])
        set_, seen = yield [
            setting(place, file.source, new_mode(file.source.mode, self._aspects), self._aspects),
            Lstat(place),
        ]
        raised(set_)
        if raised(seen).st_size != file.source.size:
            raise OSError("did not arrive whole")
        return content

    def _discard(self, path: RelPath) -> None:
        self._contents.pop(path, None)
        self._coming.pop(path, None)
        place = self.place(path)
        if place is not None:
            ask(self._home.files, Remove(place))
        self._names.pop(path, None)


def _content_of(coming: Coming, wanted: Entry) -> bytes:
    """The content digest of what came of a file; raises `Refused` where that is not what was wanted."""
    content = coming.content(wanted.size)
    if not content:
        raise Refused("changed while it was copied")
    check_content(content, wanted)
    return content


def setting(place: bytes, wanted: Entry, mode: int, aspects: Aspects) -> Op:
    """Have a file or directory show what counts."""
    return SetStat(place, mode, seconds(wanted.mtime_ns, aspects) if aspects.times else None)


def seconds(mtime_ns: int, aspects: Aspects) -> int:
    """An mtime as it can be stored."""
    return min(max(aspects.stored_time(mtime_ns) // SECOND_NS, 0), (1 << 32) - 1)
