"""The chronicle: the versions of one replica during a session, as its scan, its sidecar and what it does make them.

For each page of the scan it has the packed numbers of the versions of its entries (`vectors`), and all tombstones.  An
entry that it says nothing of has the version of what the first scan found.  Where a session only reads, nothing of it
is ever written.
"""

from __future__ import annotations

import contextlib
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from aefsync.core.digest import ENTRY_DIGEST, content_digest
from aefsync.core.members import TAG, Encounter, Mark
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.snapshot import Block, VersionList, added
from aefsync.core.tombstones import TombstoneRow
from aefsync.core.version import AUTHOR as AUTHOR_BYTES
from aefsync.core.version import Dot, Vector, Version, is_covered, minted, without
from aefsync.disk.blocks import with_each
from aefsync.disk.key_order import runs
from aefsync.disk.page import NOT_TAKEN, Brief, Page, PageKey
from aefsync.disk.pages import Names, Pages
from aefsync.disk.sidecar import Sidecar
from aefsync.disk.standing import AUTHOR, ID, NO_MARK, PLACE, RETURNED, disproves, marks_of, met_of, with_marks
from aefsync.disk.vectors import FIRST, NUMBER, Vectors, packed, unpacked

_FOUND = FIRST.to_bytes(NUMBER, "little")
_WHOLE, _USED, _OVERTAKEN = "whole", "used", "overtaken"
_SPARE = 1024
"""Numbers that nothing uses are looked for when there are twice as many as were used last time, and so many more."""


class Numbered(NamedTuple):
    """The packed versions of the entries of one page: of the one that has these names, or where those were not looked at
    (`None`), or are put away, these entry digests."""

    versions: bytes
    names: Names | None
    digests: bytes | None = None

    def fits(self, page: Page | Brief) -> bool:
        """Whether a page is the one that they belong to."""
        if isinstance(self.names, bytes) and isinstance(page, Page):
            return self.names == page.names
        return self.digests == page.digests and NOT_TAKEN not in page.digests


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

    def part(self, low: int, high: int) -> VersionList:
        numbers = self._numbers[low:high]
        known = {number: self._vectors.version(number) for number in set(numbers)}
        return VersionList(map(known.__getitem__, numbers))


