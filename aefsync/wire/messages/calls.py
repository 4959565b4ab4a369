"""The forms of calls: what a server may be asked, and the bounds on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Self

import msgspec
from msgspec import Meta

from aefsync.core.compare import Span
from aefsync.core.digest import KEY_SIZE
from aefsync.core.metadata import PLAIN
from aefsync.core.path import MAX_NAME, MAX_PATH
from aefsync.core.ports import Open, Scan
from aefsync.core.renamed import Rename
from aefsync.core.tree import KeyRange, Question
from aefsync.core.view import View
from aefsync.wire.messages.actions import ApplyCall
from aefsync.wire.messages.aspects import AspectsRow
from aefsync.wire.messages.content import MatchCall, ReadCall, RecipesCall, ReuseCall, StageCall, WriteCall
from aefsync.wire.messages.examined import ExamineCall
from aefsync.wire.messages.growth import GatherCall, GrowCall, GrowthCall, LearnCall, PlantCall
from aefsync.wire.messages.hints import WaitCall
from aefsync.wire.messages.members import RecallRow, RememberCall
from aefsync.wire.messages.past import PurgeCall, RunsCall, TrashCall, UndoCall
from aefsync.wire.messages.rows import (
    MAX_PARALLEL,
    MOST_ENTRIES,
    ByteStrings,
    Counts,
    Empty,
    FileName,
    Form,
    Identity,
    SpansForm,
    Strings,
    TrashForm,
    unpack_text,
)
from aefsync.wire.messages.scrubbed import ScrubCall
from aefsync.wire.messages.space import AllocatedCall, SpaceCall, check_writing
from aefsync.wire.messages.versions import MintCall, TombstonesCall
from aefsync.wire.packing import pack_spans, unpack_spans


def _check_places(*places: bytes) -> None:
    """Raise `ValueError` for what no file system takes as a path; whether a peer may name it is the agent's affair."""
    if any(b"\0" in place or len(place) > MAX_PATH for place in places):
        raise ValueError("path with NUL, or too long")


class HelloCall(Form, tag="hello"):
    request: Open

    def __post_init__(self) -> None:
        if len(self.request.nonce) != KEY_SIZE:
            raise ValueError(f"nonce of {len(self.request.nonce)} bytes")
        if not 0 <= self.request.parallel <= MAX_PARALLEL:
            raise ValueError(f"{self.request.parallel} processes")
        check_writing(self.request.writing)
        _check_places(self.request.root, self.request.cache_dir, *self.request.own, *self.request.title.replicas)
        for each in (self.request.new_identity, *self.request.known.ids):
            msgspec.convert(each, Identity)
        if self.request.run:
            msgspec.convert(self.request.run, FileName)


class ScanCall(Form, tag="scan"):
    rules: ByteStrings
    one_file_system: bool
    ignore_index: bool
    eager: bool
    paths: Strings
    mounts: Strings | None
    any_mounts: bool
    list_filtered: bool
    aspects: AspectsRow | None = None
    recall: RecallRow | None = None

    @classmethod
    def of(cls, *values: Scan) -> Self:
        scan = values[0]
        rules = tuple(rule.encode("utf-8", "surrogateescape") for rule in scan.rules)
        mounts = None if scan.mounts is None else Strings.of(scan.mounts)
        flags = (scan.one_file_system, scan.ignore_index, scan.eager)
        counting = (AspectsRow.of(scan.aspects), RecallRow.of(scan))
        return cls(rules, *flags, Strings.of(scan.paths), mounts, scan.any_mounts, scan.list_filtered, *counting)

    def values(self) -> tuple[Scan]:
        rules, paths = tuple(map(unpack_text, self.rules)), tuple(self.paths.paths())
        mounts = None if self.mounts is None else tuple(self.mounts.decode())
        aspects = self.aspects.aspects() if self.aspects else PLAIN
        flags = (self.one_file_system, self.ignore_index, self.eager)
        scan = Scan(rules, *flags, paths, mounts, self.any_mounts, self.list_filtered, aspects)
        return (self.recall.told(scan) if self.recall else scan,)


class ReadUnreadCall(Form, tag="read_unread"):
    skip: Counts
    only: Counts | None

    @classmethod
    def of(cls, *values: Sequence[Span] | None) -> Self:
        skip, only = values
        return cls(pack_spans(skip or ()), None if only is None else pack_spans(only))

    def values(self) -> tuple[Any, ...]:
        return unpack_spans(self.skip), None if self.only is None else unpack_spans(self.only)


class FingerprintsCall(Form, tag="fingerprints"):
    view: View
    parts: Annotated[int, Meta(ge=0, le=1 << 16)]
    size: Annotated[int, Meta(ge=1, le=32)]
    bounds: Strings

    @classmethod
    def of(cls, *values: Question) -> Self:
        view, ranges, parts, size = values[0]
        return cls(view, parts, size, Strings.of(bound for keys in ranges for bound in keys))

    def values(self) -> tuple[Question]:
        bounds = self.bounds.decode()
        ranges = tuple(KeyRange(*pair) for pair in zip(bounds[0::2], bounds[1::2], strict=True))
        ends = [bound for keys in sorted(ranges) for bound in keys]
        if ends != sorted(ends):
            raise ValueError("ranges overlap")
        return (Question(self.view, ranges, self.parts, self.size),)


class EntriesCall(SpansForm, tag="entries"): ...


class SearchCall(Form, tag="search"):
    part: Annotated[bytes, Meta(min_length=1, max_length=MAX_NAME)]
    start: Annotated[int, Meta(ge=0, le=MOST_ENTRIES)]


class MovableCall(Form, tag="movable"):
    """Two paths a rename, the old one first."""

    paths: Strings

    @classmethod
    def of(cls, *values: Sequence[Rename]) -> Self:
        return cls(Strings.of(path for each in values[0] for path in each))

    def values(self) -> tuple[Any, ...]:
        paths = self.paths.paths()
        return (tuple(Rename(*pair) for pair in zip(paths[0::2], paths[1::2], strict=True)),)


class RecordCall(Empty, tag="record"): ...


class RestoreCall(TrashForm, tag="restore"):
    to: bytes = b""

    def __post_init__(self) -> None:
        _check_places(self.to)

    @classmethod
    def of(cls, *values: Any) -> Self:
        rows = super().of(values[0])
        return cls(rows.paths, rows.rows, *values[1:])

    def values(self) -> tuple[Any, ...]:
        return (*super().values(), self.to)


class CloseCall(Empty, tag="close"): ...


# A union, so that the decoder finds the form by its tag.
CallForm = (
    HelloCall
    | ScanCall
    | ReadUnreadCall
    | FingerprintsCall
    | EntriesCall
    | GrowthCall
    | ReadCall
    | RecipesCall
    | MatchCall
    | WriteCall
    | ReuseCall
    | StageCall
    | GatherCall
    | GrowCall
    | PlantCall
    | MovableCall
    | LearnCall
    | ApplyCall
    | RecordCall
    | SearchCall
    | TombstonesCall
    | MintCall
    | RememberCall
    | SpaceCall
    | AllocatedCall
    | TrashCall
    | RestoreCall
    | PurgeCall
    | RunsCall
    | UndoCall
    | ScrubCall
    | ExamineCall
    | WaitCall
    | CloseCall
)
