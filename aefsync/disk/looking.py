"""Looks: whether the disk still shows what the plan saw, just before a step and at what came out of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence

from aefsync.core.action import Act, Action
from aefsync.core.entry import Entry, Kind, kind_of
from aefsync.core.metadata import Aspects
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.path import is_within
from aefsync.core.problem import ALTERED
from aefsync.disk.hashing import Seen, hash_file
from aefsync.disk.listing import INODE
from aefsync.disk.readable import Looked

IsUnmanaged = Callable[[bytes], bool]
"""Whether filters leave out a path, as a directory or as anything else."""
Place = tuple[int, bytes]
"""A directory by descriptor, and a name in it."""
NOT_EMPTY = "directory is not empty: kept"


class Refused(Exception):
    """An action that is not carried out, or a file that is not staged, with the reason."""


class Stamp(NamedTuple):
    """What tells that something is still what was put there."""

    mtime_ns: int
    ctime_ns: int
    inode: int


class Spared(Exception):
    """An action that is not carried out for the sake of what filters leave out: no trouble of this replica."""


def wanted_of(action: Action) -> Entry:
    """What an action that puts something in place is to leave there."""
    assert action.wanted is not None
    return action.wanted


def check_content(content: bytes, wanted: Entry) -> None:
    """Raise `Refused` where what was staged for an entry has another content digest than was compared."""
    if wanted.is_read and content != wanted.content:
        raise Refused(ALTERED)


def look(parent: int, name: bytes, found: Entry | None) -> None:
    """Raise `Refused` unless the disk still shows what the plan saw."""
    try:
        seen = os.stat(name, dir_fd=parent, follow_symlinks=False)
    except FileNotFoundError:
        raise Refused("vanished since the scan") from None
    if found is not None and not shows(seen, found):
        raise Refused("changed since the scan")


def is_barred(action: Action, spared: Collection[bytes]) -> bool:
    """Whether an action would put something at, or below, a path that stays as it is."""
    return bool(spared) and action.act is not Act.DELETE and is_within(action.path, spared)


def _is_left_out(action: Action, seen: Looked, is_unmanaged: IsUnmanaged) -> bool:
    """Whether what stands where something is to be put is what filters leave out: they may do so only with directories, or
    only with anything else."""
    kind = kind_of(seen.st_mode)
    is_other = (kind is Kind.DIRECTORY) != (wanted_of(action).kind is Kind.DIRECTORY)
    return kind is not None and is_other and is_unmanaged(action.path)


def in_the_way(action: Action, seen: Looked, is_unmanaged: IsUnmanaged) -> Refused | Spared:
    """Why nothing is put where something stands that the scan did not tell of: it tells of no device, whenever it came."""
    if _is_left_out(action, seen, is_unmanaged):
        return Spared()
    is_told_of = kind_of(seen.st_mode) is not None
    return Refused("appeared since the scan" if is_told_of else "a device, pipe or socket is in its place")


def new_name_taken(action: Action, seen: Looked, is_unmanaged: IsUnmanaged) -> Refused | Spared:
    """Why nothing is renamed to where something else stands."""
    is_left_out = _is_left_out(action, seen, is_unmanaged)
    return Spared() if is_left_out else Refused("its new name appeared since the scan")


def not_empty(
    inside: Sequence[tuple[bytes, Looked]], spared: Collection[bytes], aspects: Aspects, is_unmanaged: IsUnmanaged
) -> Refused | Spared:
    """Why a directory with these paths in it stays: it may be for what is left out of the comparison alone, as are devices,
    pipes and sockets, and symlinks where some replica cannot store any, besides what filters leave out."""

    def stays(path: bytes, seen: Looked) -> bool:
        kind = kind_of(seen.st_mode)
        is_left_out = kind is None or (kind is Kind.SYMLINK and not aspects.symlinks)
        return path in spared or is_left_out or is_unmanaged(path)

    return Spared() if inside and all(stays(*each) for each in inside) else Refused(NOT_EMPTY)


def shows(seen: Looked, found: Entry, *, after_rename: bool = False) -> bool:
    """Whether a stat is that of an entry (ctime moves with a rename, so it does not count after one)."""
    if kind_of(seen.st_mode) is not found.kind or (found.inode and seen.st_ino & INODE != found.inode):
        return False
    if found.kind is Kind.DIRECTORY:
        return True
    same = seen.st_size == found.size and seen.st_mtime_ns == found.mtime_ns
    return same and (after_rename or not found.inode or seen.st_ctime_ns == found.ctime_ns)


def is_already_there(parent: int, name: bytes, wanted: Entry, content: bytes) -> bool:
    """Whether what stands in the way of a new file is that very file, as an earlier run left it."""
    seen = os.stat(name, dir_fd=parent, follow_symlinks=False)
    if wanted.kind is not Kind.FILE or not shows(seen, wanted._replace(inode=0)):
        return False
    found = Seen(seen.st_size, seen.st_mtime_ns, 0, 0)
    return hash_file(parent, name, found) == content
