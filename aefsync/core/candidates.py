"""What may have been moved: versions that go from one path and come to another, joined by content in packed columns.

Files, symlinks and directories with nothing in them are **leaves**; a directory with something in it is known by its
leaves.  There is no object for a leaf, a million may go and a million come: of each, one number is kept, the head of
its content digest above its own number, and with that the directory it is in and a checksum of its name.  What is found
so is nearly always right, and is looked at again before anything comes of it.
"""

from __future__ import annotations

import itertools
import zlib
from array import array
from bisect import bisect_left
from collections.abc import Iterator

from aefsync.core.entry import Entry, Kind
from aefsync.core.fate import Fates
from aefsync.core.path import END, RelPath
from aefsync.core.sketch import Sketch

_SHIFT = 24
"""Bits for the number of a leaf (beyond that many, there are no candidates); those above are the head of its digest."""
_DIRECTORY = Kind.DIRECTORY
SKETCH = 22
"""Bits of a head that a sketch looks at."""


class Leaves:
    """The leaves of one side, what goes or what comes, and its directories.

    Directories are numbered from 1, parents first; 0 stands for all others.
    """

    def __init__(self) -> None:
        self.directories: list[RelPath | None] = [None]
        self.numbers: dict[bytes, int] = {}
        self.homes = array("I")
        self.names = array("I")
        self._keys: array[int] = array("Q")

    def add(self, entry: Entry, *, is_empty: bool) -> None:
        """Take in a version, in key order."""
        path, kind, content = entry.path, entry.kind, entry.content
        if kind is _DIRECTORY:
            self.numbers[path] = len(self.directories)
            self.directories.append(path)
            if not is_empty:
                return
        if entry.is_read and len(self.homes) < 1 << _SHIFT:
            self._keys.append(head(content) << _SHIFT | len(self.homes))
        above, _, name = path.rpartition(b"/")
        self.homes.append(self.numbers.get(above, 0) if self.numbers else 0)
        self.names.append(zlib.crc32(name))

    def seal(self) -> None:
        """All are in."""
        self._keys = array("Q", sorted(self._keys))

    def parent(self, number: int) -> int:
        """The directory above one."""
        path = self.directories[number]
        return 0 if path is None else self.numbers.get(path.parent, 0)

    def counts(self) -> list[int]:
        """How many leaves are below each directory."""
        found = [0] * len(self.directories)
        for home in self.homes:
            found[home] += 1
        for number in range(len(found) - 1, 0, -1):
            found[self.parent(number)] += found[number]
        return found

    def by_head(self) -> Iterator[tuple[int, list[int]]]:
        """Heads in order, and the leaves that have them."""
        for number, keys in itertools.groupby(self._keys, lambda key: key >> _SHIFT):
            yield number, [key & (1 << _SHIFT) - 1 for key in keys]

    def of_head(self, number: int) -> list[int]:
        """The leaves that have a head."""
        low = bisect_left(self._keys, number << _SHIFT)
        high = bisect_left(self._keys, number + 1 << _SHIFT, low)
        return [key & (1 << _SHIFT) - 1 for key in self._keys[low:high]]


def head(content: bytes) -> int:
    """What a column knows of a content digest."""
    return int.from_bytes(content[:5], "big")


class Candidates:
    """The leaves that go and those that come.

    `taken` are the directories that come to a path where something else is, `are_none` says that nothing that comes is
    like anything that goes.
    """

    def __init__(self, fates: Fates) -> None:
        self.fates = fates
        self.going, self.coming = Leaves(), Leaves()
        self.taken: set[bytes] = set()
        for fate, following in itertools.pairwise(itertools.chain(fates.between(b"", END), (None,))):
            assert fate is not None
            if fate.stays:
                continue
            is_empty = following is None or not following.path.is_below(fate.path)
            going, coming = fate.found, fate.wanted
            if going is not None:
                self.going.add(going, is_empty=is_empty)
            if coming is not None:
                self.coming.add(coming, is_empty=is_empty)
                if going is not None and coming.kind is _DIRECTORY:
                    self.taken.add(fate.path)
        self.going.seal()
        self.coming.seal()
        self._sketch = Sketch(SKETCH)
        self.are_none = True
        for number, _, _ in self.groups():
            self._sketch.add(number)
            self.are_none = False

    def groups(self) -> Iterator[tuple[int, list[int], list[int]]]:
        """Leaves that go and leaves that come, and the head that they share."""
        for number, coming in self.coming.by_head():
            going = self.going.of_head(number)
            if going:
                yield number, going, coming

    def may_be_moved(self, entry: Entry) -> bool:
        """Whether something of this content may go and something of it come; rarely true where that is not so."""
        return entry.is_read and head(entry.content) in self._sketch
