"""The forms of calls that are about the content of files: read, named as chunks, written, completed, learned of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Self

from msgspec import Meta

from aefsync.core.action import StageFile
from aefsync.core.compare import Span
from aefsync.core.recipe import LEVELS, Run
from aefsync.wire.messages.aspects import ExtraRow, Extras, pack_extras, with_extras
from aefsync.wire.messages.columns import EntryColumns
from aefsync.wire.messages.rows import MANY, Counts, Form, Many, PiecesForm, RecipesForm, Strings
from aefsync.wire.packing import pack_spans, unpack_spans

LevelNumber = Annotated[int, Meta(ge=0, lt=len(LEVELS))]


class ReadCall(PiecesForm, tag="read"): ...


class RecipesCall(Form, tag="recipes"):
    """Offset and length of each run, in turn."""

    paths: Strings
    places: Counts
    level: LevelNumber

    @classmethod
    def of(cls, *values: Any) -> Self:
        runs, level = values
        places = tuple(number for run in runs for number in run[1:])
        return cls(Strings.of(run.path for run in runs), places, level)

    def values(self) -> tuple[Any, ...]:
        columns = zip(self.paths.paths(), self.places[0::2], self.places[1::2], strict=True)
        return tuple(Run(*each) for each in columns), self.level


class MatchCall(Form, tag="match"):
    seeds: Strings | None
    recipes: RecipesForm
    level: LevelNumber

    @classmethod
    def of(cls, *values: Any) -> Self:
        seeds, recipes, level = values
        return cls(None if seeds is None else Strings.of(seeds), RecipesForm.of(recipes), level)

    def values(self) -> tuple[Any, ...]:
        seeds = None if self.seeds is None else tuple(self.seeds.paths())
        return seeds, *self.recipes.values(), self.level


class MatchReply(Form, tag="match"):
    """The spans of chunks that are lacking, a row a recipe."""

    lacking: Annotated[tuple[Counts, ...], Many]

    def __post_init__(self) -> None:
        if sum(map(len, self.lacking)) > MANY:
            raise ValueError("more chunks than one message can ask for")

    @classmethod
    def of(cls, *values: Sequence[Sequence[Span]]) -> Self:
        return cls(tuple(pack_spans(spans) for spans in values[0]))

    def values(self) -> tuple[Any, ...]:
        return (tuple(unpack_spans(packed) for packed in self.lacking),)


class WriteCall(PiecesForm, tag="write"):
    def __post_init__(self) -> None:
        super().__post_init__()
        if any(row.length != row.came for row in self.rows):
            raise ValueError("piece of another length than it says")


class FilesForm(Form):
    """The paths that files are meant for, and those of the sources (nothing: where all are the same)."""

    paths: Strings
    sources: Strings | None
    entries: EntryColumns

    @staticmethod
    def columns(files: Sequence[StageFile]) -> tuple[Strings, Strings | None, EntryColumns]:
        is_same = all(each.source.path == each.path for each in files)
        sources = None if is_same else Strings.of(each.source.path for each in files)
        return Strings.of(each.path for each in files), sources, EntryColumns.of([each.source for each in files])

    def files(self, extras: Sequence[ExtraRow | None]) -> tuple[StageFile, ...]:
        paths = self.paths.paths()
        sources = paths if self.sources is None else self.sources.paths()
        entries = with_extras(self.entries.entries(sources), extras)
        return tuple(StageFile(*pair) for pair in zip(entries, paths, strict=True))


class ReuseCall(FilesForm, tag="reuse"):
    extras: Extras = ()

    @classmethod
    def of(cls, *values: Any) -> Self:
        return cls(*cls.columns(values[0]), pack_extras(each.source for each in values[0]))

    def values(self) -> tuple[Any, ...]:
        return (self.files(self.extras),)


class StageCall(FilesForm, tag="stage"):
    peer: Annotated[int, Meta(ge=0, le=1 << 16)] | None
    extras: Extras = ()

    @classmethod
    def of(cls, *values: Any) -> Self:
        files, peer = values
        return cls(*cls.columns(files), peer, pack_extras(each.source for each in files))

    def values(self) -> tuple[Any, ...]:
        return self.files(self.extras), self.peer
