"""The forms of calls and replies about growths: columns as they are, checked without an object for each entry."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from operator import lt
from typing import Annotated, Any, Self

from msgspec import Meta

from aefsync.core.compare import Span
from aefsync.core.growth import ENTRIES, Gathered, Growth, Learned
from aefsync.core.path import MAX_PATH, RelPath, check_names
from aefsync.core.snapshot import CONTENT, Block
from aefsync.core.version_table import NUMBER, VersionTable, table_of
from aefsync.wire.messages.columns import check_stats
from aefsync.wire.messages.rows import NO_BULK, Bulk, ByteStrings, Counts, Empty, Form, Nothing, Row, Strings
from aefsync.wire.messages.versions import Versions
from aefsync.wire.packing import pack_spans, unpack_spans

Columns = Annotated[bytes, Meta(max_length=ENTRIES * CONTENT)]


class GrowthRow(Row):
    """A row of each column for each block; the versions of all of it each once, with the numbers that entries have."""

    directories: Strings
    names: ByteStrings
    stats: ByteStrings
    contents: ByteStrings
    targets: ByteStrings
    versions: Versions | None = None
    numbers: Annotated[bytes, Meta(max_length=ENTRIES * NUMBER)] = b""

    @classmethod
    def of(cls, growth: Growth) -> Self:
        _, names, stats, contents, *_ = (
            zip(*growth.blocks, strict=True) if growth.blocks else ((),) * len(Block._fields)
        )
        table = table_of(growth)
        columns = (names, stats, contents, growth.targets, Versions.of(table.versions), table.numbers)
        return cls(_directories(growth.blocks), *columns)

    def growth(self) -> Growth:
        """The growth, every name checked, in key order."""
        columns = (map(_prefix, self.directories.decode()), self.names, self.stats, self.contents)
        blocks, before, links = [], b"", 0
        for prefix, names, stats, contents in zip(*columns, strict=True):
            listed = checked_names(prefix, names)
            links += check_stats(stats, len(listed))
            if len(contents) != len(listed) * CONTENT or prefix + listed[0] <= before:
                raise ValueError("block that does not fit together, or out of order")
            blocks.append(Block(prefix, names, stats, contents, len(listed)))
            before = prefix + listed[-1]
        if sum(block.length for block in blocks) > ENTRIES or links != len(self.targets):
            raise ValueError("too many entries, or too few targets")
        if any(len(target) > MAX_PATH or b"\0" in target for target in self.targets):
            raise ValueError("symlink target with NUL, or too long")
        return self._table().put_into(Growth(tuple(blocks), self.targets))

    def _table(self) -> VersionTable:
        column = self.versions.column() if self.versions is not None else []
        versions = tuple(version for version in column if version is not None)
        if len(versions) != len(column):
            raise ValueError("no version in a table of versions")
        return VersionTable(versions, self.numbers)


def _directories(blocks: Iterable[Block | Learned]) -> Strings:
    """The paths of directories, the root's being empty."""
    return Strings.of(block.prefix[:-1].replace(b"\0", b"/") for block in blocks)


def _prefix(directory: bytes) -> bytes:
    return RelPath(directory).key + b"\0" if directory else b""


def checked_names(prefix: bytes, names: bytes) -> list[bytes]:
    """The names of entries of one directory, in order; raises `ValueError`."""
    listed = check_names(names)
    if len(prefix) + max(map(len, listed)) > MAX_PATH:
        raise ValueError("path too long")
    if not all(map(lt, listed, itertools.islice(listed, 1, None))):
        raise ValueError("names out of order")
    return listed


class GrowthCall(Form, tag="growth"):
    spans: Counts

    @classmethod
    def of(cls, *values: Sequence[Span]) -> Self:
        return cls(pack_spans(values[0]))

    def values(self) -> tuple[Any, ...]:
        return (unpack_spans(self.spans),)


class GrowthForm(Form):
    growth: GrowthRow

    @classmethod
    def of(cls, *values: Growth) -> Self:
        return cls(GrowthRow.of(values[0]))

    def values(self) -> tuple[Any, ...]:
        return (self.growth.growth(),)


class GrowthReply(GrowthForm, tag="growth"): ...


class GatherCall(GrowthForm, tag="gather"): ...


class GatherReply(Form, tag="gather"):
    contents: Columns
    data: Bulk

    @classmethod
    def of(cls, *values: Gathered) -> Self:
        return cls(values[0].contents, NO_BULK)

    @classmethod
    def bulk(cls, *values: Gathered) -> Sequence[bytes | memoryview]:
        return (values[0].data,)

    def values(self) -> tuple[Any, ...]:
        return (Gathered(self.contents, self.data),)


class GrowCall(Form, tag="grow"):
    growth: GrowthRow
    peer: Annotated[int, Meta(ge=0, le=1 << 16)] | None
    data: Bulk

    @classmethod
    def of(cls, *values: Any) -> Self:
        growth, _, peer = values
        return cls(GrowthRow.of(growth), peer, NO_BULK)

    @classmethod
    def bulk(cls, *values: Any) -> Sequence[bytes | memoryview]:
        return (values[1],)

    def values(self) -> tuple[Any, ...]:
        return self.growth.growth(), self.data, self.peer


class GrowReply(Form, tag="grow"):
    contents: Columns


class PlantCall(Empty, tag="plant"): ...


class PlantReply(Form, tag="plant"):
    flags: Annotated[bytes, Meta(max_length=ENTRIES)]


class LearnCall(Form, tag="learn"):
    directories: Strings
    names: ByteStrings
    contents: ByteStrings

    @classmethod
    def of(cls, *values: Sequence[Learned]) -> Self:
        learned = values[0]
        names, contents = tuple(each.names for each in learned), tuple(each.contents for each in learned)
        return cls(_directories(learned), names, contents)

    def values(self) -> tuple[Any, ...]:
        return (tuple(self._learned()),)

    def _learned(self) -> Iterator[Learned]:
        for prefix, names, contents in zip(
            map(_prefix, self.directories.decode()), self.names, self.contents, strict=True
        ):
            if len(contents) != len(checked_names(prefix, names)) * CONTENT:
                raise ValueError("digests that do not fit their names")
            yield Learned(prefix, names, contents)


class LearnReply(Nothing, tag="learn"): ...
