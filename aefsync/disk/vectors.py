"""Vectors: the versions that a sidecar speaks of, by number, each kept once.

Most entries of a replica share a few versions: what the first scan found, what one session brought.  So a record
holds a number, and here stand the versions, in pages of `ROWS`.  Number 0 is what the first scan found.  Digests are at
hand without unpacking, since they are all that an unchanged tree needs.
"""

from __future__ import annotations

import struct
import zlib
from array import array
from collections.abc import Callable, Collection, Iterable, Iterator

from aefsync.core.named_tuple import NamedTuple
from aefsync.core.version import AUTHOR, FOUND, Dot, Vector, Version

ROWS = 1024
FIRST = 0
"""The number of what the first scan found."""
NUMBER = 4
"""Bytes of a packed number."""
_DOT = struct.Struct(f"<{AUTHOR}sQ")
_NO_DIGEST = bytes(AUTHOR)
_NAMED = 1 << 15
"""In the length of a packed vector: there is an author."""


class VectorPage(NamedTuple):
    """Versions `number * ROWS` and those that follow: their digests, and themselves packed."""

    number: int
    digests: bytes
    body: bytes


class Vectors:
    """All versions of one sidecar."""

    def __init__(self, pages: Iterable[VectorPage] = ()) -> None:
        self._digests: list[bytes] = [_NO_DIGEST]
        self._packed: dict[int, bytes] = {}
        self._unpacked: dict[int, list[Version]] = {}
        self._numbers: dict[tuple[bytes, bytes], int] | None = None
        self._free: list[int] = []
        self._changed: set[int] = set()
        for number, digests, body in pages:
            cut = [digests[i : i + AUTHOR] for i in range(0, len(digests), AUTHOR)]
            self._digests[number * ROWS :] = cut
            self._packed[number] = body

    def __len__(self) -> int:
        """How many versions there are, and numbers that are free."""
        return len(self._digests)

    def version(self, number: int) -> Version:
        """The version of a number; raises `ValueError` where there is none, or it is damaged."""
        if number == FIRST:
            return FOUND
        page = self._page(number // ROWS)
        if number % ROWS >= len(page):
            raise ValueError("no such version")
        return page[number % ROWS]

    def digest(self, number: int) -> bytes:
        """The digest of the version of a number."""
        return self._digests[number]

    def digests(self, numbers: bytes, count: int) -> bytes:
        """The digests of `count` versions by their packed numbers (one number: all the same)."""
        if len(numbers) == NUMBER:
            return self._digests[int.from_bytes(numbers, "little")] * count
        return b"".join([self._digests[number] for number in unpacked(numbers, count)])

    def number(self, version: Version) -> int:
        """The number of a version, a new one where it has none yet."""
        if version == FOUND:
            return FIRST
        if self._numbers is None:
            self._numbers, self._free = self._look_up()
        key = version.digest, version.author
        known = self._numbers.get(key)
        if known is None:
            known = self._numbers[key] = self._take(version, key[0])
        return known

    def numbers(self, chosen: Callable[[Vector], bool]) -> list[int]:
        """The numbers of all versions whose vectors are of some kind."""
        used = (number for number in range(1, len(self._digests)) if self._digests[number] != _NO_DIGEST)
        return [number for number in used if chosen(self.version(number).vector)]

    def replace(self, number: int, version: Version) -> None:
        """Have a number stand for another version, wherever it is used."""
        self._digests[number] = version.digest
        self._page(number // ROWS)[number % ROWS] = version
        self._changed.add(number // ROWS)
        self._numbers = None

    def changed(self) -> Iterator[VectorPage]:
        """The pages that were changed since they were asked for last."""
        for number in sorted(self._changed):
            digests = b"".join(self._digests[number * ROWS : (number + 1) * ROWS])
            yield VectorPage(number, digests, _pack(self._page(number)))
        self._changed.clear()

    def keep(self, used: Collection[int]) -> None:
        """Free the numbers that nothing uses."""
        for number in range(1, len(self._digests)):
            if number not in used and self._digests[number] != _NO_DIGEST:
                self._digests[number] = _NO_DIGEST
                self._page(number // ROWS)[number % ROWS] = FOUND
                self._changed.add(number // ROWS)
        self._numbers = None

    def _look_up(self) -> tuple[dict[tuple[bytes, bytes], int], list[int]]:
        known: dict[tuple[bytes, bytes], int] = {}
        free: list[int] = []
        for number in range(1, len(self._digests)):
            digest = self._digests[number]
            if digest == _NO_DIGEST:
                free.append(number)
            else:
                known[digest, self.version(number).author] = number
        return known, free

    def _take(self, version: Version, digest: bytes) -> int:
        number = self._free.pop() if self._free else len(self._digests)
        page = self._page(number // ROWS)
        if number == len(self._digests):
            self._digests.append(digest)
            page.append(version)
        else:
            self._digests[number] = digest
            page[number % ROWS] = version
        self._changed.add(number // ROWS)
        return number

    def _page(self, number: int) -> list[Version]:
        page = self._unpacked.get(number)
        if page is None:
            packed = self._packed.pop(number, None)
            page = self._unpacked[number] = _unpack(packed) if packed is not None else [] if number else [FOUND]
        return page


def packed(numbers: array[int]) -> bytes:
    """Numbers packed; one where all are the same."""
    if len(set(numbers)) == 1:
        numbers = numbers[:1]
    return struct.pack(f"<{len(numbers)}I", *numbers)


def unpacked(numbers: bytes, count: int) -> array[int]:
    """The inverse of `packed`; raises `ValueError` where there are not so many."""
    if len(numbers) == NUMBER:
        return array("I", [int.from_bytes(numbers, "little")]) * count
    if len(numbers) != NUMBER * count:
        raise ValueError("versions do not fit their entries")
    return array("I", struct.unpack(f"<{count}I", numbers))


def _pack(versions: list[Version]) -> bytes:
    counts = [len(each.vector) | (_NAMED if each.author else 0) for each in versions]
    head = struct.pack(f"<I{len(versions)}H", len(versions), *counts)
    authors = b"".join(each.author.ljust(AUTHOR, b"\0") for each in versions)
    dots = b"".join(_DOT.pack(author, counter) for each in versions for author, counter in each.vector)
    return zlib.compress(head + authors + dots, 1)


def _unpack(body: bytes) -> list[Version]:
    try:
        data = zlib.decompress(body)
        (count,) = struct.unpack_from("<I", data)
        lengths = struct.unpack_from(f"<{count}H", data, 4)
        at = 4 + 2 * count
        authors = [data[i : i + AUTHOR] for i in range(at, at + count * AUTHOR, AUTHOR)]
        dots = [Dot(*row) for row in _DOT.iter_unpack(data[at + count * AUTHOR :])]
    except (zlib.error, struct.error):
        raise ValueError("versions are damaged") from None
    versions, low = [], 0
    for length, author in zip(lengths, authors, strict=True):
        high = low + length % _NAMED
        versions.append(Version(tuple(dots[low:high]), author if length & _NAMED else b""))
        low = high
    if low != len(dots):
        raise ValueError("versions do not fit together")
    return versions
