"""Recipes: files as lists of chunks, exchanged level by level, so that only what the receiver lacks has to travel.

Chunks are **content-defined** (FastCDC, Xia 2016 and 2020): where one ends depends on the bytes before, so an insertion
shifts nothing behind the chunk that it falls into.  They are **nested**: a file is first cut into chunks of about 1 MiB;
only the runs of which the receiver holds no copy are cut again, into about 64 KiB, and what of these it lacks into about
4 KiB, 1 KiB and 256 bytes.  One exchange a level serves all files of a batch, and a level costs 10 to 20 bytes a chunk:

    512 MiB, 1 KiB inserted in front, one edit in the middle      chunks named    the receiver lacks
    level 0   [ ####### ][       ][       ][ ####### ][       ]             400                     2
    level 1   [##][  ][  ][  ] ...        [  ][##][  ] ...                   32                     2
    level 2   [#][ ][ ] ...               [ ][#][ ] ...                      32                     2, 10 KiB

What is lacking then may travel: an exchange more is worth its time only where it saves many bytes, as after a small edit
in each of many files (`WORTH_AN_EXCHANGE`).

The receiver looks for chunks in its **seeds**: the old version of each file that is replaced, and what an interrupted
run left in staging.  What it takes from them is as little trusted as what travels: the whole file must have the content
digest that its origin named, or it is never put in place.

A smaller file begins at a later level; below `SMALLEST` it travels whole.  So does, in the end, what was put together
from parts and is not what it should be.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from aefsync.core.compare import Span
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.path import RelPath

CHUNK_DIGEST = 16
"""Bytes of a digest that is remembered."""
SHORT_DIGEST = 8
"""Of one among those of a single exchange: a collision costs no more than that its file travels again, as a whole."""
SMALLEST = 512
"""A file of fewer bytes travels whole: of the few chunks that it is cut into, one edit leaves little."""
FEW_CHUNKS = 4
"""A level is worth its exchange where it cuts a file into more chunks than these."""
WORTH_AN_EXCHANGE = 16 << 10
"""Bytes that are lacking, of all files together: fewer travel in the time that asking for more of them takes."""

MANY_CHUNKS = 1 << 18
"""Chunks that are named in one exchange."""


class Level(NamedTuple):
    """How a level cuts: sizes of a chunk in bytes; and of its digest."""

    average: int
    least: int
    most: int
    digest: int


LEVELS = (
    Level(1 << 20, 256 << 10, 4 << 20, CHUNK_DIGEST),
    Level(64 << 10, 16 << 10, 256 << 10, CHUNK_DIGEST),
    Level(4 << 10, 1 << 10, 16 << 10, SHORT_DIGEST),
    Level(1 << 10, 256, 4 << 10, SHORT_DIGEST),
    Level(256, 64, 1 << 10, SHORT_DIGEST),
)
CHUNKER = "fastcdc-2020 1048576 65536 4096 1024 256"
"""Replicas find no chunk in common unless both cut like this: it is part of the handshake."""


class Run(NamedTuple):
    """Bytes of a file to be cut, or to travel."""

    path: RelPath
    offset: int
    length: int


class Recipe(NamedTuple):
    """A run as chunks: the length of each, and their digests, as many bytes each as the level says.

    `content` is the content digest of the file where the run is all of it.  No chunks: the file could not be read, or is
    no longer what the snapshot shows.
    """

    path: RelPath
    offset: int
    lengths: tuple[int, ...]
    digests: bytes
    content: bytes = b""

    def digest(self, number: int) -> bytes:
        """The digest of one chunk."""
        size = len(self.digests) // len(self.lengths)
        return self.digests[number * size : (number + 1) * size]


def first_level(size: int) -> int | None:
    """The level at which a file of this size is first cut; `None` where it should travel whole."""
    if size < SMALLEST:
        return None
    worth = (number for number, level in enumerate(LEVELS) if size >= FEW_CHUNKS * level.average)
    return next(worth, len(LEVELS) - 1)


def portions(runs: Sequence[Run], level: int) -> Iterator[list[Run]]:
    """The runs in groups of about `MANY_CHUNKS` chunks at most, longer ones divided."""
    limit = MANY_CHUNKS * LEVELS[level].average
    group: list[Run] = []
    room = limit
    for path, offset, length in runs:
        start = 0
        while start < length:
            part = min(length - start, room)
            group.append(Run(path, offset + start, part))
            start, room = start + part, room - part
            if not room:
                yield group
                group, room = [], limit
    if group:
        yield group


def runs_of(recipe: Recipe, chunks: Sequence[Span]) -> Iterator[Run]:
    """The bytes of these chunks (half-open spans of their numbers, in order) of a recipe."""
    ends = list(itertools.accumulate(recipe.lengths, initial=recipe.offset))
    for first, last in chunks:
        yield Run(recipe.path, ends[first], ends[last] - ends[first])
