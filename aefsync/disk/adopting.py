"""Adopting: the contents of files whose directory was renamed since they were indexed, known without reading them.

A rename leaves the stat of everything in a directory as it is, ctime included.  So a file at a new path with the very
stat of one that vanished (size, mtime, ctime, inode), and that one not racy, is as good as a file that stayed: nothing
weaker is believed.  A file that was renamed by itself has another ctime, as one has that was edited and had its mtime
put back; only its bytes tell which, and it is read.
"""

from __future__ import annotations

import itertools
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping

from aefsync.core.snapshot import CONTENT
from aefsync.core.view import STAT
from aefsync.disk.page import RACY, UNREAD, Page, PageKey
from aefsync.disk.pages import Pages

MANY = 1 << 17
"""Files that are looked for one by one; of more, only those in directories whose whole listing is the same."""
_INODE = 8

Found = dict[PageKey, dict[int, bytes]]
"""Contents by page and position."""


def adopt(pages: Pages, is_meant: Callable[[bytes], bool], donors: Iterable[Page]) -> Iterator[tuple[PageKey, Page]]:
    """Those of `pages`, in directories that are meant, that get contents from pages which are no longer anybody's."""
    first = next(donors := iter(donors), None)
    if first is None:
        return
    donors = itertools.chain((first,), donors)
    own = ((key, page.unread()) for key, page in pages.flagged() if is_meant(key[0]))
    unread = {key: positions for key, positions in own if positions}
    found: Found = {}
    if sum(map(len, unread.values())) <= MANY:
        _by_row(pages, unread, donors, found)
    else:
        _by_listing(pages, unread, donors, found)
    for key, contents in found.items():
        yield key, pages[key].with_contents(contents)


def _by_row(pages: Pages, unread: Mapping[PageKey, array[int]], donors: Iterable[Page], found: Found) -> None:
    open_pages = ((key, pages[key], own) for key, own in unread.items())
    places = {_row(page, index): (key, index) for key, page, own in open_pages for index in own}
    for donor in donors:
        for index in range(donor.length):
            place = places.get(_row(donor, index))
            if place is not None:
                _take(donor, index, place, found)


def _by_listing(pages: Pages, unread: Mapping[PageKey, array[int]], donors: Iterable[Page], found: Found) -> None:
    listings = {pages.known[key].seen: key for key in unread if pages.known[key].seen}
    for donor in donors:
        key = listings.get(donor.seen)
        if key is None:
            continue
        page = pages[key]
        if (donor.names, donor.stats) == (page.names, page.stats):
            for index in unread[key]:
                _take(donor, index, (key, index), found)


def _take(donor: Page, index: int, place: tuple[PageKey, int], found: Found) -> None:
    """Take one content over, unless it proves nothing: where inodes are not stable there are none."""
    if not donor.flags[index] & (RACY | UNREAD) and any(_row(donor, index)[-_INODE:]):
        found.setdefault(place[0], {})[place[1]] = donor.contents[index * CONTENT : (index + 1) * CONTENT]


def _row(page: Page, index: int) -> bytes:
    return page.stats[index * STAT.size : (index + 1) * STAT.size]
