"""Files that come piece by piece from their first byte to their last are hashed as they come, and not read again."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from aefsync.core.digest import content_hasher
from aefsync.core.path import RelPath
from aefsync.core.ports import Piece

if TYPE_CHECKING:
    from blake3 import blake3


class _Came(NamedTuple):
    """The first bytes of a file, so many; no digest where other pieces came as well."""

    size: int
    content: bytes


class Arriving:
    """What was written of the files of a staging, in any order; the one that pieces come of has a hasher."""

    def __init__(self) -> None:
        self._came: dict[RelPath, _Came] = {}
        self._path: RelPath | None = None
        self._size = 0
        self._hasher: blake3 = content_hasher()

    def wrote(self, piece: Piece) -> None:
        """Hear of a piece that was written."""
        if piece.path != self._path:
            self._let_go()
            if piece.path in self._came or piece.offset:
                self._came[piece.path] = _Came(0, b"")
                return
            self._path, self._size, self._hasher = piece.path, 0, content_hasher()
        if piece.offset != self._size:
            self._path = None
            self._came[piece.path] = _Came(0, b"")
            return
        self._hasher.update(piece.data)
        self._size += len(piece.data)

    def content(self, path: RelPath, size: int) -> bytes:
        """The content digest of a file of which all of so many bytes came in order; empty for any other."""
        if path == self._path:
            self._let_go()
        came = self._came.get(path)
        return came.content if came is not None and came.size == size else b""

    def forget(self, path: RelPath) -> None:
        """What was written of a file is there no longer."""
        if path == self._path:
            self._path = None
        self._came.pop(path, None)

    def _let_go(self) -> None:
        if self._path is not None:
            self._came[self._path] = _Came(self._size, self._hasher.digest())
            self._path = None
