"""Columns of bytes over a socket between a replica and its workers: a count, the lengths, and the columns themselves.

Both ends are this program, on this machine: nothing here is checked.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence

_COUNT = struct.Struct("=I")


def send_columns(connection: socket.socket, columns: Sequence[bytes]) -> None:
    """Send some columns (none: nothing to say); raises `OSError` where the other end is gone."""
    head = struct.pack(f"={len(columns) + 1}I", len(columns), *map(len, columns))
    connection.sendall(b"".join([head, *columns]))


def receive_columns(connection: socket.socket) -> list[bytes] | None:
    """The columns that the other end sent next; `None` where it is gone."""
    try:
        (count,) = _COUNT.unpack(_receive(connection, _COUNT.size))
        lengths = struct.unpack(f"={count}I", _receive(connection, count * _COUNT.size))
        body = memoryview(_receive(connection, sum(lengths)))
    except (OSError, EOFError):
        return None
    columns, at = [], 0
    for length in lengths:
        columns.append(bytes(body[at : at + length]))
        at += length
    return columns


def _receive(connection: socket.socket, size: int) -> bytearray:
    data = bytearray(size)
    view = memoryview(data)
    while view:
        count = connection.recv_into(view)
        if not count:
            raise EOFError
        view = view[count:]
    return data
