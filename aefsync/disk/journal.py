"""The journal of a run: `.aefsync/runs/RUN`, what the run did to this root, written by the replica as it goes.

A file is a row of **frames**, each complete or not there:

    length of the body (4 bytes)  CRC-32 of the body (4)  body: a letter, then what it stands for
    H  JSON: format, command, replicas, and the metadata that counted        once, first
    I  the intent of a batch                  before anything of it is done
    G  the same, of entries that came by columns (`core.growth`)
    O  the outcome of the batch before it     afterwards
    E  JSON: counts                           at the end, so that a listing need not read the rest

The first frame that is cut off or damaged ends what can be read; a batch without an outcome is one that was being
carried out when the run was killed.  Frames of a batch that could not be written whole (disk full) are taken off
again, and nothing of the batch is done then.  Intents are made durable before anything of their batch is done, so that
after a crash of the machine, too, whatever was renamed is known here; outcomes are not, because whoever finds none
looks.  A run that changed nothing leaves no journal.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from aefsync.core.change import Change, Did
from aefsync.core.growth import Growth
from aefsync.core.growth_bytes import pack, unpack
from aefsync.core.metadata import PLAIN, Aspects
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.past import ChangeCounts, Title
from aefsync.disk.journal_batch import (
    Fate,
    Outcome,
    changes_of,
    counted,
    doubtful,
    made,
    pack_columns,
    pack_intent,
    pack_outcome,
    unpack_intent,
    unpack_outcome,
)
from aefsync.disk.readable import Readable

RUNS = b"runs"
FORMAT = 1
MAX_FRAME = 64 << 20
_FRAME = struct.Struct("<II")
_HEADER, _INTENT, _GROWTH, _OUTCOME, _END = b"HIGOE"


class Log(Protocol):
    """The file of a journal, made when the first frame is added (`lasting`, `far/log`).  Every method may raise `OSError`."""

    def append(self, frame: bytes) -> None:
        """Add a frame, whole or not at all."""

    def sync(self) -> None:
        """Have all of it last, its name too."""

    def remove(self) -> None:
        """Have no file, if there is one."""

    def close(self) -> None: ...


class Journal:
    """Writes the journal of one run, which begins when the first change is intended."""

    def __init__(self, log: Log, title: Title, aspects: Aspects = PLAIN) -> None:
        self._log = log
        self._title = title
        self._aspects = aspects
        self._has_begun = False
        self._intended: Sequence[Change] = ()
        self._is_growing = False
        self._counts = dict.fromkeys(Did, 0)

    def intend(self, changes: Sequence[Change], *, lasting: bool = True) -> None:
        """Write down what is about to be done, durably where it has to be `lasting`; raises `OSError`, and then nothing
        of it may be done."""
        self._intended = changes
        if changes:
            self._begin()
            self._append(_INTENT, pack_intent(changes))
            if lasting:
                self._log.sync()

    def confirm(self, outcome: Outcome) -> None:
        """Write down what became of it."""
        changes, self._intended = self._intended, ()
        if not changes:
            return
        for did, number in counted(changes, outcome).items():
            self._counts[did] += number
        # Not written: whoever reads the journal finds the batch in doubt, and looks.
        with contextlib.suppress(OSError):
            self._append(_OUTCOME, pack_outcome(outcome))

    def intend_growth(self, growth: Growth) -> None:
        """Write down durably that all of this is about to be put in place; raises `OSError`, and then none of it may be."""
        self._is_growing = True
        self._begin()
        self._append(_GROWTH, pack(growth))
        self._log.sync()

    def confirm_growth(self, fates: bytes, stamps: bytes) -> None:
        """Write down what became of it: fates and stamps, packed as in the frame."""
        self._is_growing = False
        self._counts[Did.CREATED] += fates.count(Fate.DONE)
        with contextlib.suppress(OSError):
            self._append(_OUTCOME, pack_columns(fates, stamps))

    def close(self) -> None:
        """End the journal, durably; one of a run that changed nothing goes."""
        with contextlib.suppress(OSError):
            if self._intended or self._is_growing or any(self._counts.values()):
                self._append(_END, json.dumps(list(self._counts.values())).encode())
                self._log.sync()
            else:
                self._log.remove()
        self._log.close()

    def _begin(self) -> None:
        if not self._has_begun:
            said = {
                "format": FORMAT,
                "command": self._title.command,
                "replicas": list(map(os.fsdecode, self._title.replicas)),
                "aspects": self._aspects._asdict(),
            }
            self._append(_HEADER, json.dumps(said).encode())
            self._has_begun = True

    def _append(self, kind: int, data: bytes) -> None:
        body = bytes([kind]) + data
        self._log.append(_FRAME.pack(len(body), zlib.crc32(body)) + body)


def path_of(run: str) -> bytes:
    """Where the journal of a run is, below a home."""
    return RUNS + b"/" + os.fsencode(run)


class Recorded:
    """Reads the journal of a run.  `title` and `counts` are those of the run."""

    def __init__(self, home: Readable, run: str) -> None:
        """Open it; raises `OSError` where there is none."""
        self._fd = home.open_file(path_of(run))
        with contextlib.ExitStack() as unless_read:
            unless_read.callback(os.close, self._fd)
            self._frames = list(_frames(self._fd))
            unless_read.pop_all()
        self._intents = [number for number, frame in enumerate(self._frames) if frame.kind in (_INTENT, _GROWTH)]

    @property
    def title(self) -> Title:
        said = self._json(_HEADER)
        if not isinstance(said, dict) or said.get("format") != FORMAT:
            return Title()
        return Title(str(said.get("command")), tuple(os.fsencode(str(each)) for each in said.get("replicas") or ()))

    @property
    def aspects(self) -> Aspects:
        """The metadata that counted in the run."""
        said = self._json(_HEADER)
        told = said.get("aspects") if isinstance(said, dict) else None
        known = told if isinstance(told, dict) else {}
        return PLAIN._replace(**{name: known[name] for name in Aspects._fields if isinstance(known.get(name), int)})

    @property
    def counts(self) -> ChangeCounts:
        said = self._json(_END)
        if isinstance(said, list) and len(said) == len(Did) and self._frames[-1].kind == _END:
            return ChangeCounts(*said)
        counts = dict.fromkeys(Did, 0)
        for number in range(self.batches):
            for change in self.batch(number):
                counts[change.did] += 1
        return ChangeCounts(*counts.values())

    @property
    def batches(self) -> int:
        """The number of batches."""
        return len(self._intents)

    def batch(self, number: int) -> list[Change]:
        """The changes of a batch that were made, in order; none where the frame makes no sense."""
        place = self._intents[number]
        try:
            growing = self._frames[place].kind == _GROWTH
            data = self._data(place)
            changes = changes_of(unpack(data)) if growing else unpack_intent(data)
            outcome = doubtful(len(changes))
            if self._frames[place + 1 : place + 2] and self._frames[place + 1].kind == _OUTCOME:
                outcome = unpack_outcome(self._data(place + 1), len(changes))
            return list(made(changes, outcome))
        except (ValueError, struct.error, StopIteration):
            return []

    def close(self) -> None:
        os.close(self._fd)

    def _json(self, kind: int) -> Any:
        place = next((number for number, frame in enumerate(self._frames) if frame.kind == kind), None)
        try:
            return None if place is None else json.loads(self._data(place))
        except ValueError:
            return None

    def _data(self, number: int) -> bytes:
        """What a frame holds; raises `ValueError`."""
        frame = self._frames[number]
        body = _read_at(self._fd, frame.length, frame.place)
        if zlib.crc32(body) != frame.check:
            raise ValueError("a damaged frame")
        return body[1:]


class _Frame(NamedTuple):
    kind: int
    place: int
    length: int
    check: int


def _frames(fd: int) -> Iterator[_Frame]:
    """The frames of a journal that are there in full length."""
    size, place = os.fstat(fd).st_size, 0
    while place + _FRAME.size < size:
        length, check = _FRAME.unpack(_read_at(fd, _FRAME.size, place))
        place += _FRAME.size
        if not 0 < length <= min(MAX_FRAME, size - place):
            return
        yield _Frame(_read_at(fd, 1, place)[0], place, length, check)
        place += length


def _read_at(fd: int, length: int, place: int) -> bytes:
    """Bytes of a file that has them: it may give fewer at a time.  Raises `OSError` where it has them no more."""
    data = b""
    while len(data) < length:
        more = os.pread(fd, length - len(data), place + len(data))
        if not more:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        data += more
    return data


def recorded_runs(home: Readable) -> list[str]:
    """The runs that left a journal, oldest first."""
    try:
        names = list(map(os.fsdecode, home.names(RUNS)))
    except OSError:
        return []
    return sorted(name for name in names if name.isprintable())
