"""What stands in a packet: a length, a kind, the number of the request, and what the kind asks for; no I/O here."""

from __future__ import annotations

import errno
import struct

from aefsync.core.files import FarStat, Volume
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.space import inodes_left
from aefsync.errors import ProtocolError

VERSION = 3
MAX_PACKET = 1 << 20
"""Bytes of one answer, at most; servers send a quarter of that."""

INIT, HELLO = 1, 2
OPEN, CLOSE, READ, WRITE, LSTAT, FSTAT, SETSTAT = 3, 4, 5, 6, 7, 8, 9
OPENDIR, READDIR, REMOVE, MKDIR, RMDIR, REALPATH = 11, 12, 13, 14, 15, 16
RENAME, READLINK, SYMLINK, EXTENDED = 18, 19, 20, 200
_STATUS, _HANDLE, _DATA, _NAME, _ATTRS, _EXTENDED = 101, 102, 103, 104, 105, 201

FOR_READING, FOR_WRITING, CREATING, EXCLUSIVELY = 1, 2, 8, 32
_SIZE, _OWNER, _PERMISSIONS, _TIMES, _MORE = 1, 2, 4, 8, 1 << 31
_LARGEST = (1 << 63) - 1
_READ_ONLY = 1
_OK, _END = 0, 1
_ERRORS = {
    2: (errno.ENOENT, "no such file or directory"),
    3: (errno.EACCES, "permission denied"),
    4: (errno.EPROTO, "the server cannot do it, and gives no reason"),
    5: (errno.EINVAL, "the server does not take it (a name that is too long, or not valid there?)"),
    8: (errno.EOPNOTSUPP, "the server does not offer it"),
}
"""Errors by status; OpenSSH has the second for EPERM too, the fourth for ENAMETOOLONG, and the third for most."""
_USUAL = struct.Struct(">IQIIIII")
"""Flags, size, uid, gid, mode, atime, mtime: what servers tell of a file."""
_USUAL_FLAGS = _SIZE | _OWNER | _PERMISSIONS | _TIMES
_NUMBER = struct.Struct(">I")
_HEAD = struct.Struct(">IBI")
_VOLUME = struct.Struct(">11Q")


class Ended(NamedTuple):
    """There is no more."""


class Named(NamedTuple):
    """Names, with what they stand for."""

    rows: tuple[tuple[bytes, FarStat], ...]


class Handle(bytes):
    """What the server calls an open file."""

    __slots__ = ()


Answer = None | Ended | Named | Handle | FarStat | bytes | OSError
"""`None`: done."""


def text(data: bytes) -> bytes:
    return _NUMBER.pack(len(data)) + data


def init() -> bytes:
    return struct.pack(">IBI", 5, INIT, VERSION)


def request(kind: int, number: int, body: bytes) -> bytes:
    return _HEAD.pack(len(body) + 5, kind, number) + body


def opening(path: bytes, flags: int) -> bytes:
    return text(path) + struct.pack(">I", flags) + attributes(0o600 if flags & CREATING else None)


def block(handle: bytes, offset: int) -> bytes:
    return text(handle) + struct.pack(">Q", offset)


def attributes(mode: int | None = None, mtime_s: int | None = None, size: int | None = None) -> bytes:
    """What is to be set; who sets an mtime has to set an atime too."""
    flags, body = 0, b""
    if size is not None:
        flags, body = flags | _SIZE, struct.pack(">Q", size)
    if mode is not None:
        flags, body = flags | _PERMISSIONS, body + _NUMBER.pack(mode)
    if mtime_s is not None:
        flags, body = flags | _TIMES, body + struct.pack(">II", mtime_s, mtime_s)
    return _NUMBER.pack(flags) + body


def extended(name: bytes, body: bytes) -> bytes:
    return text(name) + body


class Reader:
    """Takes one packet apart; raises `ProtocolError` where it is too short."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def is_at_end(self) -> bool:
        return self._at >= len(self._data)

    def number(self) -> int:
        return int.from_bytes(self.take(4))

    def long(self) -> int:
        return int.from_bytes(self.take(8))

    def text(self) -> bytes:
        return self.take(self.number())

    def take(self, length: int) -> bytes:
        end = self._at + length
        if end > len(self._data):
            raise ProtocolError("the SFTP server sent a packet that is cut short")
        taken, self._at = self._data[self._at : end], end
        return taken

    def stat(self) -> FarStat:
        if self._at + _USUAL.size <= len(self._data):
            flags, size, _, _, mode, _, mtime_s = _USUAL.unpack_from(self._data, self._at)
            if flags == _USUAL_FLAGS:
                self._at += _USUAL.size
                return FarStat(mode & 0xFFFF, size & _LARGEST, mtime_s * 1_000_000_000)
        return self._unusual_stat()

    def _unusual_stat(self) -> FarStat:
        flags = self.number()
        size = self.long() if flags & _SIZE else 0
        if flags & _OWNER:
            self.take(8)
        mode = self.number() if flags & _PERMISSIONS else 0
        mtime_s = int.from_bytes(self.take(8)[4:]) if flags & _TIMES else 0
        for _ in range(self.number() if flags & _MORE else 0):
            self.text()
            self.text()
        return FarStat(mode & 0xFFFF, size & _LARGEST, mtime_s * 1_000_000_000)


def extensions(body: bytes) -> dict[bytes, bytes]:
    """What a server says that it can beyond the protocol."""
    reader, found = Reader(body), dict[bytes, bytes]()
    version = reader.number()
    if version != VERSION:
        raise ProtocolError(f"the SFTP server speaks version {version}, and not {VERSION}")
    while not reader.is_at_end:
        name = reader.text()
        found[name] = reader.text()
    return found


def answer(kind: int, body: bytes) -> Answer:
    """What a packet says in answer to a request, whose number is not in `body` any more."""
    reader = Reader(body)
    if kind == _DATA:
        return reader.text()
    if kind == _NAME:
        return Named(tuple(_row(reader) for _ in range(reader.number())))
    if kind == _STATUS:
        return _status(reader)
    if kind == _HANDLE:
        return Handle(reader.text())
    if kind == _ATTRS:
        return reader.stat()
    if kind == _EXTENDED:
        return body
    raise ProtocolError(f"the SFTP server sent a packet of kind {kind}")


def _row(reader: Reader) -> tuple[bytes, FarStat]:
    name = reader.text()
    reader.text()  # the line of `ls -l`, which nobody can rely on
    return name, reader.stat()


def _status(reader: Reader) -> Answer:
    code = reader.number()
    if code == _OK:
        return None
    return Ended() if code == _END else OSError(*_ERRORS.get(code, (errno.EPROTO, f"the server says {code}")))


def volume(body: bytes) -> Volume:
    """The answer to `statvfs@openssh.com`."""
    if len(body) != _VOLUME.size:
        raise ProtocolError("the SFTP server sent a statvfs of the wrong length")
    _, unit, blocks, _, available, inodes, _, free_inodes, number, flags, _ = _VOLUME.unpack(body)
    return Volume(number, available * unit, blocks * unit, bool(flags & _READ_ONLY), inodes_left(inodes, free_inodes))
