"""Operations as exchanges of packets: a generator yields those that may be sent at once, and is sent the answers."""

from __future__ import annotations

import errno
import stat
import struct
from collections.abc import Callable, Generator, Mapping
from typing import Any

from aefsync.core.files import (
    Abilities,
    Create,
    FarStat,
    Got,
    List,
    Lstat,
    Mkdir,
    Op,
    Read,
    Readlink,
    Remove,
    Rename,
    Replace,
    Resolve,
    Rmdir,
    SetLinkTime,
    SetStat,
    Statfs,
    Symlink,
    Sync,
    Truncate,
    Write,
    raised,
)
from aefsync.core.named_tuple import NamedTuple
from aefsync.wire.sftp import packets
from aefsync.wire.sftp.packets import Answer, Ended, Named, attributes, extended, text

BLOCK = 32 << 10
"""Bytes that every server reads or writes at once."""
_LARGEST_BLOCK = 128 << 10
_MANY_READDIRS = 64
_FSYNC, _LSETSTAT = b"fsync@openssh.com", b"lsetstat@openssh.com"
_STATVFS, _POSIX_RENAME, _LIMITS = b"statvfs@openssh.com", b"posix-rename@openssh.com", b"limits@openssh.com"


class Packet(NamedTuple):
    kind: int
    body: bytes


class Unheard(list[Packet]):
    """Packets whose answers nobody waits for."""


Exchange = Generator[list[Packet], list[Any], Any]
"""What is sent to it are `packets.Answer`s."""


class Offer(NamedTuple):
    """What a server offers."""

    abilities: Abilities
    has_limits: bool
    read_block: int = BLOCK
    write_block: int = BLOCK


def offer_of(extensions: Mapping[bytes, bytes]) -> Offer:
    """What the extensions that a server names amount to."""
    names = (_FSYNC, _LSETSTAT, _STATVFS, _POSIX_RENAME)
    return Offer(Abilities(*(name in extensions for name in names)), _LIMITS in extensions)


def ask_limits(offer: Offer) -> Exchange:
    """The offer, with the blocks that the server allows."""
    answers = yield [Packet(packets.EXTENDED, text(_LIMITS))]
    if not isinstance(answers[0], bytes) or len(answers[0]) != 32:
        return offer
    _, most_read, most_written, _ = struct.unpack(">4Q", answers[0])
    read, write = (min(max(most or BLOCK, BLOCK), _LARGEST_BLOCK) for most in (most_read, most_written))
    return offer._replace(read_block=read, write_block=write)


def perform(op: Op, offer: Offer) -> Exchange:
    """Carry out an operation; raises `OSError`."""
    match op:
        case List(path):
            return _list(path)
        case Read():
            return _read(op, offer.read_block)
        case Write(path, offset, data):
            return _write(path, offset, data, offer.write_block, packets.FOR_WRITING | packets.CREATING)
        case Create(path, data):
            flags = packets.FOR_WRITING | packets.CREATING | packets.EXCLUSIVELY
            return _write(path, 0, data, offer.write_block, flags)
        case Sync(path):
            return _sync(path)
        case _:
            return _single(*_SINGLE[type(op)](op))


def _single(packet: Packet, made_of: Callable[[Any], Any]) -> Exchange:
    (answer,) = yield [packet]
    return made_of(raised(answer))


def _plain(kind: int, *parts: bytes) -> tuple[Packet, Callable[[Any], Any]]:
    return Packet(kind, b"".join(parts)), lambda answer: answer


def _extended(name: bytes, *parts: bytes) -> tuple[Packet, Callable[[Any], Any]]:
    return _plain(packets.EXTENDED, extended(name, b"".join(parts)))


def _only_name(answer: Answer) -> bytes:
    if not isinstance(answer, Named) or len(answer.rows) != 1:
        raise OSError(errno.EPROTO, "the server gives no name")
    return answer.rows[0][0]


def _truncation(path: bytes, size: int) -> bytes:
    return text(path) + attributes(size=size)


