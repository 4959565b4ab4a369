"""Linking: which names of a tree are one file, found by device and inode, and told by the first of them.

Where inodes are stable only those that occur more than once are looked at again, to tell file systems apart; elsewhere
every file is.  What is read of one name is true of the others.  What cannot be looked at is a problem: how it is linked is
not known.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import stat
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence

from aefsync.core.entry import KIND_BITS, UNKNOWN
from aefsync.core.metadata import Extra
from aefsync.core.problem import Problem, reason_of
from aefsync.core.snapshot import CONTENT, STAT_COLUMNS, Block
from aefsync.core.view import STAT
from aefsync.disk.building import directory_path
from aefsync.disk.confined import ConfinedRoot

_INODE = 4
Member = tuple[int, int]
"""The number of a block, and the index in it."""
Report = Callable[[bytes, Problem], None]
"""Told of a problem, and the directory that it is in."""


def linked(root: ConfinedRoot, blocks: Sequence[Block], report: Report) -> list[Block]:
    """The blocks of a snapshot with the leaders of their entries, and contents that are known by another name."""
    leaders: dict[int, dict[int, bytes]] = {}
    contents: dict[int, dict[int, bytes]] = {}
    at, names = -1, list[bytes]()
    for members in _groups(root, blocks, report).values():
        number, index = members[0]
        if len(members) == 1:
            continue
        if number != at:  # groups come by their first members
            at, names = number, blocks[number].name_list()
        leader = directory_path(blocks[number].prefix + names[index] + b"\0")
        known = dict(filter(_is_known, (_seen(blocks, each) for each in members)))
        for number, index in members:
            leaders.setdefault(number, {})[index] = leader
            stats, content = _seen(blocks, (number, index))
            contents.setdefault(number, {})[index] = known.get(stats, content)
    return [_completed(block, leaders.get(number, {}), contents.get(number, {})) for number, block in enumerate(blocks)]


def _seen(blocks: Sequence[Block], member: Member) -> tuple[bytes, bytes]:
    """The stat that a scan saw, and the content: of two names that were not seen alike one may have been edited since."""
    block, index = blocks[member[0]], member[1]
    stats = block.stats[index * STAT.size : (index + 1) * STAT.size]
    return stats, block.contents[index * CONTENT : (index + 1) * CONTENT]


def _is_known(seen: tuple[bytes, bytes]) -> bool:
    return seen[1] != UNKNOWN


def _completed(block: Block, leaders: Mapping[int, bytes], contents: Mapping[int, bytes]) -> Block:
    known = block.extras or [Extra()] * block.length
    # A million entries have few extras, and those of equal ones are one object.
    alone = {extra: extra._replace(leader=b"") for extra in set(known)}
    extras = [alone[extra] for extra in known]
    for index, leader in leaders.items():
        extras[index] = extras[index]._replace(leader=leader)
    if not contents:
        return block._replace(extras=extras)
    filled = bytearray(block.contents)
    for index, content in contents.items():
        filled[index * CONTENT : (index + 1) * CONTENT] = content
    return block._replace(extras=extras, contents=bytes(filled), digests=None)


def _groups(root: ConfinedRoot, blocks: Sequence[Block], report: Report) -> dict[tuple[int, int], list[Member]]:
    """The names of each file that may have several, in key order."""
    several = _repeated(blocks)
    groups: dict[tuple[int, int], list[Member]] = {}
    for number, block in enumerate(blocks) if several else ():
        wanted = [index for index, inode in _files(block) if inode in several]
        if not wanted:
            continue
        names, directory = block.name_list(), directory_path(block.prefix)
        with _telling(report, block.prefix, directory), root.directory(directory) as fd:
            for index in wanted:
                with _telling(report, block.prefix, directory_path(block.prefix + names[index] + b"\0")):
                    seen = os.stat(names[index], dir_fd=fd, follow_symlinks=False)
                    if seen.st_nlink > 1:
                        groups.setdefault((seen.st_dev, seen.st_ino), []).append((number, index))
    return groups


@contextlib.contextmanager
def _telling(report: Report, prefix: bytes, path: bytes) -> Iterator[None]:
    """Report what fails, unless that is no longer there."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as error:
        report(prefix, Problem(path, reason_of(error), subtree=True))


def _files(block: Block) -> Iterator[tuple[int, int]]:
    """Positions and inodes of the files of a block."""
    columns = memoryview(block.stats).cast("q") if block.length else memoryview(b"").cast("q")
    modes, inodes = columns[0::STAT_COLUMNS].tolist(), columns[_INODE::STAT_COLUMNS].tolist()
    for index, mode in enumerate(modes):
        if mode & KIND_BITS == stat.S_IFREG:
            yield index, inodes[index]


def _repeated(blocks: Sequence[Block]) -> frozenset[int]:
    """The inodes that occur more than once; 0 (not known) counts as one of them."""
    found = array("q", (inode for block in blocks for _, inode in _files(block)))
    ordered = array("q", sorted(found))
    return frozenset(one for one, other in itertools.pairwise(ordered) if one == other) | {0}
