"""Build the page of a directory from its listing and from what was known of it before.

The first look at a directory is all C loops; entries are taken one by one only where a page was known and something in
it has changed, or where filters leave names out.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache

from aefsync.core.digest import ENTRY_DIGEST
from aefsync.core.entry import KIND_BITS, UNKNOWN
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.path import PathError, check_name, is_reserved, is_too_deep
from aefsync.core.snapshot import CONTENT, STAT_COLUMNS
from aefsync.core.view import STAT
from aefsync.disk.filesystem import FileSystem
from aefsync.disk.filter import Filter
from aefsync.disk.listing import Listing, without_sizes
from aefsync.disk.narrowing import EVERYTHING, Narrowing
from aefsync.disk.page import RACY, ROWS, UNREAD, Page, nothing

KINDS = frozenset({stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK})
"""The kinds that are replicated; others are left out with a notice."""

_MTIME, _CTIME = 2, 3


class Limits(NamedTuple):
    """What a scan leaves out or does not believe.  `own`: paths of our own files below the root."""

    filter: Filter
    own: frozenset[bytes] = frozenset()
    one_file_system: bool = False
    ignore_index: bool = False
    eager: bool = False
    narrowing: Narrowing = EVERYTHING
    mounts: tuple[bytes, ...] | None = None
    """those of the last run, where they are known"""
    list_filtered: bool = False

    def is_unmanaged(self, path: bytes) -> bool:
        """Whether filters leave out a path, for itself or for a directory above it."""
        parent = path.rpartition(b"/")[0]
        return (
            path in self.own
            or self.filter.excludes(path, is_directory=False)
            or self.filter.excludes(path, is_directory=True)
            or (bool(parent) and self.is_unmanaged(parent))
        )

    def compares(self, path: bytes) -> bool:
        """Whether a path, and what is below it, is looked at."""
        is_ours = any(is_reserved(name) for name in path.split(b"/"))
        return not is_ours and self.narrowing.covers(path) and not self.is_unmanaged(path)


LinkContents = Callable[[bytes, Mapping[int, bytes]], Mapping[int, bytes]]
"""As `Sight.link_contents`, without what could not be read."""


class PageBuilder:
    """Builds the page of the directory `prefix` of a root, listed after `seen_at` (ns)."""

    def __init__(
        self, prefix: bytes, limits: Limits, file_system: FileSystem, seen_at: int, link_contents: LinkContents
    ) -> None:
        self._prefix = prefix
        self._link_contents = link_contents
        self._limits = limits
        # Where ctime can be trusted it alone counts, so that a file dated in the future is not racy for ever.
        self._clock_column = _CTIME if file_system.stable else _MTIME
        self._racy_from = seen_at - file_system.step_ns

    def build(self, listing: Listing, known: Sequence[Page], rules: bytes, contents: Mapping[bytes, bytes]) -> Page:
        """The page; `known` are those from before, their contents reused where the stat is the same and not racy.

        `contents` holds digests that were taken along with the listing, by name (`UNKNOWN`: not taken); they count
        where nothing is racy.
        """
        seen = listing.seen
        listed_kinds = _kinds(listing.stats)
        listed_stats = without_sizes(listing.stats, _where(listed_kinds, stat.S_IFDIR))
        names, stats, kinds = listing.names, listed_stats, listed_kinds
        kept = self._kept(listing.names, listed_kinds)
        if kept is not None:
            all_names = listing.names.split(b"\0")
            names = b"\0".join([all_names[index] for index in kept])
            stats = b"".join([listed_stats[index * STAT.size : (index + 1) * STAT.size] for index in kept])
            kinds = [listed_kinds[index] for index in kept]
        page = Page(
            names=names,
            stats=stats,
            contents=nothing(CONTENT, len(kinds)),
            flags=self._fresh_flags(stats, kinds),
            digests=nothing(ENTRY_DIGEST, len(kinds)),
            directories=tuple(_where(kinds, stat.S_IFDIR)),
            listed=listing.names if kept is not None else names,
            listed_stats=listed_stats if kept is not None else stats,
            rules=rules,
            seen=seen,
        )
        for before in known:
            page = _reuse(page, before)
        if contents:
            page = _with_read(page, contents)
        return self._with_links(page, kinds, contents)

    def _kept(self, names: bytes, kinds: list[int]) -> list[int] | None:
        """Positions of the names that belong to the tree; `None` where all do."""
        if not kinds:
            return None
        limits = self._limits
        plain = names.isascii() and b"aef" not in names.lower() and not limits.own and not limits.filter.digest
        if plain and KINDS.issuperset(kinds) and not is_too_deep(self._prefix):
            return None
        kept = [i for i, name in enumerate(names.split(b"\0")) if kinds[i] in KINDS and self._keeps(name, kinds[i])]
        return None if len(kept) == len(kinds) else kept

    def _keeps(self, name: bytes, kind: int) -> bool:
        if is_too_deep(self._prefix, len(name)):
            return False
        try:
            check_name(name)
        except PathError:
            return False
        path = directory_path(self._prefix + name + b"\0")
        excluded = self._limits.filter.excludes(path, is_directory=kind == stat.S_IFDIR)
        return not excluded and path not in self._limits.own

    def _fresh_flags(self, stats: bytes, kinds: list[int]) -> bytes:
        if not kinds:
            return b""
        clock = memoryview(stats).cast("q")[self._clock_column :: STAT_COLUMNS].tolist()
        regular, directory, racy_from = stat.S_IFREG, stat.S_IFDIR, self._racy_from
        if max(clock) < racy_from and kinds.count(regular) == len(kinds):
            return _all_unread(len(kinds))
        return bytes(
            [
                0 if kind == directory else (UNREAD if kind == regular else 0) | (RACY if time >= racy_from else 0)
                for kind, time in zip(kinds, clock, strict=True)
            ]
        )

    def _with_links(self, page: Page, kinds: list[int], contents: Mapping[bytes, bytes]) -> Page:
        links = _where(kinds, stat.S_IFLNK)
        if not links:
            return page
        names = page.name_list()
        missing = [i for i in links if page.contents[i * CONTENT : (i + 1) * CONTENT] == UNKNOWN]
        found = dict.fromkeys(missing, UNKNOWN) | {i: contents[names[i]] for i in missing if names[i] in contents}
        unseen = {index: names[index] for index in missing if found[index] == UNKNOWN}
        found |= self._link_contents(self._prefix, unseen) if unseen else {}
        flags = bytearray(page.flags)
        for index in missing:
            flags[index] |= RACY if found[index] == UNKNOWN else 0
        return page.with_contents(found)._replace(flags=bytes(flags))


class Earlier:
    """The pages that were known of a directory, each taken up only when the names of a new listing reach it."""

    def __init__(self, pages: Iterable[Page]) -> None:
        self._coming = (page for page in pages if page.length)
        self._near: list[Page] = []

    def around(self, listing: Listing) -> list[Page]:
        """Those that may hold some of the names of this listing; listings come in order."""
        first, last = listing.names.partition(b"\0")[0], listing.names.rpartition(b"\0")[2]
        self._near = [page for page in self._near if page.names.rpartition(b"\0")[2] >= first]
        if not self._near or _first(self._near[-1]) <= last:
            for page in self._coming:
                self._near.append(page)
                if _first(page) > last:
                    break
        return self._near


@lru_cache(maxsize=ROWS)
def _all_unread(count: int) -> bytes:
    """The flags of so many files: one for all pages, as `page.nothing`."""
    return bytes([UNREAD]) * count


def _first(page: Page) -> bytes:
    return page.names.partition(b"\0")[0]


def _reuse(page: Page, known: Page) -> Page:
    """The page with contents, flags and digests of the entries that did not change since `known`."""
    positions = {name: index for index, name in enumerate(known.name_list())}
    contents, flags, digests = bytearray(page.contents), bytearray(page.flags), bytearray(page.digests)
    size = STAT.size
    for index, name in enumerate(page.name_list()):
        old = positions.get(name, -1)
        if old < 0 or known.flags[old] & RACY:
            continue
        if known.stats[old * size : (old + 1) * size] != page.stats[index * size : (index + 1) * size]:
            continue
        contents[index * CONTENT : (index + 1) * CONTENT] = known.contents[old * CONTENT : (old + 1) * CONTENT]
        flags[index] = known.flags[old]
        digest = known.digests[old * ENTRY_DIGEST : (old + 1) * ENTRY_DIGEST]
        digests[index * ENTRY_DIGEST : (index + 1) * ENTRY_DIGEST] = digest
    return page._replace(contents=bytes(contents), flags=bytes(flags), digests=bytes(digests))


def _with_read(page: Page, contents: Mapping[bytes, bytes]) -> Page:
    """The page with these contents, by name, where nothing is racy; `UNKNOWN` is none."""
    names = page.name_list()
    if page.flags.count(UNREAD) == page.length:
        found = [contents.get(name, UNKNOWN) for name in names]
        if UNKNOWN not in found:
            return page._replace(contents=b"".join(found), flags=bytes(page.length))
    fresh = {index: contents.get(names[index], UNKNOWN) for index in page.unread() if not page.flags[index] & RACY}
    return page.with_contents({index: content for index, content in fresh.items() if content != UNKNOWN})


def _kinds(stats: bytes) -> list[int]:
    modes = memoryview(stats).cast("q")[0::STAT_COLUMNS].tolist() if stats else []
    kinds = {mode & KIND_BITS for mode in set(modes)}
    return [mode & KIND_BITS for mode in modes] if len(kinds) > 1 else [*kinds] * len(modes)


def _where(kinds: list[int], kind: int) -> list[int]:
    return [index for index, each in enumerate(kinds) if each == kind] if kind in set(kinds) else []


def directory_path(prefix: bytes) -> bytes:
    """The path of a key with a closing NUL."""
    return prefix[:-1].replace(b"\0", b"/")


def above(prefix: bytes) -> Iterator[bytes]:
    """The keys, with closing NUL, of the directories that hold a directory."""
    end = prefix.find(b"\0")
    while 0 <= end < len(prefix) - 1:
        yield prefix[: end + 1]
        end = prefix.find(b"\0", end + 1)
