"""Builders: entries by hand, snapshots of them, and snapshots of a million entries in no time."""

from __future__ import annotations

import itertools
import stat
from collections.abc import Iterable, Sequence

from aefsync.core.compare import Difference, Fetch
from aefsync.core.digest import ENTRY_DIGEST, content_digest, content_hasher
from aefsync.core.entry import UNKNOWN, Entry, Kind
from aefsync.core.metadata import PLAIN, Aspects
from aefsync.core.path import RelPath
from aefsync.core.snapshot import CONTENT, Block, Snapshot
from aefsync.core.view import STAT

_FORMAT = {Kind.FILE: stat.S_IFREG, Kind.DIRECTORY: stat.S_IFDIR, Kind.SYMLINK: stat.S_IFLNK}
_ROWS = 1000


def file(path: bytes, data: bytes = b"", mtime_ns: int = 0, mode: int = 0o644, ctime_ns: int = 1) -> Entry:
    """A file that was read."""
    return Entry(RelPath(path), Kind.FILE, mode, len(data), mtime_ns, ctime_ns, 1, content_digest(data))


def directory(path: bytes, mode: int = 0o755, ctime_ns: int = 1) -> Entry:
    return Entry(RelPath(path), Kind.DIRECTORY, mode, 0, 7, ctime_ns, 1, bytes(32))


def link(path: bytes, target: bytes = b"target", mtime_ns: int = 0, ctime_ns: int = 1) -> Entry:
    content = content_digest(target)
    return Entry(RelPath(path), Kind.SYMLINK, 0, len(target), mtime_ns, ctime_ns, 1, content, target)


def unread(entry: Entry) -> Entry:
    """The same entry, as a scan has it that did not read it."""
    return entry._replace(content=UNKNOWN) if entry.kind is Kind.FILE else entry


def snapshot(entries: Iterable[Entry], rows: int = _ROWS, aspects: Aspects = PLAIN) -> Snapshot:
    """A snapshot of entries in any order, in blocks of at most so many."""
    ordered = sorted(entries, key=lambda entry: entry.path.key)
    blocks = []
    for prefix, group in itertools.groupby(ordered, key=_prefix):
        members = list(group)
        blocks += [_block(prefix, members[i : i + rows]) for i in range(0, len(members), rows)]
    return Snapshot(blocks, aspects=aspects)


def _prefix(entry: Entry) -> bytes:
    return entry.path.key[: -len(entry.path.name)]


def _block(prefix: bytes, entries: Sequence[Entry]) -> Block:
    names = b"\0".join(entry.path.name for entry in entries)
    stats = b"".join(STAT.pack(_FORMAT[e.kind] | e.mode, e.size, e.mtime_ns, e.ctime_ns, e.inode) for e in entries)
    extras = [entry.extra for entry in entries if entry.extra is not None] or None
    contents = b"".join(entry.content for entry in entries)
    return Block(prefix, names, stats, contents, len(entries), extras=extras)


def fetch_from(snapshots: Sequence[Snapshot]) -> Fetch:
    """What `compare.differences` fetches entries with."""
    return lambda replica, spans: [each for low, high in spans for each in snapshots[replica].entries(low, high)]


def planted(trees: Sequence[Iterable[Entry]]) -> list[Difference]:
    """All paths with what each tree has there, in key order."""
    columns = [{entry.path: entry for entry in tree} for tree in trees]
    paths = sorted({path for column in columns for path in column}, key=lambda path: path.key)
    return [Difference(path, tuple(column.get(path) for column in columns)) for path in paths]


def generated(entries: int, depth: int) -> Snapshot:
    """A snapshot of files spread over `depth` nested directories, about as many in each; digests are made up."""
    stats = STAT.pack(stat.S_IFREG | 0o644, 5, 10**18, 10**18, 7) * _ROWS
    contents = content_digest(b"12345") * _ROWS
    name_rows = [_names(number) for number in range(-(-entries // depth // _ROWS))]
    blocks: list[Block] = []
    prefix = b""
    for level in range(depth):
        blocks += [Block(prefix, names, stats, contents, _ROWS) for names in name_rows]
        if level < depth - 1:
            blocks.append(_block(prefix, [directory(b"sub-directory")]))
            prefix += b"sub-directory\0"
    count = sum(block.length for block in blocks)
    return Snapshot(blocks, content_hasher().digest(count * ENTRY_DIGEST))


def _names(number: int) -> bytes:
    first = number * _ROWS
    return b"\0".join(b"file-%08d.txt" % i for i in range(first, first + _ROWS))


def with_changed(original: Snapshot, position: int) -> Snapshot:
    """The same snapshot, with other content at one position."""
    ((block, index, _),) = original.runs(position, position + 1)
    number = next(i for i, each in enumerate(original.blocks) if each is block)
    contents = _patch(block.contents, index * CONTENT, content_digest(b"54321"))
    digests = _patch(original.digests, position * ENTRY_DIGEST, b"\x5a" * ENTRY_DIGEST)
    blocks = [*original.blocks[:number], block._replace(contents=contents), *original.blocks[number + 1 :]]
    return Snapshot(blocks, digests)


def _patch(data: bytes, offset: int, piece: bytes) -> bytes:
    return data[:offset] + piece + data[offset + len(piece) :]