_SINGLE: dict[type[Any], Callable[[Any], tuple[Packet, Callable[[Any], Any]]]] = {
    Lstat: lambda op: _plain(packets.LSTAT, text(op.path)),
    Readlink: lambda op: (Packet(packets.READLINK, text(op.path)), _only_name),
    Resolve: lambda op: (Packet(packets.REALPATH, text(op.path)), _only_name),
    Statfs: lambda op: (Packet(packets.EXTENDED, extended(_STATVFS, text(op.path))), packets.volume),
    Truncate: lambda op: _plain(packets.SETSTAT, _truncation(op.path, op.size)),
    Mkdir: lambda op: _plain(packets.MKDIR, text(op.path), attributes(op.mode)),
    Rmdir: lambda op: _plain(packets.RMDIR, text(op.path)),
    Remove: lambda op: _plain(packets.REMOVE, text(op.path)),
    Rename: lambda op: _plain(packets.RENAME, text(op.old), text(op.new)),
    Replace: lambda op: _extended(_POSIX_RENAME, text(op.old), text(op.new)),
    # The draft has the two the other way round, and OpenSSH, whom everybody follows, has them like this.
    Symlink: lambda op: _plain(packets.SYMLINK, text(op.target), text(op.path)),
    SetStat: lambda op: _plain(packets.SETSTAT, text(op.path), attributes(op.mode, op.mtime_s)),
    SetLinkTime: lambda op: _extended(_LSETSTAT, text(op.path), attributes(None, op.mtime_s)),
}


def _list(path: bytes) -> Exchange:
    # In order, so the look at what it is comes first; a link to a directory is opened all the same, and let go.
    seen, handle = yield [Packet(packets.LSTAT, text(path)), Packet(packets.OPENDIR, text(path))]
    found: list[tuple[bytes, FarStat]] = []
    try:
        if not stat.S_ISDIR(raised(seen).st_mode):
            raise NotADirectoryError(errno.ENOTDIR, "not a directory")
        raised(handle)
        ahead, is_open = 2, True
        while is_open:
            for answer in (yield [Packet(packets.READDIR, text(handle))] * ahead):
                if isinstance(raised(answer), Ended):
                    is_open = False
                elif isinstance(answer, Named):
                    found += answer.rows
            ahead = min(2 * ahead, _MANY_READDIRS)
    finally:
        if isinstance(handle, bytes):
            yield Unheard([Packet(packets.CLOSE, text(handle))])
    return tuple(row for row in found if row[0] not in (b".", b".."))


def _read(op: Read, size: int) -> Exchange:
    # Looked at before it is opened: a FIFO would keep the server waiting for whoever writes to it.
    (seen,) = yield [Packet(packets.LSTAT, text(op.path))]
    if not stat.S_ISREG(raised(seen).st_mode):
        raise OSError(errno.EINVAL, "no longer a regular file")
    (handle,) = yield [Packet(packets.OPEN, packets.opening(op.path, packets.FOR_READING))]
    raised(handle)
    parts: dict[int, bytes] = {}
    try:
        end = op.offset + op.length
        wanted = [(offset, min(size, end - offset)) for offset in range(op.offset, end, size)]
        while True:
            asked = [_reading(handle, offset, length) for offset, length in wanted]
            *answers, seen = yield [*asked, Packet(packets.FSTAT, text(handle))]
            left: list[tuple[int, int]] = []
            for (offset, length), answer in zip(wanted, answers, strict=True):
                if isinstance(raised(answer), bytes):
                    parts[offset] = answer[:length]
                    # A server may give fewer bytes than it has.
                    left += [(offset + len(answer), length - len(answer))] if 0 < len(answer) < length else []
            if not left:
                return Got(_joined(parts, op.offset), raised(seen))
            wanted = left
    finally:
        yield Unheard([Packet(packets.CLOSE, text(handle))])


def _reading(handle: bytes, offset: int, length: int) -> Packet:
    return Packet(packets.READ, packets.block(handle, offset) + length.to_bytes(4))


def _joined(parts: Mapping[int, bytes], at: int) -> bytes:
    """The bytes up to the first that are missing."""
    run = []
    while part := parts.get(at):
        run.append(part)
        at += len(part)
    return b"".join(run)


def _write(path: bytes, offset: int, data: bytes, size: int, flags: int) -> Exchange:
    (handle,) = yield [Packet(packets.OPEN, packets.opening(path, flags))]
    raised(handle)
    view = memoryview(data)
    blocks = [(offset + at, bytes(view[at : at + size])) for at in range(0, len(data), size)]
    writes = [Packet(packets.WRITE, packets.block(handle, at) + text(part)) for at, part in blocks]
    for answer in (yield [*writes, Packet(packets.CLOSE, text(handle))]):
        raised(answer)


def _sync(path: bytes) -> Exchange:
    (handle,) = yield [Packet(packets.OPEN, packets.opening(path, packets.FOR_READING))]
    raised(handle)
    answers = yield [Packet(packets.EXTENDED, extended(_FSYNC, text(handle))), Packet(packets.CLOSE, text(handle))]
    for answer in answers:
        raised(answer)
