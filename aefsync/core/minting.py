"""Minting: local changes become versions.

A replica remembers, of each path, its version and the entry it stood for.  What a scan finds is judged by that:

    remembered            found                    becomes
    nothing               an entry                 the new dot (the empty vector in the first scan of a new sidecar)
    an entry              the same                 as it was
    an entry              another one              its vector and the new dot
    an entry              nothing                  a tombstone: its vector and the new dot
    a tombstone           an entry                 its vector and the new dot
    a tombstone           nothing                  as it was

One dot serves a whole scan: it is the path that has versions, and no path is judged twice in one scan.  What an
interrupted run was about to place is **pending**: found as it was meant to be, it has the version that it was meant to
have, and nothing at all where it was to be placed is no deletion.
"""

from __future__ import annotations

from aefsync.core.entry import Entry, Kind
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.stores import SECOND_NS
from aefsync.core.version import FOUND, Dot, Version, explicit, minted


class Record(NamedTuple):
    """What is remembered of a path: its version, and the entry it stands for (`None`: a tombstone)."""

    version: Version
    entry: Entry | None


def judge(found: Entry | None, record: Record | None, dot: Dot, *, first: bool) -> Record | None:
    """What is to be remembered of a path from now on; `None` if nothing.

    `first`: nothing was remembered before this scan.  An entry that may be the same has to be read before.
    """
    if record is None:
        return found and Record(FOUND if first else fresh(dot), found)
    version, before = record
    if before is None:
        return record if found is None else Record(_after(version, dot), found)
    if found is not None and is_same(before, found):
        return Record(version, found)
    return Record(following(version, before, dot), found)


def following(version: Version, before: Entry | None, dot: Dot) -> Version:
    """The version of what took the place of an entry that is remembered, or of nothing where it stood.

    Where its vector is not empty it does not matter what entry it was.
    """
    return _after(version if before is None else Version(explicit(version, before)), dot)


def fresh(dot: Dot) -> Version:
    """The version of what is found where nothing is remembered."""
    return Version(minted((), dot), dot.author)


def settle(found: Entry | None, record: Record | None, *pending: Record) -> Record | None:
    """What to judge a path by that an interrupted run was about to change, once or several times in turn."""
    if found is None:
        if pending and pending[-1].entry is None:
            return pending[-1]
        # A file may be on its way from one place to another: nothing was deleted by anybody, but what was buried stays so.
        return record if record is not None and record.entry is None else None
    left = (each for each in reversed(pending) if each.entry is not None and is_same(each.entry, found))
    return next(left, record)


def is_same(before: Entry, found: Entry) -> bool:
    """Whether an entry is the one that is remembered, as far as replicas must agree on it.

    A content that was not read before counts as the same as long as size and mtime are.
    """
    if before.kind is not found.kind or before.mode != found.mode:
        return False
    if before.kind is Kind.DIRECTORY:
        return True
    if before.size != found.size or not is_same_time(before, found):
        return False
    return not before.is_read or not found.is_read or before.content == found.content


def is_same_time(one: Entry, other: Entry) -> bool:
    """Whether two looks at a file may have found one mtime: who looks by SFTP is told whole seconds, and neither inode nor
    ctime, and must not take what an agent has seen more sharply for an edit, nor the other way round."""
    if one.mtime_ns == other.mtime_ns:
        return True
    return (_is_vague(one) or _is_vague(other)) and one.mtime_ns // SECOND_NS == other.mtime_ns // SECOND_NS


def _is_vague(seen: Entry) -> bool:
    return not (seen.inode or seen.ctime_ns or seen.mtime_ns % SECOND_NS)


def _after(version: Version, dot: Dot) -> Version:
    return Version(minted(version.vector, dot), dot.author)
