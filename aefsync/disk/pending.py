"""Pending: what a batch of actions is about to place, with the versions that it will have, written down before.

Until a run has recorded what it did, nothing else tells its own half-finished work from an edit: what is found as it
was meant to be has the version that it was meant to have, and what is nowhere, because it was on its way, was deleted
by nobody.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence

from aefsync.core.action import Act, Action
from aefsync.core.entry import Kind
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.version import FOUND, Version
from aefsync.disk.carrying import Carried
from aefsync.disk.records import Record, joined, pack, record_of, unpack
from aefsync.disk.vectors import packed

_ACTS = tuple(Act)
_HEAD = struct.Struct("<3I")
"""The lengths of the records, of their versions and of the sources."""
_LENGTH = struct.Struct("<I")
_CODES = {act: code << 1 for code, act in enumerate(_ACTS)}
_DIRECTORY = Kind.DIRECTORY
_NO_STAT, _NO_CONTENT = bytes(40), bytes(32)
_NOTHING = Record(_NO_STAT, _NO_CONTENT, 0, 0)


class Intention(NamedTuple):
    """What one action is to leave at one path: the `record`, or a tombstone of its version where `is_tombstone`.

    `source` is where it is moved from, for a directory, which brings along what is `carried`.
    """

    act: Act
    path: bytes
    record: Record
    is_tombstone: bool = False
    source: bytes = b""
    carried: Carried | None = None

    @property
    def is_departure(self) -> bool:
        """Whether nothing is to be left, and nothing buried: it is moved to another path."""
        return not self.is_tombstone and not self.record.stat.strip(b"\0")


def intentions(action: Action, content: bytes, number: Callable[[Version], int]) -> Iterator[Intention]:
    """What an action is to leave, wherever it does; `content` is that of the file staged for it, `number` gives that of
    a version."""
    act, path, wanted, source = action.act, action.path, action.wanted, action.source
    tombstone = action.tombstone
    gone = _NOTHING if tombstone is None else Record(_NO_STAT, _NO_CONTENT, 0, number(tombstone))
    if wanted is None:
        yield Intention(act, path, gone, tombstone is not None)
        return
    record = record_of(wanted, number(wanted.version or FOUND), b"" if wanted.is_read else content)
    if source is None:
        yield Intention(act, path, record)
        return
    if wanted.kind is _DIRECTORY:
        carried = Carried.of(action.along, number) if action.along is not None else None
        yield Intention(act, path, record, source=source, carried=carried)
    else:
        yield Intention(act, path, record)
    if action.displaced is not None:
        yield Intention(act, source, record_of(action.displaced, number(action.displaced.version or FOUND)))
    else:
        yield Intention(act, source, gone, tombstone is not None)


def pack_batch(batch: Sequence[Intention]) -> bytes:
    """The form in the sidecar."""
    records = joined([(each.path, each.record) for each in batch])
    acts = bytes([_CODES[each.act] | each.is_tombstone for each in batch])
    body = pack(records._replace(flags=acts))
    versions = packed(records.versions)
    sources = b"\0".join(each.source for each in batch) if any(each.source for each in batch) else b""
    carried = [each.carried.pack() if each.carried is not None else b"" for each in batch if each.source]
    along = [part for each in carried for part in (_LENGTH.pack(len(each)), each)]
    head = _HEAD.pack(len(body), len(versions), len(sources))
    return b"".join([head, body, versions, sources, zlib.compress(b"".join(along), 1) if along else b""])


def unpack_batch(data: bytes) -> Iterator[Intention]:
    """The inverse of `pack_batch`; raises `ValueError` where it does not fit together."""
    try:
        body, versions, length = _HEAD.unpack_from(data)
    except struct.error:
        raise ValueError("what is pending is cut short") from None
    at = _HEAD.size + body
    records = unpack(data[_HEAD.size : at], data[at : at + versions])
    at += versions
    joined_sources = data[at : at + length]
    if len(joined_sources) < length:
        raise ValueError("what is pending is cut short")
    sources = joined_sources.split(b"\0") if joined_sources else [b""] * len(records.names)
    carried = _unpack_carried(data[at + length :])
    rows = zip(records.flags, records._replace(flags=bytes(len(records.flags))).each(), sources, strict=True)
    for flags, (path, record), source in rows:
        brought = next(carried, None) if source else None
        yield Intention(_ACTS[flags >> 1], path, record, bool(flags & 1), source, brought)


def _unpack_carried(packed: bytes) -> Iterator[Carried | None]:
    """What comes along with each directory that is moved."""
    try:
        data, at = zlib.decompress(packed) if packed else b"", 0
        while at < len(data):
            (length,) = _LENGTH.unpack_from(data, at)
            at += _LENGTH.size + length
            yield Carried.unpack(data[at - length : at]) if length else None
    except (zlib.error, struct.error):
        raise ValueError("what comes along is damaged") from None


def by_directory(batch: Iterable[Intention]) -> dict[bytes, dict[bytes, list[Intention]]]:
    """What is intended in each directory (by its key with a closing NUL), by name, in order."""
    found: dict[bytes, dict[bytes, list[Intention]]] = {}
    for each in batch:
        directory, _, name = each.path.rpartition(b"/")
        own = found.get(directory)
        if own is None:
            own = found[directory] = {}
        known = own.get(name)
        if known is None:
            own[name] = [each]
        else:
            known.append(each)
    return {path.replace(b"/", b"\0") + b"\0" if path else b"": own for path, own in found.items()}
