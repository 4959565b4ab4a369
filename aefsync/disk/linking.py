"""Linking: which names of a tree are one file, found by device and inode, and told by the first of them.

Where inodes are stable only those that occur more than once are looked at again, to tell file systems apart; elsewhere
every file is.  What is read of one name is true of the others.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import stat
from array import array
from collections.abc import Iterator, Sequence

from aefsync.core.entry import UNKNOWN
from aefsync.core.metadata import Extra
from aefsync.core.snapshot import CONTENT, STAT_COLUMNS, Block
from aefsync.disk.building import directory_path
from aefsync.disk.confined import ConfinedRoot

_KIND, _INODE = 0o170000, 4
Member = tuple[int, int]
"""The number of a block, and the index in it."""


def linked(root: ConfinedRoot, blocks: Sequence[Block]) -> list[Block]:
    """The blocks of a snapshot with the leaders of their entries, and contents that are known by another name."""
    groups = [members for members in _groups(root, blocks).values() if len(members) > 1]
    leaders: dict[int, dict[int, bytes]] = {}
    contents: dict[int, dict[int, bytes]] = {}
    for members in groups:
        number, index = members[0]
        leader = (blocks[number].prefix + blocks[number].name_list()[index]).replace(b"\0", b"/")
        known = next((found for each in members if (found := _content(blocks, each)) != UNKNOWN), UNKNOWN)
        for number, index in members:
            leaders.setdefault(number, {})[index] = leader
            contents.setdefault(number, {})[index] = known
    return [_completed(block, leaders.get(number, {}), contents.get(number, {})) for number, block in enumerate(blocks)]


def _content(blocks: Sequence[Block], member: Member) -> bytes:
    number, index = member
    return blocks[number].contents[index * CONTENT : (index + 1) * CONTENT]


def _completed(block: Block, leaders: dict[int, bytes], contents: dict[int, bytes]) -> Block:
    extras = list(block.extras) if block.extras is not None else [Extra(leader=b"")] * block.length
    if block.extras is not None:
        extras = [extra._replace(leader=b"") for extra in extras]
    for index, leader in leaders.items():
        extras[index] = extras[index]._replace(leader=leader)
    if not contents:
        return block._replace(extras=extras)
    known = bytearray(block.contents)
    for index, content in contents.items():
        known[index * CONTENT : (index + 1) * CONTENT] = content
    return block._replace(extras=extras, contents=bytes(known), digests=None)


def _groups(root: ConfinedRoot, blocks: Sequence[Block]) -> dict[tuple[int, int], list[Member]]:
    """The names of each file that may have several, in key order."""
    several = _repeated(blocks)
    groups: dict[tuple[int, int], list[Member]] = {}
    for number, block in enumerate(blocks) if several else ():
        wanted = [index for index, inode in _files(block) if inode in several]
        if not wanted:
            continue
        names = block.name_list()
        with contextlib.suppress(OSError), root.directory(directory_path(block.prefix)) as fd:
            for index in wanted:
                with contextlib.suppress(OSError):
                    seen = os.stat(names[index], dir_fd=fd, follow_symlinks=False)
                    if seen.st_nlink > 1:
                        groups.setdefault((seen.st_dev, seen.st_ino), []).append((number, index))
    return groups


def _files(block: Block) -> Iterator[tuple[int, int]]:
    """Positions and inodes of the files of a block."""
    columns = memoryview(block.stats).cast("q") if block.length else memoryview(b"").cast("q")
    modes, inodes = columns[0::STAT_COLUMNS].tolist(), columns[_INODE::STAT_COLUMNS].tolist()
    for index, mode in enumerate(modes):
        if mode & _KIND == stat.S_IFREG:
            yield index, inodes[index]


def _repeated(blocks: Sequence[Block]) -> frozenset[int]:
    """The inodes that occur more than once; 0 (not known) counts as one of them."""
    found = array("q", [inode for block in blocks for _, inode in _files(block)])
    ordered = array("q", sorted(found))
    return frozenset(one for one, other in itertools.pairwise(ordered) if one == other) | {0}
