"""Versions on the wire: each author and each version of a message is written once, and rows hold its number.

Most entries of a message have few versions among them: what one scan found anew, or one peer brought, has one and the
same.  Where no versions were asked for, nothing of this travels.

    authors   (A, B)
    versions  ((1, 0 2), (0))          by A, vector A 2; the empty vector of what a first scan found
    numbers   (1, 1, 2, 0)             the first two entries have the first version, the last has none
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import lt
from typing import Annotated, Self

from msgspec import Meta

from aefsync.core.entry import Entry
from aefsync.core.growth import ENTRIES
from aefsync.core.version import AUTHOR, MANY_DOTS, MOST_DOTS, Dot, Tombstone, Vector, Version
from aefsync.wire.messages.rows import Count, Counts, Empty, Form, Many, Row, SpansForm, Strings

Author = Annotated[bytes, Meta(min_length=AUTHOR, max_length=AUTHOR)]
Authors = Annotated[tuple[Author, ...], Many]


class Roll:
    """Authors, numbered in the order in which they come up."""

    def __init__(self) -> None:
        self._numbers: dict[bytes, int] = {}

    @property
    def authors(self) -> tuple[bytes, ...]:
        return tuple(self._numbers)

    def number(self, author: bytes) -> int:
        return self._numbers.setdefault(author, len(self._numbers))

    def vector(self, vector: Vector) -> tuple[int, ...]:
        """The number of an author and a counter for each component, in turn."""
        packed: list[int] = []
        for author, counter in vector:
            packed += (self.number(author), counter)
        return tuple(packed)


def author_of(authors: Sequence[bytes], number: int) -> bytes:
    """The author of that number; raises `ValueError` where there is none."""
    if number >= len(authors):
        raise ValueError(f"author {number} of {len(authors)}")
    return authors[number]


def unpack_vector(authors: Sequence[bytes], packed: Sequence[int], most: int = MOST_DOTS) -> Vector:
    """A vector again; raises `ValueError` for what no vector looks like."""
    if len(packed) % 2 or len(packed) > 2 * most:
        raise ValueError("half a component, or too many")
    numbers = packed[0::2]
    if numbers and max(numbers) >= len(authors):
        raise ValueError(f"author {max(numbers)} of {len(authors)}")
    named = [authors[number] for number in numbers]
    if len(named) > 1 and not all(map(lt, named, named[1:])):
        raise ValueError("components out of order")
    return tuple(map(Dot, named, packed[1::2]))


def check_dots(vectors: Iterable[Sequence[int]]) -> None:
    """Raise `ValueError` where packed vectors have too many components together."""
    if sum(map(len, vectors)) > 2 * MANY_DOTS:
        raise ValueError(f"more than {MANY_DOTS} components of vectors")


class Versions(Row):
    """A column of versions, each row's number counted from 1 (0: it has none).

    A version is the number of its author, counted from 1 (0: nobody), and its vector.
    """

    authors: Authors
    versions: Annotated[
        tuple[Annotated[tuple[Count, ...], Meta(max_length=2 * MOST_DOTS + 1)], ...], Meta(max_length=ENTRIES)
    ]
    numbers: Counts

    def __post_init__(self) -> None:
        check_dots(self.versions)

    @classmethod
    def of(cls, column: Iterable[Version | None]) -> Self | None:
        """Nothing is said where no row has a version."""
        roll, known = Roll(), dict[Version, int]()
        numbers = tuple(0 if each is None else known.setdefault(each, len(known) + 1) for each in column)
        versions = tuple((roll.number(v.author) + 1 if v.author else 0, *roll.vector(v.vector)) for v in known)
        return cls(roll.authors, versions, numbers) if known else None

    def column(self) -> list[Version | None]:
        """The versions of the rows; raises `ValueError` for what is none."""
        known = [None, *map(self._version, self.versions)]
        if any(number >= len(known) for number in self.numbers):
            raise ValueError("version that was not told")
        return [known[number] for number in self.numbers]

    def _version(self, packed: Sequence[int]) -> Version:
        if not packed:
            raise ValueError("version of nothing")
        author = author_of(self.authors, packed[0] - 1) if packed[0] else b""
        return Version(unpack_vector(self.authors, packed[1:]), author)


def with_versions(entries: Sequence[Entry], versions: Versions | None) -> list[Entry]:
    """The entries of a form with their versions; raises `ValueError` where these are not as many."""
    if versions is None:
        return list(entries)
    pairs = zip(entries, versions.column(), strict=True)
    return [entry if version is None else entry._replace(version=version) for entry, version in pairs]


class TombstonesCall(SpansForm, tag="tombstones"): ...


class TombstonesReply(Form, tag="tombstones"):
    paths: Strings
    versions: Versions | None

    @classmethod
    def of(cls, *values: Sequence[Tombstone]) -> Self:
        tombstones = values[0]
        return cls(Strings.of(each.path for each in tombstones), Versions.of(each.version for each in tombstones))

    def values(self) -> tuple[tuple[Tombstone, ...]]:
        column = self.versions.column() if self.versions else []
        pairs = zip(self.paths.paths(), column, strict=True)
        return (tuple(Tombstone(path, _told(version)) for path, version in pairs),)


def _told(version: Version | None) -> Version:
    if version is None:
        raise ValueError("tombstone without a version")
    return version


class MintCall(Empty, tag="mint"): ...


class MintReply(Form, tag="mint"):
    author: Author
    counter: Annotated[int, Meta(ge=1, le=(1 << 63) - 1)]

    @classmethod
    def of(cls, *values: Dot) -> Self:
        return cls(*values[0])

    def values(self) -> tuple[Dot]:
        return (Dot(self.author, self.counter),)
