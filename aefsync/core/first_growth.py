"""The first growth: of the blocks of a snapshot as many as one growth may have."""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence

from aefsync.core.entry import Entry
from aefsync.core.growth import ENTRIES, FILES, PATHS, Growth, counting, small_sizes, symlinks_of
from aefsync.core.snapshot import Block, cut

DOTS = 1 << 18
"""Components of the vectors in one growth, unless one block alone has more."""


def growth_of(
    runs: Iterable[tuple[Block, int, int]], mode_bits: int, complete: Callable[[Sequence[Entry]], Sequence[Entry]]
) -> Growth:
    """The first blocks of a snapshot, with these bits of modes; `complete` fills in the targets of symlinks."""
    blocks = tuple(counting(block, mode_bits) for block in first_of(runs))
    links = complete(list(itertools.chain.from_iterable(map(symlinks_of, blocks))))
    return Growth(blocks, tuple(entry.target for entry in links))


def first_of(runs: Iterable[tuple[Block, int, int]]) -> list[Block]:
    """Blocks, from the first one on, as many as one growth may have."""
    blocks: list[Block] = []
    room, path_bytes, file_bytes, dots = ENTRIES, PATHS, FILES, DOTS
    for block, low, high in runs:
        part = cut(block, low, min(high, low + room))
        ends = list(itertools.accumulate(small_sizes(part)))
        fits = bisect_right(ends, file_bytes) or (not blocks)
        part = cut(part, 0, fits) if fits < part.length else part
        size, part_dots = len(part.prefix) + len(part.names), _dots(part)
        if not fits or (blocks and (size > path_bytes or part_dots > dots)):
            break
        blocks.append(part)
        room, path_bytes, file_bytes = room - part.length, path_bytes - size, file_bytes - ends[fits - 1]
        dots -= part_dots
        if not room or fits < len(ends):
            break
    return blocks


def _dots(block: Block) -> int:
    """The components of all vectors of a block that was cut."""
    # By identity: versions come from a table, and to hash each of them again would cost more than all else here.
    distinct = {id(version): version for version in block.versions.part(0, block.length)} if block.versions else {}
    return sum(len(version.vector) for version in distinct.values())
