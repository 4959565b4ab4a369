"""Conflict copies in a snapshot, wherever that is, with what is at their paths."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from aefsync.core.conflict_name import INFIX
from aefsync.core.copies import Copies, grouped, plain_paths
from aefsync.core.entry import Entry
from aefsync.core.path import RelPath
from aefsync.sync.locating import locate, positions

if TYPE_CHECKING:
    from aefsync.wire.remote import RemoteReplica

LIKELY = 4
"""Names that a copy may get, of which all are looked at beforehand."""


def find_copies(replica: RemoteReplica) -> tuple[Copies, ...]:
    """All conflict copies of the replica's snapshot, by their originals, in key order."""
    groups = grouped(search_copies(replica))
    current = locate(replica, groups)
    ordered = sorted(groups.items(), key=lambda item: item[0].key)
    return tuple(Copies(original, current.get(original), tuple(copies)) for original, copies in ordered)


def search_copies(replica: RemoteReplica) -> Iterator[Entry]:
    """What has the name of a conflict copy in the replica's snapshot, in key order."""
    start = 0
    while page := replica.search(INFIX, start):
        yield from page
        start += len(page)


def read_copies(replica: RemoteReplica, found: Sequence[Copies]) -> tuple[Copies, ...]:
    """The same, once the contents of all that may be equal were read."""
    pairs = [(copies.current, copy) for copies in found for copy in copies.copies]
    alike = {each.path for pair in pairs if _may_be_equal(*pair) for each in pair if each is not None}
    if any(not each.is_read for pair in pairs for each in pair if each is not None and each.path in alike):
        replica.read_unread((), positions(replica, alike))
        return find_copies(replica)
    return tuple(found)


def _may_be_equal(current: Entry | None, copy: Entry) -> bool:
    return current is not None and (current.kind, current.size) == (copy.kind, copy.size)


def claims(replica: RemoteReplica, found: Sequence[Copies]) -> Callable[[RelPath], bool]:
    """Gives each path of the snapshot that is free away once: for these copies most of them are asked for at once."""
    likely = {
        path for copies in found for copy in copies.copies for path in itertools.islice(plain_paths(copy), LIKELY)
    }
    taken = set(locate(replica, likely))

    def claim(path: RelPath) -> bool:
        is_free = path not in taken and (path in likely or not locate(replica, [path]))
        taken.add(path)
        return is_free

    return claim
