"""Ready: what stands in staging for entries that come by columns, block by block, and what is still to be copied."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

from aefsync.core.named_tuple import NamedTuple
from aefsync.core.snapshot import Block
from aefsync.disk.small_files import Files, Row

T = TypeVar("T")


class Bed(NamedTuple):
    """A directory of the tree, by key with a closing NUL, and the name in staging of what comes into it."""

    prefix: bytes
    name: bytes


class Ready(NamedTuple):
    """A block, and what of it stands ready in staging, at `place` (`None`: nothing can).

    `bed` where it comes right into a directory of the tree.  For each entry: 1 if it is there, its stat as it is there,
    the content digest of a file or link.
    """

    block: Block
    place: bytes | None
    bed: Bed | None
    flags: bytearray
    rows: list[Row]
    contents: list[bytes]

    def put(self, index: int, row: Row, content: bytes) -> None:
        self.flags[index], self.rows[index], self.contents[index] = 1, row, content


class Job(NamedTuple, Generic[T]):
    """Small files, by their positions in something (`of`): from the directory at `path`, to that at `place`."""

    of: T
    path: bytes
    place: bytes
    positions: Sequence[int]
    files: Files

    def part(self, low: int, high: int) -> Job[T]:
        """The files at `low` … `high - 1`."""
        names, rows, contents, modes = self.files
        files = Files(names[low:high], rows[low:high], contents[low:high], modes[low:high])
        return self._replace(positions=self.positions[low:high], files=files)
