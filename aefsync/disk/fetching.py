"""Fetching: the next files of a directory are on their way from the disk while one is read (`rereading`).

A disk answers many requests at once in hardly more time than one; small files read one after the other wait for it each
time.
"""

from __future__ import annotations

import itertools
import os
from collections import deque
from collections.abc import Callable, Iterator

from aefsync.core.named_tuple import NamedTuple
from aefsync.disk.rereading import Opened, open_anew
from aefsync.disk.verifying import Row

FILES, BYTES = 32, 4 << 20
"""How much is on its way at most; of one large file, only the beginning."""


class Fetched(NamedTuple):
    """A file, of which so many bytes are on their way."""

    row: Row
    opened: Opened
    ahead_bytes: int


class Fetching:
    """Files of one directory, in order; each that is handed out is the taker's to close."""

    def __init__(self, directory: int, rows: Iterator[Row]) -> None:
        self._directory = directory
        self._rows = rows
        self._ahead: deque[Fetched] = deque()
        self._bytes = 0

    def until(self, is_enough: Callable[[], bool]) -> Iterator[Fetched]:
        """File by file, as long as it is not enough."""
        while not is_enough():
            self._fetch()
            if not self._ahead:
                return
            fetched = self._ahead.popleft()
            self._bytes -= fetched.ahead_bytes
            yield fetched

    def _fetch(self) -> None:
        while len(self._ahead) < FILES and self._bytes < BYTES and (row := next(self._rows, None)) is not None:
            size = min(row.size, BYTES)
            self._ahead.append(Fetched(row, open_anew(self._directory, row.name, size), size))
            self._bytes += size

    def end(self) -> Iterator[Row] | None:
        """Close what nobody has taken; what is left, if anything is."""
        left = [fetched.row for fetched in self._ahead] or list(itertools.islice(self._rows, 1))
        while self._ahead:
            opened = self._ahead.popleft().opened
            if isinstance(opened, int):
                os.close(opened)
        return itertools.chain(left, self._rows) if left else None
