"""Pending: what a batch of actions is about to place, with the versions that it will have, written down before.

Until a run has recorded what it did, nothing else tells its own half-finished work from an edit: what is found as it
was meant to be has the version that it was meant to have, and what is nowhere, because it was on its way, was deleted
by nobody.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from aefsync.core.action import Act, Action
from aefsync.core.entry import Kind
from aefsync.core.version import FOUND, Version
from aefsync.disk.records import Record, joined, pack, record_of, unpack
from aefsync.disk.vectors import packed

_ACTS = tuple(Act)
_HEAD = struct.Struct("<2I")
_NOTHING = Record(bytes(40), bytes(32), 0, 0)


class Intention(NamedTuple):
    """What one action is to leave at one path: the `record`, or a tombstone of its version where `is_grave`.

    `source` is where it is moved from, for a directory.
    """

    act: Act
    path: bytes
    record: Record
    is_grave: bool = False
    source: bytes = b""

    @property
    def is_departure(self) -> bool:
        """Whether nothing is to be left, and nothing buried: it is moved to another path."""
        return not self.is_grave and not self.record.stat.strip(b"\0")


def intentions(action: Action, content: bytes, number: Callable[[Version], int]) -> Iterator[Intention]:
    """What an action is to leave, wherever it does; `content` is that of the file staged for it, `number` gives that of
    a version."""
    act, path, wanted, source = action.act, action.path, action.wanted, action.source
    gone = _NOTHING if action.tombstone is None else _NOTHING._replace(version=number(action.tombstone))
    if wanted is None:
        yield Intention(act, path, gone, action.tombstone is not None)
        return
    if content and not wanted.is_read:
        wanted = wanted._replace(content=content)
    record = record_of(wanted, number(wanted.version or FOUND))
    yield Intention(act, path, record, source=source if source and wanted.kind is Kind.DIRECTORY else b"")
    if source and action.displaced is not None:
        yield Intention(act, source, record_of(action.displaced, number(action.displaced.version or FOUND)))
    elif source:
        yield Intention(act, source, gone, action.tombstone is not None)


def pack_batch(batch: Sequence[Intention]) -> bytes:
    """The form in the sidecar."""
    records = joined([(each.path, each.record) for each in batch])
    acts = bytes([_ACTS.index(each.act) << 1 | each.is_grave for each in batch])
    body = pack(records._replace(flags=acts))
    versions = packed(records.versions)
    sources = b"\0".join(each.source for each in batch) if any(each.source for each in batch) else b""
    return b"".join([_HEAD.pack(len(body), len(versions)), body, versions, sources])


def unpack_batch(data: bytes) -> Iterator[Intention]:
    """The inverse of `pack_batch`; raises `ValueError` where it does not fit together."""
    try:
        body, versions = _HEAD.unpack_from(data)
    except struct.error:
        raise ValueError("what is pending is cut short") from None
    at = _HEAD.size + body
    records = unpack(data[_HEAD.size : at], data[at : at + versions])
    rest = data[at + versions :]
    sources = rest.split(b"\0") if rest else [b""] * len(records.names)
    for (path, record), source in zip(records.each(), sources, strict=True):
        act, is_grave = record.flags >> 1, bool(record.flags & 1)
        yield Intention(_ACTS[act], path, record._replace(flags=0), is_grave, source)


def by_directory(batch: Iterable[Intention]) -> dict[bytes, dict[bytes, Intention]]:
    """What is intended in each directory (by its key with a closing NUL), by name; of several for one path the last."""
    found: dict[bytes, dict[bytes, Intention]] = {}
    for each in batch:
        directory, slash, name = each.path.rpartition(b"/")
        found.setdefault(directory.replace(b"/", b"\0") + b"\0" if slash else b"", {})[name] = each
    return found
