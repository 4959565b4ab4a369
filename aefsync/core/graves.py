"""Graves: the tombstones of a replica as a snapshot of their own, and what sums a replica's past up.

Tombstones are compared as entries are, by the same questions about key ranges (`tree`), in the view BURIED: the digest
of a tombstone covers its key and its version.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

from aefsync.core.digest import META, PUBLIC_KEY, ROOT_DIGEST, entry_digests, node_digest
from aefsync.core.path import RelPath
from aefsync.core.snapshot import CONTENT, Block, Snapshot, VersionList
from aefsync.core.version import Grave
from aefsync.core.view import STAT, View


def buried(graves: Iterable[Grave]) -> Snapshot:
    """A snapshot of tombstones, which has digests in the view BURIED and can be asked about that; in any order."""
    ordered = sorted(graves, key=lambda grave: grave.path.key)
    blocks, digests = [], []
    for prefix, group in itertools.groupby(ordered, key=lambda grave: grave.path.key[: -len(grave.path.name)]):
        block, own = _block(prefix, list(group))
        blocks.append(block)
        digests.append(own)
    return Snapshot(blocks, b"".join(digests), view=View.BURIED)


def graves_at(snapshot: Snapshot, low: int, high: int) -> list[Grave]:
    """The tombstones at positions `low` … `high - 1`, in key order."""
    found = []
    for block, start, stop in snapshot.runs(low, high):
        assert block.versions is not None
        names = block.name_list()
        keys = (block.prefix + names[index] for index in range(start, stop))
        paths = (RelPath.again(key.replace(b"\0", b"/")) for key in keys)
        found += [Grave(path, block.versions[index]) for index, path in enumerate(paths, start)]
    return found


def history(root: bytes, tombstones: Snapshot) -> bytes:
    """A digest of all entries with their versions (`root` is their public root digest in the view VERSIONED), and of all
    tombstones."""
    of_graves = node_digest([tombstones.digests_in(View.BURIED)], PUBLIC_KEY, ROOT_DIGEST)
    return node_digest([root, of_graves], PUBLIC_KEY, ROOT_DIGEST)


def _block(prefix: bytes, graves: Sequence[Grave]) -> tuple[Block, bytes]:
    names, count = [grave.path.name for grave in graves], len(graves)
    versions = VersionList(grave.version for grave in graves)
    contents = [grave.version.digest.ljust(CONTENT, b"\0") for grave in graves]
    digests = entry_digests(prefix, names, itertools.repeat(bytes(META), count), contents)
    block = Block(prefix, b"\0".join(names), bytes(STAT.size * count), bytes(CONTENT * count), count, versions=versions)
    return block, digests
