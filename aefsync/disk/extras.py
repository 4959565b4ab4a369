"""Extras: what counts only where it is asked for, and stands in no page: read after the scan, for every entry.

A run that does not ask for them pays nothing; one that does pays a look at each entry, as with any other program.
What was read of a page is kept as long as the page is.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence

from aefsync.core.entry import Entry
from aefsync.core.metadata import Aspects, Attributes, Extra
from aefsync.core.snapshot import Block
from aefsync.disk.blocks import with_each
from aefsync.disk.building import directory_path
from aefsync.disk.confined import ConfinedRoot
from aefsync.disk.key_order import runs
from aefsync.disk.owners import OwnerNames
from aefsync.disk.page import Brief, Page, PageKey
from aefsync.disk.pages import Pages
from aefsync.disk.xattrs import LARGEST, digest_of, place_in, read_attributes

_MOST = 4 << 20
"""Bytes of extended attributes that one message brings."""
NOT_KNOWN = Extra()
"""Of what vanished, or may not be looked at; the next scan tells."""


Completing = Callable[[Aspects], Callable[[Entry], Entry]]
"""Given what counts, gives entries of what stands there now all that does."""


class Extras:
    """The extras of one root."""

    def __init__(self, root: ConfinedRoot, aspects: Aspects) -> None:
        self._root = root
        self._owners = OwnerNames(numeric=aspects.numeric_ids)
        self._aspects = aspects
        self._seen: dict[Extra, Extra] = {}
        self._known: dict[PageKey, tuple[Page | Brief, Sequence[Extra]]] = {}

    def complete(self, blocks: Sequence[Block], pages: Pages) -> Sequence[Block]:
        """The blocks of these pages with the extras of their entries."""
        self._known = {key: self._of_page(pages, key) for key in pages}
        cuts = [(self._known[key][1], low, high) for key, low, high in runs(pages.known)]

        def complete(number: int, block: Block) -> Block:
            extras, low, high = cuts[number]
            return block._replace(extras=extras[low:high])

        return with_each(blocks, complete)

    def _of_page(self, pages: Pages, key: PageKey) -> tuple[Page | Brief, Sequence[Extra]]:
        now, before = pages.known[key], self._known.get(key)
        if before is not None and before[0] is now:
            return before
        names = pages[key].name_list()
        with contextlib.suppress(OSError), self._root.directory(directory_path(key[0])) as fd:
            return now, [self.of(fd, name) for name in names]
        return now, [NOT_KNOWN] * len(names)

    def of(self, fd: int, name: bytes) -> Extra:
        """What is in an open directory, by name."""
        try:
            seen = os.stat(name, dir_fd=fd, follow_symlinks=False)
            xattrs = digest_of(self._attributes(fd, name)) if self._aspects.xattrs else None
        except OSError:
            return NOT_KNOWN
        extra = Extra(self._owners.owner(seen.st_uid, seen.st_gid) if self._aspects.owner else None, xattrs)
        return self._seen.setdefault(extra, extra)

    def look(self, entry: Entry) -> Entry:
        """An entry with all that counts of what stands at its path now."""
        with contextlib.suppress(OSError), self._root.directory(entry.path.parent) as fd:
            return self.with_attributes([entry._replace(extra=self.of(fd, entry.path.name))])[0]
        return entry

    def _attributes(self, fd: int, name: bytes) -> Attributes:
        return read_attributes(place_in(fd, name), self._aspects.xattrs)

    def with_attributes(self, entries: Sequence[Entry]) -> list[Entry]:
        """The first of the entries, at least one, with their extended attributes, as far as they are what they were, and not
        too many to travel."""
        room = _MOST
        completed: list[Entry] = []
        for entry in map(self._with_attributes, entries):
            room -= entry.extra.weight if entry.extra is not None else 0
            if completed and room < 0:
                break
            completed.append(entry)
        return completed

    def _with_attributes(self, entry: Entry) -> Entry:
        if entry.extra is not None and entry.extra.xattrs:
            with contextlib.suppress(OSError), self._root.directory(entry.path.parent) as fd:
                attributes = self._attributes(fd, entry.path.name)
                extra = entry.extra._replace(attributes=attributes)
                if digest_of(attributes) == extra.xattrs and extra.weight <= LARGEST:
                    return entry._replace(extra=extra)
        return entry
