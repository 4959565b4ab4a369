"""Batches of a journal: changes packed column by column, and what became of them.

What a batch **intends** is written before anything of it is done, what became of it afterwards.  Columns:

    intent    zlib: count, did and flags of each change | paths, joined by NUL | entries | targets, extras;  digests
    outcome   zlib: fate of each change  |  ctime_ns, inode of each as it stood just after  |  kept: positions, then names

A change of a batch without an outcome (the run was killed) may have been made or not; whoever takes it back looks.
"""

from __future__ import annotations

import enum
import itertools
import json
import struct
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from aefsync.core.change import Change, Did
from aefsync.core.entry import Entry, Kind
from aefsync.core.growth import Growth
from aefsync.core.metadata import Extra, Owner
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.path import RelPath
from aefsync.core.snapshot import CONTENT

_COUNT = struct.Struct("<I")
_ROW = struct.Struct("<BB")
_ENTRY = struct.Struct("<BHQqqQHI")
"""kind, mode, size, mtime_ns, ctime_ns, inode, lengths of the target and of the extra (JSON, where there is one)."""
_STAMP = struct.Struct("<qQ")
MAX_SIZE = 64 << 20
_BEFORE, _AFTER, _DISPLACED = 1, 2, 4

Stamp = tuple[int, int]
"""ctime_ns and inode; zeros where they prove nothing."""
NO_STAMP: Stamp = (0, 0)


class Fate(enum.IntEnum):
    """What became of an intended change."""

    LEFT = 0
    DONE = 1
    THERE = 2
    """what was wanted stood there already (of a move: at its new name, and the old one went to the trash)"""
    DOUBTFUL = 3
    """nobody wrote it down"""


class Outcome(NamedTuple):
    """What became of a batch: fates and stamps in order; `kept` names, by position, the conflict copies of local edits
    that stood in the way."""

    fates: tuple[Fate, ...]
    stamps: tuple[Stamp, ...]
    kept: dict[int, RelPath]


def doubtful(number: int) -> Outcome:
    """The outcome of a batch of which nothing more is known."""
    return Outcome((Fate.DOUBTFUL,) * number, (NO_STAMP,) * number, {})


def pack_intent(changes: Sequence[Change]) -> bytes:
    """The intent of a batch; digests are no use to zlib and stay out of it."""
    triples = [(change.before, change.after, change.displaced) for change in changes]
    there = ([entry is not None for entry in each] for each in triples)
    flags = [before * _BEFORE | after * _AFTER | displaced * _DISPLACED for before, after, displaced in there]
    rows = bytes(itertools.chain.from_iterable(zip((change.did for change in changes), flags, strict=True)))
    names = b"\0".join([path for change in changes for path in (change.path, change.source) if path is not None])
    entries = [entry for each in triples for entry in each if entry is not None]
    extras = [pack_extra(entry.extra) for entry in entries]
    pack = _ENTRY.pack
    pairs = zip(entries, extras, strict=True)
    stats = b"".join([pack(e[1], e[2], e[3], e[4], e[5], e[6], len(e[8]), len(extra)) for e, extra in pairs])
    tail = b"".join([part for entry, extra in zip(entries, extras, strict=True) for part in (entry.target, extra)])
    head = zlib.compress(b"".join([_COUNT.pack(len(changes)), rows, _COUNT.pack(len(names)), names, stats, tail]), 1)
    return b"".join([_COUNT.pack(len(head)), head, *[entry.content for entry in entries]])


def unpack_intent(data: bytes) -> list[Change]:
    """The changes of an intent; raises `ValueError` or `struct.error` where it is none."""
    (squeezed,) = _COUNT.unpack_from(data)
    data, contents = unsqueezed(data[_COUNT.size : _COUNT.size + squeezed]), data[_COUNT.size + squeezed :]
    (number,) = _COUNT.unpack_from(data)
    place = _COUNT.size + number * _ROW.size
    rows = list(_ROW.iter_unpack(data[_COUNT.size : place]))
    (length,) = _COUNT.unpack_from(data, place)
    place += _COUNT.size
    paths = iter(data[place : place + length].split(b"\0"))
    entries = _unpack_entries(data[place + length :], contents, sum(flags.bit_count() for _, flags in rows))
    changes = []
    for code, flags in rows:
        did, path = Did(code), RelPath(next(paths))
        source = RelPath(next(paths)) if did is Did.MOVED else None
        before = next(entries)._replace(path=source or path) if flags & _BEFORE else None
        after = next(entries)._replace(path=path) if flags & _AFTER else None
        displaced = next(entries)._replace(path=path) if flags & _DISPLACED else None
        changes.append(Change(did, path, before, after, source, displaced))
    return changes


def _unpack_entries(data: bytes, contents: bytes, number: int) -> Iterator[Entry]:
    """Entries, their paths still to come."""
    tail = number * _ENTRY.size
    for position, row in enumerate(_ENTRY.iter_unpack(data[:tail])):
        kind, mode, size, mtime_ns, ctime_ns, inode, target_length, extra_length = row
        content = contents[position * CONTENT : (position + 1) * CONTENT]
        target = data[tail : tail + target_length]
        tail += target_length + extra_length
        extra = unpack_extra(data[tail - extra_length : tail])
        stat = (mode, size, mtime_ns, ctime_ns, inode)
        yield Entry(RelPath(b"-"), Kind(kind), *stat, content, target, extra)


