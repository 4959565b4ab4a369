"""Extras: what counts only where it is asked for, and stands in no page: read after the scan, for every entry.

A run that does not ask for them pays nothing; one that does pays a look at each entry, as with any other program.
What was read of a page is kept as long as the page is.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence

from aefsync.core.metadata import Aspects, Extra
from aefsync.core.snapshot import Block
from aefsync.disk.building import directory_path
from aefsync.disk.confined import ConfinedRoot
from aefsync.disk.key_order import runs
from aefsync.disk.owners import OwnerNames
from aefsync.disk.page import Page, PageKey

NOT_KNOWN = Extra()
"""Of what vanished, or may not be looked at; the next scan tells."""


class Extras:
    """The extras of one root."""

    def __init__(self, root: ConfinedRoot, aspects: Aspects) -> None:
        self._root = root
        self._owners = OwnerNames(numeric=aspects.numeric_ids)
        self._by_owner: dict[tuple[int, int], Extra] = {}
        self._known: dict[PageKey, tuple[Page, Sequence[Extra]]] = {}

    def complete(self, blocks: Sequence[Block], pages: Mapping[PageKey, Page]) -> list[Block]:
        """The blocks of these pages with the extras of their entries."""
        self._known = {key: self._of_page(key, page) for key, page in pages.items()}
        return [
            block._replace(extras=self._known[key][1][low:high])
            for block, (key, low, high) in zip(blocks, runs(pages), strict=True)
        ]

    def _of_page(self, key: PageKey, page: Page) -> tuple[Page, Sequence[Extra]]:
        known = self._known.get(key)
        if known is not None and known[0] is page:
            return known
        names = page.name_list()
        with contextlib.suppress(OSError), self._root.directory(directory_path(key[0])) as fd:
            return page, [self.of(fd, name) for name in names]
        return page, [NOT_KNOWN] * len(names)

    def of(self, fd: int, name: bytes) -> Extra:
        """What is in an open directory, by name."""
        try:
            seen = os.stat(name, dir_fd=fd, follow_symlinks=False)
        except OSError:
            return NOT_KNOWN
        numbers = seen.st_uid, seen.st_gid
        if numbers not in self._by_owner:
            self._by_owner[numbers] = Extra(self._owners.owner(*numbers))
        return self._by_owner[numbers]
