"""The page: what a scan knows of up to `ROWS` neighbours in one directory, column by column, and its form in the index.

A directory is one page, or as many as it needs: nothing that is done to a page depends on how large the directory is.
Columns are packed so that an unchanged directory costs two comparisons of byte strings and is reused as it stands.
What the directory lists but the tree leaves out (filtered names, devices) is kept too, in the `listed` columns, so that
such a directory is recognised as unchanged all the same.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import lru_cache
from operator import ge

from aefsync.core.digest import ENTRY_DIGEST, framed_digest
from aefsync.core.entry import UNKNOWN
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.snapshot import CONTENT, STAT_COLUMNS, Block, block_digests
from aefsync.core.view import STAT, View

RACY = 1
"""Written so shortly before it was looked at that an unchanged stat proves nothing."""
UNREAD = 2
"""A file whose content digest is not known."""
_READ = bytes(flag & ~UNREAD for flag in range(256))
NOT_TAKEN = bytes(ENTRY_DIGEST)
"""In place of an entry digest that was not computed yet."""


ROWS = 1024
"""Names that a directory lists to a page."""
PageKey = tuple[bytes, int]
"""The key of the directory with a closing NUL (the root's is empty), and the number of the page in it."""


@lru_cache(maxsize=2 * ROWS)
def nothing(width: int, count: int) -> bytes:
    """A column in which nothing is known yet: one for all pages, and there may be many."""
    return bytes(width * count)


class Page(NamedTuple):
    """Entries of one directory, by name.

    `names` joined by NUL, `stats` `STAT.size` bytes each, `contents` 32, `flags` one, `digests` 16 (zeros: not taken
    yet).  `directories` are the positions of the sub-directories.  `listed` and `listed_stats` are what the directory
    itself shows (the same objects as `names` and `stats` where nothing is left out).  `rules` identifies the filter,
    `seen` the listing as it came, in the directory's own order (empty: no longer known).
    """

    names: bytes
    stats: bytes
    contents: bytes
    flags: bytes
    digests: bytes
    directories: tuple[int, ...]
    listed: bytes
    listed_stats: bytes
    rules: bytes
    seen: bytes = b""

    @property
    def length(self) -> int:
        return len(self.flags)

    @property
    def is_flagged(self) -> bool:
        """Whether anything is unread or racy."""
        return any(self.flags)

    @property
    def is_racy(self) -> bool:
        return any(flag & RACY for flag in set(self.flags))

    @property
    def stamp(self) -> bytes:
        """16 bytes over the stats of all that is no directory: they are the same while all of those are untouched."""
        if not self.directories:
            return framed_digest((self.stats,), 16)
        directories = set(self.directories)
        others = (index for index in range(self.length) if index not in directories)
        return framed_digest((_pick(self.stats, STAT.size, others),), 16)

    def name_list(self) -> list[bytes]:
        return self.names.split(b"\0") if self.flags else []

    def unread(self) -> array[int]:
        """Positions of the files whose content is not known."""
        if not any(flag & UNREAD for flag in set(self.flags)):
            return array("H")
        return array("H", [index for index, flag in enumerate(self.flags) if flag & UNREAD])

    def bytes_of(self, positions: Sequence[int]) -> int:
        """The sizes of the entries at these positions, added up."""
        sizes = memoryview(self.stats).cast("q")[1::STAT_COLUMNS].tolist() if positions else []
        return sum(sizes) if len(positions) == len(sizes) else sum([sizes[index] for index in positions])

    def with_contents(self, found: dict[int, bytes]) -> Page:
        """The page with these contents, by position, now known."""
        if len(found) == self.length and UNKNOWN not in found.values():
            return self.with_all_contents(b"".join([found[index] for index in range(self.length)]))
        contents, flags, digests = bytearray(self.contents), bytearray(self.flags), bytearray(self.digests)
        for index, content in found.items():
            contents[index * CONTENT : (index + 1) * CONTENT] = content
            flags[index] = flags[index] & ~UNREAD if content != UNKNOWN else flags[index] | UNREAD
            digests[index * ENTRY_DIGEST : (index + 1) * ENTRY_DIGEST] = NOT_TAKEN
        return self._replace(contents=bytes(contents), flags=bytes(flags), digests=bytes(digests))

    def with_all_contents(self, contents: bytes) -> Page:
        """The page with the contents of all its entries, none of which is unknown now."""
        read = self.flags.translate(_READ)
        return self._replace(contents=contents, flags=read, digests=nothing(ENTRY_DIGEST, self.length))

    def without(self, gone: Collection[int]) -> Page:
        """The page without the entries at these positions (files that vanished)."""
        kept = [index for index in range(self.length) if index not in gone]
        names = self.name_list()
        directories = set(self.directories)
        shift = [index for index, old in enumerate(kept) if old in directories]
        left, stats = b"\0".join([names[index] for index in kept]), _pick(self.stats, STAT.size, kept)
        whole = self.listed == self.names
        return self._replace(
            names=left,
            stats=stats,
            listed=left if whole else self.listed,
            listed_stats=stats if whole else self.listed_stats,
            contents=_pick(self.contents, CONTENT, kept),
            flags=_pick(self.flags, 1, kept),
            digests=_pick(self.digests, ENTRY_DIGEST, kept),
            directories=tuple(shift),
            seen=b"",
        )

    def sealed(self, prefix: bytes) -> Page:
        """The page with every entry digest taken."""
        if NOT_TAKEN not in self.digests:
            return self
        if not self.digests.strip(b"\0"):
            block = Block(prefix, self.names, self.stats, self.contents, self.length)
            return self._replace(digests=block_digests(block, View.FULL))
        taken = [self.digests[i : i + ENTRY_DIGEST] for i in range(0, len(self.digests), ENTRY_DIGEST)]
        missing = [index for index, digest in enumerate(taken) if digest == NOT_TAKEN]
        names = self.name_list()
        chosen = b"\0".join([names[index] for index in missing])
        stats, contents = _pick(self.stats, STAT.size, missing), _pick(self.contents, CONTENT, missing)
        block = Block(prefix, chosen, stats, contents, len(missing))
        fresh = block_digests(block, View.FULL)
        for number, index in enumerate(missing):
            taken[index] = fresh[number * ENTRY_DIGEST : (number + 1) * ENTRY_DIGEST]
        return self._replace(digests=b"".join(taken))

    def block(self, prefix: bytes, names: bytes, low: int, high: int) -> Block:
        """The entries at `low` … `high - 1`, with these names (joined), as a block."""
        whole = low == 0 and high == self.length
        digests = self.digests if whole else self.digests[low * ENTRY_DIGEST : high * ENTRY_DIGEST]
        contents = self.contents if whole else self.contents[low * CONTENT : high * CONTENT]
        return Block(
            prefix,
            names,
            self.stats if whole else self.stats[low * STAT.size : high * STAT.size],
            contents if whole or any(contents) else nothing(CONTENT, high - low),
            high - low,
            None if NOT_TAKEN in digests else digests,
        )

    @property
    def is_settled(self) -> bool:
        """Whether nothing is left to be found out: all is read, nothing racy, nothing left out, every digest taken."""
        if self.is_flagged or (self.listed is not self.names and self.listed != self.names):
            return False
        return bool(self.seen) and NOT_TAKEN not in self.digests

    def brief(self) -> Brief:
        """What is enough to recognise the page as unchanged, once it is settled."""
        names = self.name_list() if self.directories else []
        children = tuple(names[i] for i in self.directories)
        state = self.is_flagged, self.is_settled
        return Brief(self.seen, self.rules, self.digests, self.directories, children, self.stamp, *state)


class Brief(NamedTuple):
    """A page as a scan needs it where nothing has changed: `seen`, `rules`, `stamp` and what it `is` as in the page, the
    entry digests, and the positions and names of the sub-directories."""

    seen: bytes
    rules: bytes
    digests: bytes
    directories: tuple[int, ...]
    names: tuple[bytes, ...]
    stamp: bytes
    is_flagged: bool = False
    is_settled: bool = True

    @property
    def length(self) -> int:
        return len(self.digests) // ENTRY_DIGEST


def left_out(page: Page) -> Iterator[tuple[bytes, int]]:
    """Names that a directory lists and the tree leaves out, with their modes."""
    if page.listed is page.names or page.listed == page.names:
        return
    kept = set(page.name_list())
    for name, row in zip(page.listed.split(b"\0"), STAT.iter_unpack(page.listed_stats), strict=True):
        if name not in kept:
            yield name, row[0]


def _pick(column: bytes, width: int, positions: Iterable[int]) -> bytes:
    return b"".join([column[index * width : (index + 1) * width] for index in positions])


_HEAD = struct.Struct("<10I")


def pack(page: Page) -> bytes:
    """The page's form in the index."""
    same = page.listed == page.names and page.listed_stats == page.stats
    directories = struct.pack(f"<{len(page.directories)}I", *page.directories)
    left = [b"", b""] if same else [page.listed, page.listed_stats]
    columns = [*page[:5], directories, *left, page.rules, page.seen]
    return b"".join([_HEAD.pack(*map(len, columns)), *columns])


def unpack(packed: bytes) -> Page:
    """The inverse of `pack`; raises `ValueError` where the lengths do not fit."""
    names, stats, contents, flags, digests, directories, listed, listed_stats, rules, seen = _columns(packed)
    count = len(flags)
    fits = len(stats) == count * STAT.size and len(contents) == count * CONTENT
    if not fits or len(digests) != count * ENTRY_DIGEST or _count_names(names) != count:
        raise ValueError("page does not fit together")
    positions = _positions(directories, count)
    if not (listed or listed_stats):
        listed, listed_stats = names, stats
    elif _count_names(listed) * STAT.size != len(listed_stats):
        raise ValueError("page does not fit its listing")
    return Page(names, stats, contents, flags, digests, positions, listed, listed_stats, rules, seen)


def _columns(row: bytes, head: struct.Struct = _HEAD) -> list[bytes]:
    try:
        lengths = head.unpack_from(row)
    except struct.error:
        raise ValueError("page is cut short") from None
    at = head.size
    columns = []
    for length in lengths:
        columns.append(row[at : at + length])
        at += length
    if at != len(row):
        raise ValueError("page of the wrong length")
    return columns


def _count_names(joined: bytes) -> int:
    return joined.count(b"\0") + 1 if joined else 0


def _positions(packed: bytes, count: int) -> tuple[int, ...]:
    """Positions among `count` entries, in order."""
    if len(packed) % 4:
        raise ValueError("positions are cut short")
    positions = struct.unpack(f"<{len(packed) // 4}I", packed)
    if any(map(ge, positions, positions[1:])) or (positions and positions[-1] >= count):
        raise ValueError("positions out of order")
    return positions


_BRIEF = struct.Struct("<6I")


def pack_brief(brief: Brief) -> bytes:
    """The brief's form in the index."""
    positions = struct.pack(f"<{len(brief.directories)}I", *brief.directories)
    columns = [brief.seen, brief.rules, brief.digests, positions, b"\0".join(brief.names), brief.stamp]
    return b"".join([_BRIEF.pack(*map(len, columns)), *columns])


def unpack_brief(packed: bytes) -> Brief:
    """The inverse of `pack_brief`; raises `ValueError` where the lengths do not fit."""
    seen, rules, digests, packed_positions, joined, stamp = _columns(packed, _BRIEF)
    positions = _positions(packed_positions, len(digests) // ENTRY_DIGEST)
    names = tuple(joined.split(b"\0")) if joined else ()
    if len(names) != len(positions) or len(digests) % ENTRY_DIGEST:
        raise ValueError("brief does not fit together")
    return Brief(seen, rules, digests, positions, names, stamp)
