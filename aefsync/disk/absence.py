"""Absence: whether what a scan does not show is gone, or only not to be seen.

Unknown is never deleted: what lies where the scan could not look or was not to look, what filters leave out, and what
is there after all when it is looked for once more.
"""

from __future__ import annotations

import errno
import stat
from collections.abc import Collection, Sequence
from functools import cached_property

from aefsync.core.path import RESERVED
from aefsync.core.stores import ANY_FOLDING, folded
from aefsync.disk.building import directory_path
from aefsync.disk.readable import Readable
from aefsync.disk.scan import Scanner

_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
"""Nothing there, or something else than a directory on the way to it."""
_LOUD = RESERVED.upper()


class Absence:
    """What is missing in a scan.  What is unknown is taken down when it is first asked for: all problems must have been
    reported, and the mounts looked at again."""

    def __init__(self, root: Readable, scanner: Scanner) -> None:
        self._root = root
        self._scanner = scanner
        limits = scanner.limits
        self._leaves_out_nothing = not limits.filter.digest and not limits.own and limits.narrowing.is_everything

    @cached_property
    def _unknown(self) -> frozenset[bytes]:
        return frozenset(self._scanner.unseen())

    @cached_property
    def _is_lost(self) -> bool:
        problems = (each for found in self._scanner.problems.values() for each in found)
        return any(each.subtree and not each.path for each in problems)

    def is_open(self, directory: bytes) -> bool:
        """Whether what a directory (by its key with a closing NUL) shows, or its being gone, says anything of what was
        in it."""
        if self._is_lost or self._is_unknown(directory):
            return False
        narrowing, path = self._scanner.narrowing, directory_path(directory)
        on_the_way = narrowing.names(directory) is not None or narrowing.covers(path)
        return on_the_way and not (path and self._scanner.is_unmanaged(path))

    def is_directory_gone(self, directory: bytes) -> bool:
        """Whether there is no such directory, so that nothing can be in it."""
        path = directory_path(directory)
        try:
            return not stat.S_ISDIR(self._root.lstat(path).st_mode) or not self._is_spelt_so(path)
        except OSError as error:
            return error.errno in _GONE

    def _is_spelt_so(self, path: bytes) -> bool:
        """Whether what stands at a path is called that, all the way down."""
        parts = path.split(b"/") if path else []
        above = (b"/".join(parts[:depth]) for depth in range(len(parts)))
        return not any(self._spelt_otherwise(directory, [name]) for directory, name in zip(above, parts, strict=True))

    def _spelt_otherwise(self, directory: bytes, names: Collection[bytes]) -> frozenset[bytes]:
        """Those of the names in a directory at which something stands that has another spelling of it for its name: where
        names fold, what was renamed so answers to its old name, too.

        That a listing does not show a name proves nothing; that it shows the other one does, if both are the same file, or
        if that answers to spellings which nobody ever gave it (not every file system that folds names has stable inodes).
        """
        listed = frozenset(self._root.names(directory))
        missed = [name for name in names if name not in listed]
        shown = {folded(each, ANY_FOLDING): each for each in listed} if missed else {}
        others = {name: shown[key] for name in missed if (key := folded(name, ANY_FOLDING)) in shown}
        answering = set()
        for name, other in others.items():
            unheard = {other.swapcase(), other.upper(), other.lower(), other.title()} - listed - {name}
            own, there, *looks = self._root.stats(directory, [name, other, *unheard])
            is_same = own is not None and there is not None and own.st_ino == there.st_ino != 0
            if is_same or any(look is not None for look in looks) or (not unheard and self._folds_case):
                answering.add(name)
        return frozenset(answering)

    @cached_property
    def _folds_case(self) -> bool:
        """Whether our own directory answers to another spelling: what tells where a name has but one letter."""
        (look,) = self._root.stats(b"", [_LOUD])
        return look is not None and _LOUD not in self._root.names(b"")

    def gone(self, directory: bytes, names: Collection[bytes]) -> frozenset[bytes]:
        """Which entries of a directory that is open are no longer there; they are looked for once more."""
        sought = [name for name in names if self.is_in_sight(directory, name)]
        return self._gone_of(directory, sought) if sought else frozenset()

    def _gone_of(self, directory: bytes, sought: Sequence[bytes]) -> frozenset[bytes]:
        try:
            found = self._root.stats(directory_path(directory), sought)
        except OSError as error:
            return frozenset(sought) if error.errno in _GONE else frozenset()
        there = frozenset(name for name, seen in zip(sought, found, strict=True) if seen is not None)
        answering = self._spelt_otherwise(directory_path(directory), there) if there else frozenset()
        return frozenset(sought) - there | answering

    def is_in_sight(self, directory: bytes, name: bytes) -> bool:
        """Whether an entry of a directory that is open would have been seen, were it there."""
        if not self._unknown and self._leaves_out_nothing:
            return True
        key = directory + name + b"\0"
        return not self._is_unknown(key) and self._scanner.limits.compares(directory_path(key))

    def _is_unknown(self, key: bytes) -> bool:
        """Whether a key is one of those of which nothing is known, or lies below one."""
        if not self._unknown:
            return False
        end = key.find(b"\0")
        while end >= 0:
            if key[: end + 1] in self._unknown:
                return True
            end = key.find(b"\0", end + 1)
        return False