class Chronicle:
    """Over a sidecar; without one (a session that only reads, where there is none) everything is found for the first
    time.

    `pages` has the numbers by page of the scan.  `unsealed` are the directories whose records may be completed,
    `deferred` those that have no records yet, though their entries were found; `is_first`: no scan has looked at
    everything before.
    """

    def __init__(self, sidecar: Sidecar | None, *, writable: bool, random: Callable[[int], bytes]) -> None:
        self.sidecar = sidecar
        self.writable = writable and sidecar is not None
        self._random = random
        self.words = sidecar.words() if sidecar is not None else {}
        self.author = self.words.get(AUTHOR) or random(AUTHOR_BYTES)
        self.marks = list(marks_of(self.words))
        self.is_first = _WHOLE not in self.words
        self.vectors = Vectors(sidecar.vectors() if sidecar is not None else ())
        self.tombstones: dict[bytes, dict[bytes, int]] = sidecar.tombstones() if sidecar is not None else {}
        self.pages: dict[PageKey, Numbered] = {}
        self.unsealed: set[bytes] = set()
        self.deferred: set[bytes] = set()
        self._dug: set[bytes] = set()
        if AUTHOR not in self.words:
            self.set_words({AUTHOR: self.author})

    def settle_in(self, identity: str, place: bytes) -> None:
        """Know the replica by its id, and where it is (empty: that cannot be told).

        Under another id it is a copy, however that was made: it shares the past, and goes on under a name of its own.
        """
        known, now = self.words.get(ID), {ID: identity.encode(), **({PLACE: place} if place else {})}
        if known is not None and known != now[ID]:
            self._take_another_name()
        if not now.items() <= self.words.items():
            self.set_words(now)

    def enter(self, sidecar: Sidecar) -> None:
        """Be written from now on, in a sidecar that has just been made."""
        self.sidecar, self.writable = sidecar, True
        self.set_words(self.words)

    @property
    def mark(self) -> Mark:
        """The last one."""
        return self.marks[-1] if self.marks else NO_MARK

    @property
    def next_dot(self) -> Dot:
        """What the next edit of this replica is called."""
        return Dot(self.author, self.mark.counter + 1)

    def mint(self) -> Dot:
        """The next dot, which is used from now on; it leaves a mark."""
        dot = self.next_dot
        self.marks.append(Mark(dot.counter, self._random(TAG)))
        self.set_words(with_marks(self.marks, met_of(self.words)))
        return dot

    def adopt(self, version: Version) -> int:
        """The number of a version that a session brings.

        If it tells of edits by this replica that it never made, somebody has made them under its name: from the next scan
        on it goes on under another one, for its own edits would seem to be old.
        """
        for author, counter in version.vector:
            if author == self.author and counter > self.mark.counter:
                self.set_words({_OVERTAKEN: b"1"})
        return self.vectors.number(version)

    def set_words(self, words: Mapping[str, bytes]) -> None:
        """Have the sidecar say something else of the replica."""
        self.words |= words
        if self.writable and self.sidecar is not None:
            self.sidecar.set_words(words)

    def looked_at_everything(self) -> None:
        """From now on what has no record was not there before."""
        if self.is_first:
            self.set_words({_WHOLE: b"1"})

    def disprove(self, claims: Iterable[Encounter]) -> bool:
        """Whether there are two replicas with this one's past, as a mark shows that another member has of it.

        If so it goes on under another name, and what it did since it last met such a member counts as done by that one.
        """
        foreign = [claim.id for claim in claims if disproves(self.marks, claim.mark)]
        if not foreign:
            if self.words.get(_OVERTAKEN):
                self._take_another_name()
            return False
        agreed = {each.id: each.counter for each in met_of(self.words)}
        known = min(agreed.get(each, 0) for each in foreign)
        old = self.author
        self._take_another_name()
        self.set_words({RETURNED: b"1"})
        lost = self.vectors.numbers(lambda vector: dict(vector).get(old, 0) > known)
        dot = self.mint() if lost else self.next_dot
        for number in lost:
            vector = minted(without(self.vectors.version(number).vector, old), dot)
            self.vectors.replace(number, Version(vector, dot.author))
        return True

    def _take_another_name(self) -> None:
        self.author, self.marks = self._random(AUTHOR_BYTES), []
        self.set_words({AUTHOR: self.author, _OVERTAKEN: b"", **with_marks((), ())})

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Whatever is changed meanwhile is written, with the versions and tombstones that it speaks of."""
        if not self.writable or self.sidecar is None:
            yield
            return
        with self.sidecar.transaction():
            yield
            for directory in sorted(self._dug):
                self.sidecar.set_tombstones(directory, self.tombstones.get(directory, {}))
            self._dug.clear()
            self.sidecar.set_vectors(self.vectors.changed())

    def bury(self, directory: bytes, name: bytes, version: int) -> None:
        """Put a tombstone at a path."""
        tombstones = self.tombstones.setdefault(directory, {})
        if tombstones.get(name) != version:
            tombstones[name] = version
            self._dug.add(directory)

    def unbury(self, directory: bytes, name: bytes) -> None:
        """Take a tombstone away, where there is one."""
        tombstones = self.tombstones.get(directory)
        if tombstones is not None and tombstones.pop(name, None) is not None:
            self._dug.add(directory)

    def tombstone_rows(self, is_in_sight: Callable[[bytes, bytes], bool]) -> Iterator[TombstoneRow]:
        """All tombstones of what would be seen, by directory and name, were it there."""
        version, digest = self.vectors.version, self.vectors.digest
        for directory, tombstones in self.tombstones.items():
            for name, number in tombstones.items():
                if is_in_sight(directory, name):
                    yield TombstoneRow(directory, name, version(number), digest(number))

    def forget(self, watermark: Vector) -> None:
        """Let go of the tombstones that nobody needs any more."""
        if not watermark:
            return
        version = self.vectors.version
        covered = {number for number in self._buried() if is_covered(version(number).vector, watermark)}
        for directory, tombstones in self.tombstones.items():
            for name in [name for name, number in tombstones.items() if number in covered]:
                self.unbury(directory, name)

    def tidy(self) -> None:
        """Let go of versions that nothing has, where there may be many; in a transaction, and nothing being pending."""
        used_before = int.from_bytes(self.words.get(_USED, b""))
        if self.sidecar is not None and len(self.vectors) > 2 * used_before + _SPARE:
            used = self._used(self.sidecar)
            self.vectors.keep(used)
            self.set_words({_USED: len(used).to_bytes(8)})

    def _buried(self) -> set[int]:
        """The versions of all tombstones."""
        return {number for tombstones in self.tombstones.values() for number in tombstones.values()}

    def _used(self, sidecar: Sidecar) -> set[int]:
        used = self._buried()
        for head in sidecar.heads():
            used.update(unpacked(head.versions, head.length))
        return used

    def versioned(self, key: PageKey, digests: bytes) -> bytes:
        """The entry digests of a page with those of the versions in them."""
        numbered = self.pages.get(key)
        if numbered is None or numbered.versions == _FOUND:
            return digests
        return added(digests, self.vectors.digests(numbered.versions, len(digests) // ENTRY_DIGEST))

    def dated(self, blocks: Sequence[Block], pages: Pages) -> Sequence[Block]:
        """The blocks of these pages, in key order, with their versions."""
        cuts = [(self.pages.get(key), low, high) for key, low, high in runs(pages.known)]

        def date(number: int, block: Block) -> Block:
            numbered, low, high = cuts[number]
            own = _FOUND if numbered is None else numbered.versions
            part = own if len(own) == NUMBER else own[low * NUMBER : high * NUMBER]
            return block._replace(versions=Column(self.vectors, unpacked(part, high - low)))

        return with_each(blocks, date)


def seal_of(pages: Sequence[Page | Brief], versions: Sequence[bytes]) -> bytes:
    """16 bytes that stand for all that a directory shows (by its pages, all of it read, nothing racy), and for the versions
    recorded of it: while they are the same, every entry is as it was recorded."""
    shown = [(page.digests, page.stamp) for page in pages]
    columns = [*(digests for digests, _ in shown), *(stamp for _, stamp in shown), *versions]
    # One call where framing each column would take several: an unchanged directory costs hardly anything else.
    return content_digest(b"".join([*columns, array("Q", map(len, columns)).tobytes()]))[:16]
