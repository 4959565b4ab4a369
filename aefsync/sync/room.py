"""Room: whether every replica has enough space for what a plan brings, asked before anything is changed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from aefsync.core.path import RelPath
from aefsync.core.plan import Transfer
from aefsync.core.space import Share, Space, not_enough_space
from aefsync.errors import GuardError
from aefsync.sync.session import Session

BLOCK = 4096
"""What the smallest file takes."""
SPARSE_FROM = 1 << 20
"""From this size on it is worth asking what a file really takes."""


def guard_space(session: Session, transfers: Sequence[Transfer], min_free: Share) -> None:
    """Raise `GuardError` where a replica would have less than `min_free` of a file system left."""
    receivers = sorted({each.receiver for each in transfers})
    told = session.each(lambda number, replica: replica.space() if number in receivers else ())
    for receiver in receivers:
        own = [each for each in transfers if each.receiver == receiver]
        spaces = told[receiver]
        sizes = [_rounded(each.file.source.size) for each in own]
        if _refusal(session, receiver, spaces, own, sizes, min_free) is None:
            continue
        refusal = _refusal(session, receiver, spaces, own, _taken(session, own, sizes), min_free)
        if refusal is not None:
            raise GuardError(refusal)


def _refusal(
    session: Session,
    receiver: int,
    spaces: Sequence[Space],
    transfers: Sequence[Transfer],
    sizes: Sequence[int],
    min_free: Share,
) -> str | None:
    needed: dict[Space, int] = defaultdict(int)
    for each, size in zip(transfers, sizes, strict=True):
        for space in _holding(spaces, each.file.path):
            needed[space] += size
    root = session.locations[receiver].text
    for space, size in needed.items():
        place = f"{root}/{space.path.decode('utf-8', 'surrogateescape')}" if space.path else root
        refusal = not_enough_space(place, size, space, min_free)
        if refusal is not None:
            return refusal.message
    return None


def _holding(spaces: Sequence[Space], path: RelPath) -> list[Space]:
    """The file system that a path is on: the innermost mount above it; none where nothing is known."""
    above = [space for space in spaces if path.is_below(space.path)]
    return [max(above, key=lambda space: len(space.path))] if above else []


def _taken(session: Session, transfers: Sequence[Transfer], sizes: Sequence[int]) -> list[int]:
    """What the files take where they are: a sparse one less than its size."""
    taken = list(sizes)
    for origin in {each.origin for each in transfers}:
        large = [i for i, each in enumerate(transfers) if each.origin == origin and taken[i] >= SPARSE_FROM]
        paths = [transfers[i].file.source.path for i in large]
        found = session.replicas[origin].allocated(paths) if paths else []
        for i, size in zip(large, found, strict=True):
            taken[i] = min(taken[i], _rounded(size))
    return taken


def _rounded(size: int) -> int:
    return -(-size // BLOCK) * BLOCK
