"""Spill: bytes that would fill the memory of a session, kept in a file without a name that goes when the session does."""

from __future__ import annotations

import os
from typing import IO

from aefsync.core.digest import framed_digest
from aefsync.core.problem import reason_of
from aefsync.errors import RootError

_CHECKSUM = 8
_LENGTH_BITS = 32
_LOST = "what this run had put away cannot be read"
Place = int
"""Where some bytes are: the offset, and the length in the low bits."""


class Spill:
    """A file in a directory (`None`: nowhere, and nothing can be put there), made when the first bytes come."""

    def __init__(self, directory: str | None) -> None:
        self._directory = directory
        self._file: IO[bytes] | None = None
        self._end = 0

    def __del__(self) -> None:
        if self._file is not None:
            self._file.close()

    def put(self, data: bytes) -> Place:
        """Keep some bytes; raises `OSError`."""
        if self._directory is None:
            raise OSError("there is no place for it")
        if self._file is None:
            import tempfile

            self._file = tempfile.TemporaryFile(dir=self._directory, buffering=0)  # noqa: SIM115  it lives as long as this
        kept = framed_digest((data,), _CHECKSUM) + data
        place = self._end << _LENGTH_BITS | len(kept)
        if os.pwrite(self._file.fileno(), kept, self._end) < len(kept):
            raise OSError("written in part")
        self._end += len(kept)
        return place

    def get(self, place: Place) -> bytes:
        """The bytes that were put there; raises `RootError`: nothing else has them, and the run cannot go on."""
        assert self._file is not None
        offset, length = place >> _LENGTH_BITS, place & (1 << _LENGTH_BITS) - 1
        try:
            kept = os.pread(self._file.fileno(), length, offset)
        except OSError as error:
            raise RootError(f"{_LOST}: {reason_of(error)}") from None
        data = kept[_CHECKSUM:]
        if kept[:_CHECKSUM] != framed_digest((data,), _CHECKSUM):
            raise RootError(f"{_LOST}: damaged on the disk")
        return data
