"""The page: what a scan knows of one directory, column by column, and its form in the index.

Columns are packed so that an unchanged directory costs two comparisons of byte strings and is reused as it stands.
What the directory lists but the tree leaves out (filtered names, devices) is kept too, in the `listed` columns, so that
such a directory is recognised as unchanged all the same.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from aefsync.core.digest import ENTRY_DIGEST
from aefsync.core.entry import UNKNOWN
from aefsync.core.snapshot import CONTENT, Block, block_digests
from aefsync.core.view import STAT, View

RACY = 1
"""Written so shortly before it was looked at that an unchanged stat proves nothing."""
UNREAD = 2
"""A file whose content digest is not known."""
NOT_TAKEN = bytes(ENTRY_DIGEST)
"""In place of an entry digest that was not computed yet."""


class Page(NamedTuple):
    """The entries of one directory, by name.

    `names` joined by NUL, `stats` `STAT.size` bytes each, `contents` 32, `flags` one, `digests` 16 (zeros: not taken
    yet).  `directories` are the positions of the sub-directories.  `listed` and `listed_stats` are what the directory
    itself shows (the same objects as `names` and `stats` where nothing is left out).  `rules` identifies the filter.
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

    @property
    def length(self) -> int:
        return len(self.flags)

    @property
    def is_racy(self) -> bool:
        return any(flag & RACY for flag in set(self.flags))

    def name_list(self) -> list[bytes]:
        return self.names.split(b"\0") if self.flags else []

    def unread(self) -> list[int]:
        """Positions of the files whose content is not known."""
        if not any(flag & UNREAD for flag in set(self.flags)):
            return []
        return [index for index, flag in enumerate(self.flags) if flag & UNREAD]

    def with_contents(self, found: dict[int, bytes]) -> Page:
        """The page with these contents, by position, now known."""
        contents, flags, digests = bytearray(self.contents), bytearray(self.flags), bytearray(self.digests)
        for index, content in found.items():
            contents[index * CONTENT : (index + 1) * CONTENT] = content
            flags[index] = flags[index] & ~UNREAD if content != UNKNOWN else flags[index] | UNREAD
            digests[index * ENTRY_DIGEST : (index + 1) * ENTRY_DIGEST] = NOT_TAKEN
        return self._replace(contents=bytes(contents), flags=bytes(flags), digests=bytes(digests))

    def without(self, gone: Collection[int]) -> Page:
        """The page without the entries at these positions (files that vanished)."""
        kept = [index for index in range(self.length) if index not in gone]
        names = self.name_list()
        shift = [index for index, old in enumerate(kept) if old in set(self.directories)]
        return self._replace(
            names=b"\0".join([names[index] for index in kept]),
            stats=_pick(self.stats, STAT.size, kept),
            contents=_pick(self.contents, CONTENT, kept),
            flags=_pick(self.flags, 1, kept),
            digests=_pick(self.digests, ENTRY_DIGEST, kept),
            directories=tuple(shift),
        )

    def sealed(self, prefix: bytes) -> Page:
        """The page with every entry digest taken."""
        if NOT_TAKEN not in self.digests:
            return self
        taken = [self.digests[i : i + ENTRY_DIGEST] for i in range(0, len(self.digests), ENTRY_DIGEST)]
        missing = [index for index, digest in enumerate(taken) if digest == NOT_TAKEN]
        names = self.name_list()
        block = Block(
            prefix,
            b"\0".join([names[index] for index in missing]),
            _pick(self.stats, STAT.size, missing),
            _pick(self.contents, CONTENT, missing),
            len(missing),
        )
        fresh = block_digests(block, View.FULL)
        for number, index in enumerate(missing):
            taken[index] = fresh[number * ENTRY_DIGEST : (number + 1) * ENTRY_DIGEST]
        return self._replace(digests=b"".join(taken))

    def blocks(self, prefix: bytes) -> list[Block]:
        """The entries as blocks, each ending with a sub-directory (or the last entry)."""
        if not self.length:
            return []
        if not self.directories:
            return [Block(prefix, self.names, self.stats, self.contents, self.length, self._digests(0, self.length))]
        cuts = sorted({0, self.length, *(index + 1 for index in self.directories)})
        names = self.name_list()
        return [self._block(prefix, names, low, high) for low, high in pairwise(cuts)]

    def _block(self, prefix: bytes, names: list[bytes], low: int, high: int) -> Block:
        return Block(
            prefix,
            b"\0".join(names[low:high]),
            self.stats[low * STAT.size : high * STAT.size],
            self.contents[low * CONTENT : high * CONTENT],
            high - low,
            self._digests(low, high),
        )

    def _digests(self, low: int, high: int) -> bytes | None:
        digests = self.digests[low * ENTRY_DIGEST : high * ENTRY_DIGEST]
        return None if NOT_TAKEN in digests else digests


def _pick(column: bytes, width: int, positions: Iterable[int]) -> bytes:
    return b"".join([column[index * width : (index + 1) * width] for index in positions])


EMPTY = Page(b"", b"", b"", b"", b"", (), b"", b"", b"")

_HEAD = struct.Struct("<9I")
ROWS = 1024


def pack(page: Page) -> list[bytes]:
    """The page's form in the index: rows of up to `ROWS` entries, what is not per entry standing in the first."""
    same = page.listed == page.names and page.listed_stats == page.stats
    whole = [
        struct.pack(f"<{len(page.directories)}I", *page.directories),
        b"" if same else page.listed,
        b"" if same else page.listed_stats,
        page.rules,
    ]
    rows = []
    names = page.name_list() if page.length > ROWS else []
    for low in range(0, max(page.length, 1), ROWS):
        cut = [
            b"\0".join(names[low : low + ROWS]) if names else page.names,
            page.stats[low * STAT.size : (low + ROWS) * STAT.size],
            page.contents[low * CONTENT : (low + ROWS) * CONTENT],
            page.flags[low : low + ROWS],
            page.digests[low * ENTRY_DIGEST : (low + ROWS) * ENTRY_DIGEST],
        ]
        columns = cut + (whole if low == 0 else [b""] * len(whole))
        rows.append(b"".join([_HEAD.pack(*map(len, columns)), *columns]))
    return rows


def unpack(rows: Sequence[bytes]) -> Page:
    """The inverse of `pack`; raises `ValueError` where the lengths do not fit."""
    cut = [_columns(row) for row in rows]
    if not cut:
        raise ValueError("page without rows")
    if len(cut) == 1:
        names, stats, contents, flags, digests = cut[0][:5]
    else:
        names = b"\0".join([columns[0] for columns in cut])
        stats, contents, flags, digests = (b"".join([columns[i] for columns in cut]) for i in range(1, 5))
    directories, listed, listed_stats, rules = cut[0][5:]
    count = len(flags)
    fits = len(stats) == count * STAT.size and len(contents) == count * CONTENT
    if not fits or len(digests) != count * ENTRY_DIGEST or len(directories) % 4:
        raise ValueError("page does not fit together")
    positions = struct.unpack(f"<{len(directories) // 4}I", directories)
    if not (listed or listed_stats):
        listed, listed_stats = names, stats
    return Page(names, stats, contents, flags, digests, positions, listed, listed_stats, rules)


def _columns(row: bytes) -> list[bytes]:
    try:
        lengths = _HEAD.unpack_from(row)
    except struct.error:
        raise ValueError("page is cut short") from None
    at = _HEAD.size
    columns = []
    for length in lengths:
        columns.append(row[at : at + length])
        at += length
    if at != len(row):
        raise ValueError("page of the wrong length")
    return columns
