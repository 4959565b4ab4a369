"""Files that come piece by piece, from the first byte to the last, are hashed as they come, and not read again."""

from __future__ import annotations

from aefsync.core.digest import content_hasher
from aefsync.core.path import RelPath
from aefsync.core.ports import Piece


class Coming:
    """What has come of one file; not `whole`: something came before, nobody knows what."""

    def __init__(self, *, whole: bool = True) -> None:
        self._hasher = content_hasher()
        self._is_whole = whole
        self.size = 0

    def add(self, piece: Piece) -> None:
        """Hear of the next piece."""
        self._is_whole = self._is_whole and piece.offset == self.size
        if self._is_whole:
            self._hasher.update(piece.data)
            self.size += len(piece.data)

    def content(self, size: int) -> bytes:
        """The content digest of a file of this size, if just that came, in order; else empty."""
        return self._hasher.digest() if self._is_whole and self.size == size else b""


class Arriving:
    """What has come of many files, most of them one after the other."""

    def __init__(self) -> None:
        self._path: RelPath | None = None
        self._coming = Coming()
        """what comes of the file at `_path`"""
        self._came: dict[RelPath, tuple[int, bytes]] = {}
        """size and content of the others; no content: nobody knows"""

    def wrote(self, piece: Piece) -> None:
        """Hear of a piece that was written."""
        if piece.path != self._path:
            if self._path is not None:
                self._came[self._path] = self._coming.size, self._coming.content(self._coming.size)
            self._path, self._coming = piece.path, Coming(whole=piece.path not in self._came)
        self._coming.add(piece)

    def content(self, path: RelPath, size: int) -> bytes:
        """As of `Coming`."""
        if path == self._path:
            return self._coming.content(size)
        came, content = self._came.get(path, (0, b""))
        return content if came == size else b""

    def forget(self, path: RelPath) -> None:
        """What was written of a file is there no longer."""
        if path == self._path:
            self._path = None
        self._came.pop(path, None)
