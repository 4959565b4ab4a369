"""The forms of replies: what a server may say; whether it fits the call is for `checks` to say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Self

import msgspec
from msgspec import Meta

from aefsync.core.action import Applied, KeptCopy
from aefsync.core.change import Did
from aefsync.core.entry import Entry
from aefsync.core.past import RunRecord, TakenBack
from aefsync.core.path import MAX_PATH
from aefsync.core.patterns import MAX_RULES
from aefsync.core.ports import Opened, Phase
from aefsync.core.stores import Stores
from aefsync.core.tree import Answer
from aefsync.wire.messages.aspects import Extras, StoresRow, pack_extras, with_extras
from aefsync.wire.messages.changes import ChangeRow, RunRow
from aefsync.wire.messages.content import MatchReply
from aefsync.wire.messages.examined import ExamineReply
from aefsync.wire.messages.growth import GatherReply, GrowReply, GrowthReply, LearnReply, PlantReply
from aefsync.wire.messages.hints import WaitReply
from aefsync.wire.messages.members import RememberReply, StandingRow
from aefsync.wire.messages.rows import (
    Asked,
    ByteStrings,
    Count,
    Counts,
    EntryRow,
    Form,
    Identity,
    Int64,
    Nothing,
    PiecesForm,
    Problems,
    RecipesForm,
    Strings,
    Text,
    TrashForm,
    pack_problems,
    pack_text,
    unpack_problems,
    unpack_text,
)
from aefsync.wire.messages.scanned import ScannedForm
from aefsync.wire.messages.scrubbed import ScrubReply
from aefsync.wire.messages.space import AllocatedReply, SpaceReply
from aefsync.wire.messages.staged import ReuseReply, StageReply
from aefsync.wire.messages.versions import MintReply, TombstonesReply, Versions, with_versions


class AppliedForm(Form):
    """`kept` has two paths a copy."""

    done: Annotated[tuple[bool, ...], Asked]
    problems: Problems
    kept: Strings
    spared: Strings

    @classmethod
    def of(cls, *values: Applied) -> Self:
        done, problems, kept, spared = values[0]
        copies = Strings.of(path for copy in kept for path in copy)
        return cls(done, pack_problems(problems), copies, Strings.of(spared))

    def values(self) -> tuple[Applied]:
        paths = self.kept.paths()
        kept = tuple(KeptCopy(*pair) for pair in zip(paths[0::2], paths[1::2], strict=True))
        return (Applied(self.done, unpack_problems(self.problems), kept, tuple(self.spared.paths())),)


class HelloReply(Form, tag="hello"):
    root: Annotated[bytes, Meta(max_length=MAX_PATH)]
    host: Annotated[bytes, Meta(max_length=256)]
    ancestors: Annotated[tuple[tuple[int, int], ...], Meta(min_length=1, max_length=MAX_PATH)]
    ignore_rules: ByteStrings
    clock_ns: Int64
    created: bool
    seen_before: bool
    empty: bool
    chunker: Annotated[str, Meta(max_length=255)]
    unfinished: bool
    identity: Identity
    read_only: bool
    stores: StoresRow | None = None
    standing: StandingRow | None = None
    unreadable: Text = b""
    instead: Text = b""
    caveats: Annotated[tuple[Text, ...], Meta(max_length=16)] = ()
    append_only: bool = False

    def __post_init__(self) -> None:
        if sum(map(len, self.ignore_rules)) > MAX_RULES:
            raise ValueError(f"ignore rules of more than {MAX_RULES} bytes")

    @classmethod
    def of(cls, *values: Opened) -> Self:
        opened = values[0]
        rules = tuple(rule.encode("utf-8", "surrogateescape") for rule in opened.ignore_rules)
        rows = {"stores": StoresRow.of(opened.stores), "standing": opened.standing and StandingRow.of(opened.standing)}
        texts = {name: pack_text(getattr(opened, name)) for name in ("unreadable", "instead")}
        caveats = tuple(map(pack_text, opened.caveats))
        return cls(**{**opened._asdict(), "ignore_rules": rules, "caveats": caveats, **rows, **texts})

    def values(self) -> tuple[Opened]:
        rules = tuple(map(unpack_text, self.ignore_rules))
        stores = self.stores.stores() if self.stores else Stores()
        texts = {name: unpack_text(getattr(self, name)) for name in ("unreadable", "instead")}
        caveats = tuple(map(unpack_text, self.caveats))
        said = {"ignore_rules": rules, "stores": stores, "standing": self.standing and self.standing.standing()}
        return (Opened(**{**msgspec.structs.asdict(self), **said, **texts, "caveats": caveats}),)


class ScanReply(ScannedForm, tag="scan"): ...


class ReadUnreadReply(ScannedForm, tag="read_unread"): ...


class FingerprintsReply(Form, tag="fingerprints"):
    counts: Counts
    digests: bytes
    children: Counts
    bounds: Strings

    @classmethod
    def of(cls, *values: Answer) -> Self:
        counts, digests, children, bounds = values[0]
        return cls(counts, digests, children, Strings.of(bounds))

    def values(self) -> tuple[Answer]:
        return (Answer(self.counts, self.digests, self.children, tuple(self.bounds.decode())),)


class EntriesForm(Form):
    paths: Strings
    rows: Annotated[tuple[EntryRow, ...], Asked]
    extras: Extras = ()
    versions: Versions | None = None

    @classmethod
    def of(cls, *values: Sequence[Entry]) -> Self:
        entries = values[0]
        paths, versions = Strings.of(entry.path for entry in entries), Versions.of(each.version for each in entries)
        return cls(paths, tuple(map(EntryRow.of, entries)), pack_extras(entries), versions)

    def values(self) -> tuple[tuple[Entry, ...]]:
        entries = [row.entry(path) for path, row in zip(self.paths.paths(), self.rows, strict=True)]
        return (tuple(with_versions(with_extras(entries, self.extras), self.versions)),)


class EntriesReply(EntriesForm, tag="entries"): ...


class SearchReply(EntriesForm, tag="search"): ...


class ReadReply(PiecesForm, tag="read"): ...


class RecipesReply(RecipesForm, tag="recipes"): ...


class WriteReply(Nothing, tag="write"): ...


class MovableReply(Form, tag="movable"):
    told: Annotated[tuple[bool, ...], Asked]


class ApplyReply(AppliedForm, tag="apply"): ...


class RecordReply(ScannedForm, tag="record"): ...


class TrashReply(TrashForm, tag="trash"): ...


class RestoreReply(AppliedForm, tag="restore"): ...


class PurgeReply(AppliedForm, tag="purge"): ...


class RunsReply(Form, tag="runs"):
    rows: Annotated[tuple[RunRow, ...], Asked]

    @classmethod
    def of(cls, *values: Sequence[RunRecord]) -> Self:
        return cls(tuple(map(RunRow.of, values[0])))

    def values(self) -> tuple[tuple[RunRecord, ...]]:
        return (tuple(row.record() for row in self.rows),)


class UndoReply(Form, tag="undo"):
    """A path a row, and behind it the source where the row is a move."""

    paths: Strings
    rows: Annotated[tuple[ChangeRow, ...], Asked]
    done: Annotated[tuple[bool, ...], Asked]
    problems: Problems
    rest: Count
    gone: Strings

    @classmethod
    def of(cls, *values: TakenBack) -> Self:
        changes, done, problems, rest, gone = values[0]
        paths = [path for each in changes for path in (each.path, each.source) if path is not None]
        rows = tuple(map(ChangeRow.of, changes))
        return cls(Strings.of(paths), rows, done, pack_problems(problems), rest, Strings.of(gone))

    def values(self) -> tuple[TakenBack]:
        paths = self.paths.paths()
        if len(paths) != len(self.rows) + sum(row.did is Did.MOVED for row in self.rows):
            raise ValueError("paths and changes do not fit")
        rest = iter(paths)
        changes = tuple(r.change(next(rest), next(rest) if r.did is Did.MOVED else None) for r in self.rows)
        problems, gone = unpack_problems(self.problems), tuple(self.gone.paths())
        return (TakenBack(changes, self.done, problems, self.rest, gone),)


class CloseReply(Nothing, tag="close"): ...


class ProgressForm(Form, tag="progress"):
    phase: Phase
    done: Count
    total: Count


class FailedForm(Form, tag="failed"):
    kind: Annotated[str, Meta(max_length=64)]
    message: Text
    hint: Text | None
    transient: bool = False

    @classmethod
    def of(cls, *values: Any) -> Self:
        kind, message, hint, transient = values
        return cls(kind, pack_text(message), None if hint is None else pack_text(hint), transient)

    def values(self) -> tuple[str, str, str | None, bool]:
        hint = None if self.hint is None else unpack_text(self.hint)
        return self.kind, unpack_text(self.message), hint, self.transient


ReplyForm = (
    HelloReply
    | ScanReply
    | ReadUnreadReply
    | FingerprintsReply
    | EntriesReply
    | GrowthReply
    | ReadReply
    | RecipesReply
    | MatchReply
    | WriteReply
    | ReuseReply
    | StageReply
    | GatherReply
    | GrowReply
    | PlantReply
    | MovableReply
    | LearnReply
    | ApplyReply
    | RecordReply
    | SearchReply
    | TombstonesReply
    | MintReply
    | RememberReply
    | SpaceReply
    | AllocatedReply
    | TrashReply
    | RestoreReply
    | PurgeReply
    | RunsReply
    | UndoReply
    | ScrubReply
    | ExamineReply
    | WaitReply
    | CloseReply
)
