"""Mount points below a root: a directory that became one since the last run, or ceased to be, is *unknown*.

What is to be seen there is not what was there: an unmounted disk looks like a directory that was emptied.  Linux lists
mount points, bind mounts too; elsewhere a directory is one where another file system begins.
"""

from __future__ import annotations

import contextlib
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

from aefsync.disk.confined import ConfinedRoot
from aefsync.disk.mounts import mounts_below

_BECAME = "became a mount point since the last run: left alone; to take it as it is: --allow-new-root"
_CEASED = "is no longer a mount point (is its disk mounted?): left alone; to take it as it is: --allow-new-root"
_MOVED = "was mounted or unmounted during the run: left alone"


def listed_mounts(root: ConfinedRoot) -> frozenset[bytes] | None:
    """The mount points below a root; `None` where the system does not list them."""
    return frozenset(mounts_below(root)) if os.path.exists("/proc/self/mountinfo") else None


class MountPoints(ABC):
    """The mount points of one scan, beside those `remembered` (`None`: nothing is).

    `found` are those there are.  `changed` gives the reason for each path that is not what it was and is `judged`.
    """

    def __init__(self, remembered: Sequence[bytes] | None, judged: Callable[[bytes], bool]) -> None:
        table = self._table()
        self.changed: dict[bytes, str] = {}
        self._is_listed = table is not None
        self._judged = judged
        self._remembered = None if remembered is None else frozenset(remembered)
        self.found = set(table if table is not None else self._still_there(remembered or ()))
        if self._remembered is not None:
            self._note(self.found - self._remembered, _BECAME)
            self._note(self._remembered - self.found, _CEASED)

    @abstractmethod
    def _table(self) -> frozenset[bytes] | None:
        """The mount points there are now; `None` where the system does not list them."""

    @abstractmethod
    def _device(self, path: bytes) -> int:
        """What tells the file system that something is on from others; 0 where it is gone."""

    def cross(self, path: bytes) -> None:
        """A directory on another file system than the root's."""
        if not (self._is_listed or any(path.startswith(above + b"/") for above in self.found)):
            self.found.add(path)
            if self._remembered is not None:
                self._note({path} - self._remembered, _BECAME)

    def look_again(self) -> None:
        """After the scan: what came or went meanwhile was perhaps seen as it is not."""
        table = self._table()
        if table is not None:
            self._note(self.found ^ table, _MOVED)

    @property
    def expected(self) -> tuple[bytes, ...]:
        """What is to be remembered: what changed is expected as it was, until it is so again or the user says otherwise."""
        return tuple(sorted(self.found if self._remembered is None else self._remembered))

    def _note(self, paths: set[bytes] | frozenset[bytes], reason: str) -> None:
        self.changed |= {path: reason for path in paths if path not in self.changed and self._judged(path)}

    def _still_there(self, remembered: Sequence[bytes]) -> set[bytes]:
        return {path for path in remembered if self._device(path) != self._device(path.rpartition(b"/")[0])}


class LocalMounts(MountPoints):
    """Those of a root of this machine."""

    def __init__(
        self,
        root: ConfinedRoot,
        remembered: Sequence[bytes] | None,
        judged: Callable[[bytes], bool],
        listed: Callable[[ConfinedRoot], frozenset[bytes] | None] = listed_mounts,
    ) -> None:
        self._root = root
        self._listed = listed
        super().__init__(remembered, judged)

    def _table(self) -> frozenset[bytes] | None:
        return self._listed(self._root)

    def _device(self, path: bytes) -> int:
        with contextlib.suppress(OSError):
            return os.stat(path or b".", dir_fd=self._root.fd, follow_symlinks=False).st_dev
        return 0