def unsqueezed(data: bytes) -> bytes:
    """What zlib made small, up to `MAX_SIZE` bytes; raises `ValueError`."""
    inflate = zlib.decompressobj()
    try:
        found = inflate.decompress(data, MAX_SIZE)
    except zlib.error as error:
        raise ValueError(str(error)) from error
    if inflate.unconsumed_tail:
        raise ValueError("too large")
    return found


def pack_extra(extra: Extra | None) -> bytes:
    """What only counted where it was asked for; nothing where it was not.  What it was linked to is no part of it: what
    goes to the trash stays linked there."""
    if extra is None:
        return b""
    owner, xattrs, attributes, _ = extra
    said = (
        owner and (owner.uid, owner.gid, owner.user.hex(), owner.group.hex()),
        None if xattrs is None else xattrs.hex(),
        [(name.hex(), value.hex()) for name, value in attributes],
    )
    return json.dumps(said).encode()


def unpack_extra(data: bytes) -> Extra | None:
    """The same again; raises `ValueError`."""
    if not data:
        return None
    plain = bytes.fromhex
    owner, xattrs, attributes = json.loads(data)
    return Extra(
        owner and Owner(owner[0], owner[1], plain(owner[2]), plain(owner[3])),
        None if xattrs is None else plain(xattrs),
        tuple((plain(name), plain(value)) for name, value in attributes),
    )


def pack_outcome(outcome: Outcome) -> bytes:
    """What became of a batch."""
    stamps = struct.pack("<" + "qQ" * len(outcome.stamps), *itertools.chain.from_iterable(outcome.stamps))
    kept = b"".join(map(_COUNT.pack, (len(outcome.kept), *outcome.kept)))
    return pack_columns(bytes(outcome.fates), stamps, kept + b"\0".join(outcome.kept.values()))


def pack_columns(fates: bytes, stamps: bytes, kept: bytes = _COUNT.pack(0)) -> bytes:
    """The same of an outcome that is packed already."""
    return zlib.compress(b"".join([_COUNT.pack(len(fates)), fates, stamps, kept]), 1)


def changes_of(growth: Growth) -> list[Change]:
    """The changes of entries that came by columns."""
    paths = [(RelPath(entry.path), entry) for entry in growth.entries()]
    return [Change(Did.CREATED, path, None, entry) for path, entry in paths]


def unpack_outcome(data: bytes, number: int) -> Outcome:
    """What became of a batch of so many changes; raises `ValueError` or `struct.error` where it is no outcome of it."""
    data = unsqueezed(data)
    (found,) = _COUNT.unpack_from(data)
    if found != number:
        raise ValueError("outcome of another batch")
    place = _COUNT.size + number
    fates = tuple(map(Fate, data[_COUNT.size : place]))
    stamps = tuple(_STAMP.iter_unpack(data[place : place + number * _STAMP.size]))
    place += number * _STAMP.size
    (kept,) = _COUNT.unpack_from(data, place)
    names = place + (kept + 1) * _COUNT.size
    positions = [each for (each,) in _COUNT.iter_unpack(data[place + _COUNT.size : names])]
    paths = map(RelPath, data[names:].split(b"\0") if kept else [])
    return Outcome(fates, stamps, dict(zip(positions, paths, strict=True)))


def counted(changes: Sequence[Change], outcome: Outcome) -> Counter[Did]:
    """How many changes of each kind were made."""
    pairs = zip(changes, outcome.fates, strict=True)
    counts = Counter([change.did for change, fate in pairs if fate is Fate.DONE])
    if outcome.kept or Fate.THERE in outcome.fates:
        return Counter(change.did for change in made(changes, outcome))
    return counts


def made(changes: Iterable[Change], outcome: Outcome) -> Iterator[Change]:
    """The changes that were made (where nobody knows: may have been made), in order."""
    for position, (change, fate, stamp) in enumerate(zip(changes, outcome.fates, outcome.stamps, strict=True)):
        if fate is Fate.THERE and change.source is not None:
            yield Change(Did.DELETED, change.source, change.before, None)
        elif fate in (Fate.DONE, Fate.DOUBTFUL):
            yield from _made(change, stamp, outcome.kept.get(position))


def _made(change: Change, stamp: Stamp, kept_as: RelPath | None) -> Iterator[Change]:
    """One change; where a local edit raced it, that edit was set aside first, and the path was free."""
    if change.after is not None:
        ctime_ns, inode = stamp
        change = change._replace(after=change.after._replace(ctime_ns=ctime_ns, inode=inode))
    if kept_as is not None:
        yield Change(Did.MOVED, kept_as, None, None, change.path)
        change = Change(Did.CREATED, change.path, None, change.after)
    yield change
