"""The fate of a path on one replica: what it has there, and what shall be there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from aefsync.core.entry import Entry
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.path import RelPath
from aefsync.core.version import Version


class Fate(NamedTuple):
    """One path of one replica; `None` where nothing is, or shall be.  Entries stand at `path`.

    `tombstone` is the tombstone that it gets, where versions count and nothing shall be there.
    """

    path: RelPath
    found: Entry | None
    wanted: Entry | None
    tombstone: Version | None = None

    @property
    def stays(self) -> bool:
        """Whether what is there is what shall be there, but for its metadata."""
        return self.found is not None and self.wanted is not None and self.found.same_content(self.wanted)

    @property
    def going(self) -> Entry | None:
        """The version that leaves the path."""
        return None if self.stays else self.found


class Fates(Protocol):
    """The fates of all paths that change on a replica; there may be a million, so they are only looked through."""

    def between(self, low: bytes, high: bytes) -> Iterator[Fate]:
        """Those with keys `low <= key < high`, in key order."""
