"""The scope of a run: the sub-trees that were chosen, and the directories on the way to them.

Replicas see nothing else when they scan; what one tells of beyond that is refused, for it would be brought to the others.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence

from aefsync.core.path import RelPath, outermost
from aefsync.errors import ProtocolError


class Scope:
    """The sub-trees at `paths`; with none, everything."""

    def __init__(self, paths: Sequence[RelPath]) -> None:
        self._tops = [path.key for path in outermost(paths)]
        self._above = {parent.key for path in paths for parent in path.ancestors}

    def covers(self, key: bytes) -> bool:
        if not self._tops or key in self._above:
            return True
        at = bisect_right(self._tops, key) - 1
        return at >= 0 and (key + b"\0").startswith(self._tops[at] + b"\0")

    def check(self, keys: Iterable[bytes]) -> None:
        """Raise `ProtocolError` where one of the keys is of something else."""
        if self._tops and not all(map(self.covers, keys)):
            raise ProtocolError("the peer tells of paths that were not chosen")
