"""Forms that calls and replies share: rows without their paths, columns of strings, numbers with their bounds."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Any, Self

import msgspec
from msgspec import Meta, Struct

from aefsync.core.compare import Span
from aefsync.core.entry import Entry, Kind
from aefsync.core.metadata import PERMISSIONS, SPECIAL
from aefsync.core.past import TrashItem
from aefsync.core.path import MAX_PATH, RelPath, check_paths
from aefsync.core.ports import Piece
from aefsync.core.problem import Problem
from aefsync.core.recipe import LEVELS, MANY_CHUNKS, Recipe
from aefsync.errors import RootError
from aefsync.wire.dialogue import MAX_TEXT
from aefsync.wire.packing import front_code, front_decode, pack_spans, unpack_spans

MANY = 1 << 18
"""Rows in one column of a message: what is told of a root, however many entries it has."""
MAX_READ = 8 << 20
"""Bytes of content that one message asks for, or brings."""
MAX_ENTRIES = 1 << 16
"""Entries that one message asks for."""
MOST_ENTRIES = 1 << 36
"""Entries of a snapshot: far more than any root has, and few enough to be reckoned with."""
MAX_PARALLEL = 256

Count = Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]
Int64 = Annotated[int, Meta(ge=-(1 << 63), le=(1 << 63) - 1)]
Content = Annotated[bytes, Meta(min_length=32, max_length=32)]
Text = Annotated[bytes, Meta(max_length=MAX_TEXT)]
"""Text as the file system gives it: whatever is not UTF-8 comes through (`surrogateescape`)."""
FileName = Annotated[str, Meta(max_length=255, pattern=r"\A(?!\.{1,2}\Z)[^/\x00]+\Z")]
"""What becomes the name of a directory: a run, a reason for the trash."""
Identity = Annotated[str, Meta(pattern=r"\A([0-9a-f]{32})?\Z")]
"""What a root is known by; empty where nothing is."""
Aside = Annotated[str, Meta(pattern=r"\A(rot|returned)?\Z")]
"""Why something goes to quarantine; empty where it does not."""
Many = Meta(max_length=MANY)
Asked = Meta(max_length=MAX_ENTRIES)
"""For columns with a row for each thing that was asked for."""
Counts = Annotated[tuple[Count, ...], Many]
ByteStrings = Annotated[tuple[bytes, ...], Many]
Bulk = Annotated[memoryview, Meta(max_length=MAX_READ)]
"""Bytes that are not copied: they stand last in their form."""
NO_BULK = memoryview(b"")


class Row(Struct, array_like=True, gc=False):
    """A part of a form."""


class Strings(Row):
    """Byte strings, front-coded."""

    shared: Annotated[tuple[Annotated[int, Meta(ge=0, le=MAX_PATH)], ...], Many]
    suffixes: ByteStrings

    @classmethod
    def of(cls, strings: Iterable[bytes]) -> Self:
        return cls(*front_code(strings))

    def decode(self) -> list[bytes]:
        return front_decode(self.shared, self.suffixes)

    def paths(self) -> list[RelPath]:
        return check_paths(self.decode())


class ProblemRow(Row):
    path: Annotated[bytes, Meta(max_length=MAX_PATH)]
    reason: Text
    subtree: bool


Problems = Annotated[tuple[ProblemRow, ...], Many]


def pack_text(text: str) -> bytes:
    """Text as bytes, cut to `MAX_TEXT`."""
    return text.encode("utf-8", "surrogateescape")[:MAX_TEXT]


def unpack_text(text: bytes) -> str:
    return text.decode("utf-8", "surrogateescape")


def pack_problems(problems: Iterable[Problem]) -> tuple[ProblemRow, ...]:
    """The rows of problems; raises `RootError` where they are too many to be told."""
    rows = tuple(ProblemRow(path, pack_text(reason), subtree) for path, reason, subtree in problems)
    if len(rows) > MANY:
        raise RootError(
            f"trouble with {len(rows)} paths (at most {MANY} can be told), the first: {unpack_text(rows[0].reason)}"
        )
    return rows


def unpack_problems(rows: Sequence[ProblemRow]) -> tuple[Problem, ...]:
    """The problems again; raises `ValueError` where a path leads elsewhere: hooks are told of it.  It may be one that no replica
    holds, as that is what the trouble is."""
    if any(b"\0" in row.path or row.path[:1] == b"/" or b".." in row.path.split(b"/") for row in rows):
        raise ValueError("trouble with a path that leads elsewhere")
    return tuple(Problem(row.path, unpack_text(row.reason), row.subtree) for row in rows)


class EntryRow(Row):
    """An entry without its path."""

    kind: Kind
    mode: Annotated[int, Meta(ge=0, le=PERMISSIONS | SPECIAL)]
    size: Count
    mtime_ns: Int64
    ctime_ns: Int64
    inode: Count
    content: Content
    target: Annotated[bytes, Meta(max_length=MAX_PATH)] = b""

    @classmethod
    def of(cls, entry: Entry) -> Self:
        return cls(*entry[1:9])

    def entry(self, path: RelPath) -> Entry:
        if b"\0" in self.target:
            raise ValueError("symlink target with NUL")
        row = (self.kind, self.mode, self.size, self.mtime_ns, self.ctime_ns, self.inode, self.content, self.target)
        return Entry(path, *row)


class PieceRow(Row):
    offset: Count
    length: Annotated[int, Meta(ge=0, le=MAX_READ)]
    came: Annotated[int, Meta(ge=0, le=MAX_READ)] = 0
    """how many bytes of it are among those of the form"""


class RecipeRow(Row):
    offset: Count
    lengths: Counts
    digests: bytes
    content: Annotated[bytes, Meta(max_length=32)]


class TrashRow(Row):
    run: FileName
    why: FileName
    is_directory: bool
    size: Count


class Form(Struct, array_like=True):
    """What a call's arguments, or a reply's value, look like on the wire; as they are unless a form packs them."""

    @classmethod
    def of(cls, *values: Any) -> Self:
        return cls(*values)

    @classmethod
    def bulk(cls, *_: Any) -> Sequence[bytes | memoryview]:
        """The parts of the bytes that stand last in the message, which `of` has left out; none for most forms."""
        return ()

    def values(self) -> tuple[Any, ...]:
        return msgspec.structs.astuple(self)


class Empty(Form):
    @classmethod
    def of(cls, *values: Any) -> Self:
        assert values in ((), (None,))
        return cls()

    def values(self) -> tuple[Any, ...]:
        return ()


class Nothing(Empty):
    def values(self) -> tuple[None]:
        return (None,)


class SpansForm(Form):
    spans: Counts

    def __post_init__(self) -> None:
        if sum(self.spans[1::2]) > MAX_ENTRIES:
            raise ValueError(f"more than {MAX_ENTRIES} entries asked for")

    @classmethod
    def of(cls, *values: Sequence[Span]) -> Self:
        return cls(pack_spans(values[0]))

    def values(self) -> tuple[Any, ...]:
        return (unpack_spans(self.spans),)


class PiecesForm(Form):
    """`data`: what came of all the pieces, one behind the other."""

    paths: Strings
    rows: Annotated[tuple[PieceRow, ...], Asked]
    data: Bulk

    def __post_init__(self) -> None:
        if sum(row.length for row in self.rows) > MAX_READ:
            raise ValueError(f"pieces of more than {MAX_READ} bytes")

    @classmethod
    def of(cls, *values: Sequence[Piece]) -> Self:
        pieces = values[0]
        rows = tuple(PieceRow(piece.offset, piece.length, len(piece.data)) for piece in pieces)
        return cls(Strings.of(piece.path for piece in pieces), rows, NO_BULK)

    @classmethod
    def bulk(cls, *values: Sequence[Piece]) -> Sequence[bytes | memoryview]:
        return [piece.data for piece in values[0]]

    def values(self) -> tuple[Any, ...]:
        return (tuple(self._pieces()),)

    def _pieces(self) -> Iterator[Piece]:
        ends = list(itertools.accumulate(row.came for row in self.rows))
        if (ends[-1] if ends else 0) != len(self.data):
            raise ValueError("pieces of other lengths than they say")
        for path, row, end in zip(self.paths.paths(), self.rows, ends, strict=True):
            yield Piece(path, row.offset, row.length, self.data[end - row.came : end])


class RecipesForm(Form):
    paths: Strings
    rows: Annotated[tuple[RecipeRow, ...], Meta(max_length=MANY_CHUNKS)]

    @classmethod
    def of(cls, *values: Any) -> Self:
        recipes: Sequence[Recipe] = values[0]
        return cls(Strings.of(each.path for each in recipes), tuple(RecipeRow(*each[1:]) for each in recipes))

    def values(self) -> tuple[Any, ...]:
        return (tuple(_recipe(path, row) for path, row in zip(self.paths.paths(), self.rows, strict=True)),)


def _recipe(path: RelPath, row: RecipeRow) -> Recipe:
    sizes = {level.digest * len(row.lengths) for level in LEVELS}
    if len(row.digests) not in sizes or len(row.content) not in (0, 32):
        raise ValueError("recipe that does not fit together")
    if 0 in row.lengths or row.offset + sum(row.lengths) >= 1 << 63:
        raise ValueError("recipe with an empty chunk, or one beyond any file")
    return Recipe(path, row.offset, row.lengths, row.digests, row.content)


class TrashForm(Form):
    paths: Strings
    rows: Annotated[tuple[TrashRow, ...], Asked]

    @classmethod
    def of(cls, *values: Any) -> Self:
        items: Sequence[TrashItem] = values[0]
        rows = tuple(TrashRow(item.run, item.why, item.is_directory, item.size) for item in items)
        return cls(Strings.of(item.path for item in items), rows)

    def values(self) -> tuple[Any, ...]:
        pairs = zip(self.paths.paths(), self.rows, strict=True)
        return (tuple(TrashItem(row.run, row.why, path, row.is_directory, row.size) for path, row in pairs),)
