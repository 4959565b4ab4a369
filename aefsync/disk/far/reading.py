"""The bytes of files elsewhere, given in pieces while they are what the snapshot shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from aefsync.core.files import Got, Read, Task
from aefsync.core.ports import Piece
from aefsync.disk.content import Find
from aefsync.disk.far.root import BLOCK, FarRoot


def read_pieces(root: FarRoot, find: Find, pieces: Sequence[Piece]) -> list[Piece]:
    """Bytes of files; none where a file is no longer what was scanned."""
    found = root.files.carry_out(_reading(root, piece) for piece in pieces)
    return [piece._replace(data=_data(find, piece, blocks)) for piece, blocks in zip(pieces, found, strict=True)]


def _reading(root: FarRoot, piece: Piece) -> Task[Sequence[Any]]:
    """A piece in blocks, all asked for at once."""
    place, end = root.at(piece.path), piece.offset + piece.length
    return (yield [Read(place, at, min(BLOCK, end - at)) for at in range(piece.offset, end, BLOCK)])


def _data(find: Find, piece: Piece, blocks: Sequence[Any]) -> bytes:
    entry = find(piece.path)
    parts: list[bytes] = []
    for got in blocks:
        if not isinstance(got, Got):
            return b""
        if entry is not None and (got.seen.st_size, got.seen.st_mtime_ns) != (entry.size, entry.mtime_ns):
            return b""
        parts.append(got.data)
        if len(got.data) < BLOCK:
            break
    return b"".join(parts)
