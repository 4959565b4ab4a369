"""Lists of the chunks of large files, by content digest, in the cache directory: to cut half a GiB anew takes a second.

A list is a file of its own, named after the content that it is of, so any root and any session may use it.  It is only
ever a claim: what is put together by it must have the right content digest, and lists that led to anything else are
forgotten.  All of it may be deleted at any time; damage is found by a checksum, and what was not used for longest goes
when there is too much.
"""

from __future__ import annotations

import contextlib
import os
import sys
from array import array

from aefsync.core.digest import framed_digest
from aefsync.core.recipe import CHUNK_DIGEST, CHUNKER, LEVELS
from aefsync.disk.chunking import Chunks

MOST_BYTES = 64 << 20
"""What all lists take together: those of some TB."""
_CHECKSUM = 16
_ROW = 4 + CHUNK_DIGEST


class ChunkLists:
    """Lists of the chunks of the first level; `cache_dir` empty: none are kept."""

    def __init__(self, cache_dir: bytes, most_bytes: int = MOST_BYTES) -> None:
        self._directory = os.path.join(cache_dir, b"chunks") if cache_dir else b""
        self._most_bytes = most_bytes

    def find(self, content: bytes, size: int) -> Chunks | None:
        """The chunks of a file of this content and size, where they are known."""
        if not self._directory:
            return None
        place = self._place(content)
        try:
            with open(place, "rb") as file:
                data = file.read(_CHECKSUM + _ROW * (size // LEVELS[0].least + 2))
            os.utime(place)
        except OSError:
            return None
        checksum, body = data[:_CHECKSUM], data[_CHECKSUM:]
        if len(body) % _ROW or checksum != _checksum(content, body):
            return None
        number = len(body) // _ROW
        lengths = array("I", body[: 4 * number])
        if sys.byteorder == "big":
            lengths.byteswap()
        return Chunks(lengths.tolist(), body[4 * number :]) if sum(lengths) == size else None

    def keep(self, content: bytes, chunks: Chunks) -> None:
        """Remember the chunks of this content, if that can be done."""
        if not self._directory:
            return
        lengths = array("I", chunks.lengths)
        if sys.byteorder == "big":
            lengths.byteswap()
        body = lengths.tobytes() + chunks.digests
        place = self._place(content)
        fresh = place + b"." + os.urandom(4).hex().encode()
        with contextlib.suppress(OSError):
            os.makedirs(self._directory, mode=0o700, exist_ok=True)
            self._make_room(len(body))
            with open(fresh, "xb") as file:
                file.write(_checksum(content, body) + body)
            os.replace(fresh, place)

    def forget(self, content: bytes) -> None:
        """Cut what has this content anew when it is needed next."""
        if self._directory:
            with contextlib.suppress(OSError):
                os.unlink(self._place(content))

    def _place(self, content: bytes) -> bytes:
        return os.path.join(self._directory, content.hex().encode())

    def _make_room(self, size: int) -> None:
        """Delete what was not used for longest, and what was never finished."""
        with os.scandir(self._directory) as scan:
            found = [(each.stat(), each.path) for each in scan]
        found.sort(key=lambda each: each[0].st_mtime_ns)
        excess = size + sum(stat.st_size for stat, _ in found) - self._most_bytes
        for stat, path in found:
            if excess <= 0:
                return
            with contextlib.suppress(FileNotFoundError):  # another session did the same
                os.unlink(path)
            excess -= stat.st_size


def _checksum(content: bytes, body: bytes) -> bytes:
    return framed_digest((CHUNKER.encode(), content, body), _CHECKSUM)
