"""What a replica of this machine hears of its root between two passes: a watcher, begun anew where the root is another."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import threading
from typing import TYPE_CHECKING

from aefsync.core.hint import ROOT, Hints, Wait
from aefsync.core.named_tuple import NamedTuple
from aefsync.disk.filter import Filter

if TYPE_CHECKING:
    from aefsync.disk.watching import Watcher


class Place(NamedTuple):
    """What is listened to: the root by its path, but for what filters leave out and for our `own` files below it.

    `shared`: on a file system that others change as well, on which nothing is heard of that.
    """

    root: bytes
    filter: Filter
    own: frozenset[bytes]
    shared: bool

    def leaves_out(self, path: bytes, is_directory: bool) -> bool:  # noqa: FBT001  as `IsLeftOut`
        return path in self.own or self.filter.excludes(path, is_directory=is_directory)


class Listening:
    """Listens to one place at a time; a wait ends when `stirred` is set."""

    def __init__(self, stirred: threading.Event) -> None:
        self._stirred = stirred
        self._watcher: Watcher | None = None
        self._listened: tuple[object, ...] = ()

    def wait(self, place: Place, request: Wait) -> Hints:
        """What has changed, or else will have within the time; nothing where something else was wanted meanwhile."""
        if place.shared or not request.listen:
            self.close()
            reason = "what others change is not noticed on this file system: it is polled" if request.listen else ""
            return Hints(deaf=(ROOT,), reason=reason)
        has_listened = self._watcher is not None
        reason = self._listen(place)
        if self._watcher is None:
            return Hints((ROOT,) if has_listened else (), (ROOT,), reason)
        hints = self._watcher.take()
        if not hints.changed:
            self._stirred.wait(request.limit_ms / 1000)
            hints = self._watcher.take()
        self._stirred.clear()
        return hints

    def _listen(self, place: Place) -> str:
        """Have a watcher at the place; why there is none."""
        identity = _identity(place.root)
        wanted = (place.root, identity, place.filter.digest, place.own)
        if self._watcher is not None and wanted == self._listened and not self._watcher.is_over:
            return ""
        self.close()
        if identity is None:
            return ""  # every pass over it says so
        if sys.platform != "linux":
            return "changes are not noticed on this system: it is polled"
        from aefsync.disk.watching import Unwatched, Watcher

        try:
            self._watcher, self._listened = Watcher(place.root, place.leaves_out, self._stirred), wanted
        except Unwatched as unwatched:
            return str(unwatched)
        return ""

    def close(self) -> None:
        """Listen to nothing any more."""
        if self._watcher is not None:
            self._watcher.close()
            self._watcher = None


def _identity(root: bytes) -> tuple[int, int] | None:
    """Device and inode of the directory at a path; `None` where there is none."""
    with contextlib.suppress(OSError):
        seen = os.stat(root)
        if stat.S_ISDIR(seen.st_mode):
            return seen.st_dev, seen.st_ino
    return None
