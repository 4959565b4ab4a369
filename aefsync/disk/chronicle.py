"""The chronicle: the versions of one replica during a session, as its scan, its sidecar and what it does make them.

For each page of the scan it has the packed numbers of the versions of its entries (`vectors`), and all tombstones.  An
entry that it says nothing of has the version of what the first scan found.  Where a session only reads, nothing of it
is ever written.
"""

from __future__ import annotations

import contextlib
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from aefsync.core.digest import ENTRY_DIGEST, framed_digest
from aefsync.core.path import RelPath
from aefsync.core.snapshot import Block, added
from aefsync.core.version import Dot, Grave, Vector, Version, is_covered
from aefsync.disk.key_order import runs
from aefsync.disk.page import Brief, Page, PageKey
from aefsync.disk.sidecar import Sidecar
from aefsync.disk.vectors import FIRST, NUMBER, Vectors, packed, unpacked

_FOUND = FIRST.to_bytes(NUMBER, "little")
_AUTHOR, _COUNTER, _WHOLE = "author", "counter", "whole"
_SPARE = 1024
"""Numbers that nothing uses are looked for when there are twice as many as were used last time, and so many more."""


class Numbered(NamedTuple):
    """The packed versions of the entries of one page: of the one that has these names, joined, or where those were not
    looked at, these entry digests."""

    versions: bytes
    names: bytes | None
    digests: bytes = b""

    def fits(self, page: Page | Brief) -> bool:
        """Whether a page is the one that they belong to."""
        if self.names is None:
            return self.digests == page.digests
        return isinstance(page, Page) and self.names == page.names


class Column:
    """The versions of some entries of a page (`snapshot.Versions`)."""

    __slots__ = ("_numbers", "_vectors")

    def __init__(self, vectors: Vectors, numbers: array[int]) -> None:
        self._vectors = vectors
        self._numbers = numbers

    def __getitem__(self, index: int) -> Version:
        return self._vectors.version(self._numbers[index])

    @property
    def digests(self) -> bytes:
        return self._vectors.digests(packed(self._numbers), len(self._numbers))


class Chronicle:
    """Over a sidecar; without one (a session that only reads, where there is none) everything is found for the first
    time.

    `pages` has the numbers by page of the scan.  `unsealed` are the directories whose records may be completed, `deferred` those that have no records yet, though
    their entries were found; `is_first`: no scan has looked at everything before.
    """

    def __init__(self, sidecar: Sidecar | None, author: bytes, *, writable: bool) -> None:
        self.sidecar = sidecar
        self.writable = writable and sidecar is not None
        words = sidecar.words() if sidecar is not None else {}
        self.author = words.get(_AUTHOR, author)
        self.counter = int.from_bytes(words.get(_COUNTER, b""))
        self.is_first = _WHOLE not in words
        self.vectors = Vectors(sidecar.vectors() if sidecar is not None else ())
        self.graves: dict[bytes, dict[bytes, int]] = defaultdict(dict, sidecar.graves() if sidecar is not None else {})
        self.pages: dict[PageKey, Numbered] = {}
        self.unsealed: set[bytes] = set()
        self.deferred: set[bytes] = set()
        self._dug: set[bytes] = set()

    @property
    def next_dot(self) -> Dot:
        """What the next edit of this replica is called."""
        return Dot(self.author, self.counter + 1)

    def use_dot(self) -> Dot:
        """The next one, which is used from now on."""
        dot, self.counter = self.next_dot, self.counter + 1
        if self.writable and self.sidecar is not None:
            self.sidecar.set_words({_AUTHOR: self.author, _COUNTER: self.counter.to_bytes(8)})
        return dot

    def looked_at_everything(self) -> None:
        """From now on what has no record was not there before."""
        if self.is_first and self.writable and self.sidecar is not None:
            self.sidecar.set_words({_AUTHOR: self.author, _WHOLE: b"1"})

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Whatever is changed meanwhile is written, with the versions and tombstones that it speaks of."""
        if not self.writable or self.sidecar is None:
            yield
            return
        with self.sidecar.transaction():
            yield
            for directory in sorted(self._dug):
                self.sidecar.set_graves(directory, self.graves.get(directory, {}))
            self._dug.clear()
            self.sidecar.set_vectors(self.vectors.changed())

    def bury(self, directory: bytes, name: bytes, version: int) -> None:
        """Put a tombstone at a path."""
        if self.graves[directory].get(name) != version:
            self.graves[directory][name] = version
            self._dug.add(directory)

    def unbury(self, directory: bytes, name: bytes) -> None:
        """Take a tombstone away, where there is one."""
        graves = self.graves.get(directory)
        if graves is not None and graves.pop(name, None) is not None:
            self._dug.add(directory)

    def tombstones(self, watermark: Vector, counts: Callable[[bytes], bool]) -> Iterator[Grave]:
        """All tombstones above the watermark, of paths that are looked at."""
        covered: dict[int, bool] = {}
        for directory, graves in self.graves.items():
            for name, number in graves.items():
                version = self.vectors.version(number)
                if number not in covered:
                    covered[number] = is_covered(version.vector, watermark)
                path = RelPath.again((directory + name).replace(b"\0", b"/"))
                if not covered[number] and counts(path):
                    yield Grave(path, version)

    def collect(self, watermark: Vector) -> None:
        """Let go of the tombstones that nobody needs any more, and of the versions that nothing has."""
        for directory, graves in self.graves.items():
            gone = [name for name, each in graves.items() if is_covered(self.vectors.version(each).vector, watermark)]
            for name in gone:
                self.unbury(directory, name)
        if self.writable and self.sidecar is not None:
            used_before = int.from_bytes(self.sidecar.words().get("vectors", b""))
            if len(self.vectors) > 2 * used_before + _SPARE:
                used = self._used(self.sidecar)
                self.vectors.keep(used)
                self.sidecar.set_words({"vectors": len(used).to_bytes(8)})

    def _used(self, sidecar: Sidecar) -> set[int]:
        used = {number for graves in self.graves.values() for number in graves.values()}
        for head in sidecar.heads():
            used.update(unpacked(head.versions, head.length))
        return used

    def versioned(self, key: PageKey, digests: bytes) -> bytes:
        """The entry digests of a page with those of the versions in them."""
        numbered = self.pages.get(key)
        if numbered is None or numbered.versions == _FOUND:
            return digests
        return added(digests, self.vectors.digests(numbered.versions, len(digests) // ENTRY_DIGEST))

    def dated(self, blocks: Sequence[Block], pages: Mapping[PageKey, Page]) -> list[Block]:
        """The blocks of these pages, in key order, with their versions."""
        last, numbers, dated = None, array("I"), []
        for block, (key, low, high) in zip(blocks, runs(pages), strict=True):
            if key != last:
                numbered = self.pages.get(key)
                numbers = unpacked(_FOUND if numbered is None else numbered.versions, pages[key].length)
                last = key
            dated.append(block._replace(versions=Column(self.vectors, numbers[low:high])))
        return dated


def seal_of(pages: Sequence[Page | Brief], versions: Sequence[bytes], hidden: Sequence[bytes]) -> bytes:
    """16 bytes that stand for all that a directory shows (by its pages, all of it read, nothing racy), and for the versions
    recorded of it: while they are the same, every entry is as it was recorded."""
    digests, stamps = b"".join([page.digests for page in pages]), b"".join([page.stamp for page in pages])
    return framed_digest((digests, stamps, *versions, *hidden), 16)
