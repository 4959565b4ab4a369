"""Only some sub-trees (`--path`): which directories a scan then passes through, and what it sees in them."""

from __future__ import annotations

from collections.abc import Sequence

from aefsync.core.path import RelPath, outermost


class Narrowing:
    """The sub-trees at `paths`; with none, everything.

    A directory above a sub-tree is not listed: only the names that lead there are looked at, so it costs nothing that
    half a million files lie beside them, and what is beside them is as if it were not.
    """

    def __init__(self, paths: Sequence[RelPath]) -> None:
        self._keys = [path.key + b"\0" for path in outermost(paths)]
        self._names: dict[bytes, list[bytes]] = {}
        for key in self._keys:
            names = key[:-1].split(b"\0")
            for depth, name in enumerate(names):
                prefix = b"".join(each + b"\0" for each in names[:depth])
                known = self._names.setdefault(prefix, [])
                if name not in known:
                    known.append(name)

    @property
    def is_everything(self) -> bool:
        return not self._keys

    def names(self, prefix: bytes) -> list[bytes] | None:
        """The names to look at in a directory (by its key with closing NUL); `None`: all that are there."""
        return self._names.get(prefix)

    def chosen(self, prefix: bytes, names: Sequence[bytes], low: int, high: int) -> list[int]:
        """Where, at `low` … `high - 1` of a directory on the way, a sub-tree begins."""
        return [index for index in range(low, high) if prefix + names[index] + b"\0" in self._keys]

    def covers(self, path: bytes) -> bool:
        """Whether a path is, or lies in, one of the sub-trees."""
        key = path.replace(b"/", b"\0") + b"\0"
        return not self._keys or any(key.startswith(top) for top in self._keys)


EVERYTHING = Narrowing(())
