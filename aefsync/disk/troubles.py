"""Troubles: what stopped an action, told once where it stops many others too.

A file system that is read-only, a root that was deleted, or a directory that may not be written, is one problem,
whatever was to be done there; and that a directory could not be made says all about what should have come into it.
"""

from __future__ import annotations

import contextlib
import errno
import os

from aefsync.core.action import Act, Action
from aefsync.core.path import RelPath, is_within
from aefsync.core.problem import Problem, reason_of
from aefsync.disk.confined import ConfinedRoot, split
from aefsync.disk.mounts import top_of

_FORBIDDEN = (errno.EACCES, errno.EPERM)


class Troubles:
    """The troubles of one run on one root."""

    def __init__(self, root: ConfinedRoot) -> None:
        self._root = root
        self._told: set[bytes] = set()
        self._unmade: set[RelPath] = set()

    def of(self, action: Action, error: Exception) -> list[Problem]:
        """What is to be told of an action that was not carried out; nothing where it is told already."""
        path = action.source or action.path
        if action.act is Act.MKDIR:
            self._unmade.add(action.path)
        number = error.errno if isinstance(error, OSError) else None
        if number == errno.ENOENT and any(above in self._unmade for above in action.path.ancestors):
            return []
        reason = f"{reason_of(error)}: nothing in it can be changed"
        if number == errno.ENOENT and not os.fstat(self._root.fd).st_nlink:
            place: bytes | None = b""
            reason = "the root was deleted during the run"
        else:
            place = self._place(split(path)[0], number)
        if place is None:
            return [Problem(bytes(path), reason_of(error))]
        if is_within(place, self._told):
            return []
        self._told.add(place)
        return [Problem(place, reason)]

    def _place(self, directory: bytes, number: int | None) -> bytes | None:
        """The directory in which nothing can be changed, if that is it."""
        with contextlib.suppress(OSError):
            if number == errno.EROFS:
                return top_of(self._root, directory)
            if number in _FORBIDDEN:
                with self._root.directory(directory) as fd:
                    if not os.access(b".", os.W_OK | os.X_OK, dir_fd=fd, effective_ids=True):
                        return directory
        return None
