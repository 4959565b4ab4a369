"""Tombstones: those of a replica as a snapshot of their own, and what sums a replica's past up.

Tombstones are compared as entries are, by the same questions about key ranges (`tree`), in the view BURIED: the digest
of a tombstone covers its key and its version.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from operator import itemgetter

from aefsync.core.digest import META, PUBLIC_KEY, ROOT_DIGEST, entry_digests, node_digest
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.path import RelPath
from aefsync.core.snapshot import CONTENT, Block, Snapshot, VersionList
from aefsync.core.version import Tombstone, Version
from aefsync.core.view import STAT, View


class TombstoneRow(NamedTuple):
    """One of a directory (by its key with a closing NUL), and the digest of its version."""

    directory: bytes
    name: bytes
    version: Version
    digest: bytes


def buried(tombstones: Iterable[Tombstone]) -> Snapshot:
    """A snapshot of tombstones, which has digests in the view BURIED and can be asked about that; in any order."""
    return snapshot_of(TombstoneRow(path.prefix, path.name, version, version.digest) for path, version in tombstones)


def snapshot_of(rows: Iterable[TombstoneRow]) -> Snapshot:
    """The same, of what is at hand by directories, with its digests."""
    ordered = sorted(rows, key=lambda each: each.directory + each.name)
    blocks, digests = [], []
    for prefix, group in itertools.groupby(ordered, key=itemgetter(0)):
        block, own = _block(prefix, list(group))
        blocks.append(block)
        digests.append(own)
    return Snapshot(blocks, b"".join(digests), view=View.BURIED)


def tombstones_at(snapshot: Snapshot, low: int, high: int) -> list[Tombstone]:
    """The tombstones at positions `low` … `high - 1`, in key order."""
    found = []
    for block, start, stop in snapshot.runs(low, high):
        assert block.versions is not None
        names = block.name_list()
        keys = (block.prefix + names[index] for index in range(start, stop))
        paths = (RelPath.again(key.replace(b"\0", b"/")) for key in keys)
        found += [Tombstone(path, block.versions[index]) for index, path in enumerate(paths, start)]
    return found


def history(root: bytes, tombstones: Snapshot) -> bytes:
    """A digest of all entries with their versions (`root` is their public root digest in the view VERSIONED), and of all
    tombstones."""
    of_tombstones = node_digest([tombstones.digests_in(View.BURIED)], PUBLIC_KEY, ROOT_DIGEST)
    return node_digest([root, of_tombstones], PUBLIC_KEY, ROOT_DIGEST)


def _block(prefix: bytes, rows: Sequence[TombstoneRow]) -> tuple[Block, bytes]:
    _, names, versions, digests_of_versions = zip(*rows, strict=True)
    count, known = len(rows), VersionList(versions)
    contents = [each.ljust(CONTENT, b"\0") for each in digests_of_versions]
    digests = entry_digests(prefix, names, itertools.repeat(bytes(META), count), contents)
    block = Block(prefix, b"\0".join(names), bytes(STAT.size * count), bytes(CONTENT * count), count, versions=known)
    return block, digests
