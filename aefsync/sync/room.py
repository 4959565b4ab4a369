"""Room: whether every replica has enough space for what a plan brings, asked before anything is changed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from aefsync.core.growth import file_sizes, path_of
from aefsync.core.one_sided import OneSided
from aefsync.core.path import RelPath
from aefsync.core.space import Needed, Share, Space, not_enough_space
from aefsync.core.step import Transfer
from aefsync.errors import GuardError
from aefsync.sync.session import Session

if TYPE_CHECKING:
    from aefsync.wire.calling import Pending

BLOCK = 4096
"""What the smallest file takes."""
SPARSE_FROM = 1 << 20
"""From this size on it is worth asking what a file really takes."""


class Room:
    """Adds up, window by window, what each receiver needs of each of its file systems.

    Several names may be one file where `links` count: then files are not counted, only their bytes.
    """

    def __init__(self, session: Session, *, links: bool = False) -> None:
        self._session = session
        self._each = 0 if links else 1
        self._asked: dict[int, Pending] = {}
        self._spaces: dict[int, Sequence[Space]] = {}
        self._needed: dict[int, dict[Space, Needed]] = {}

    def ask_ahead(self) -> None:
        """Ask every replica now: the answers come beside those to whatever is asked next."""
        self._asked = {number: replica.space_ahead() for number, replica in enumerate(self._session.replicas)}

    def add(self, transfers: Sequence[Transfer]) -> None:
        """Count files at their sizes."""
        self._ask({each.receiver for each in transfers} - self._spaces.keys())
        self._count(self._needed, transfers, [_rounded(each.file.source.size) for each in transfers])

    def grow(self, found: OneSided) -> None:
        """Count what all others get from one replica."""
        receivers = {number for number in range(len(self._session.replicas)) if number != found.holder}
        self._ask(receivers - self._spaces.keys())
        for block in found.growth.blocks:
            size = sum(map(_rounded, file_sizes(block)))
            for receiver in receivers:
                own = self._needed.setdefault(receiver, {})
                for space in _holding(self._spaces[receiver], path_of(block, 0)):
                    own[space] = own.get(space, Needed()).and_also(size, block.length * self._each)

    def guard(self, min_free: Share, windows: Iterable[Sequence[Transfer]]) -> None:
        """Raise `GuardError` where a replica would have less than `min_free` of a file system left.

        Only then `windows`, all transfers once more, are asked for what the files really take.
        """
        short = [receiver for receiver in sorted(self._needed) if self._refusal(receiver, self._needed, min_free)]
        if not short:
            return
        taken: dict[int, dict[Space, Needed]] = {}
        for transfers in windows:
            own = [each for each in transfers if each.receiver in short]
            sizes = _taken(self._session, own, [_rounded(each.file.source.size) for each in own])
            self._count(taken, own, sizes)
        for receiver in short:
            refusal = self._refusal(receiver, taken, min_free)
            if refusal is not None:
                raise GuardError(refusal)

    def _ask(self, receivers: Collection[int]) -> None:
        for number in receivers:
            self._spaces[number] = self._session.call(number, lambda number, _: self._asked[number].wait())

    def _count(
        self, needed: dict[int, dict[Space, Needed]], transfers: Sequence[Transfer], sizes: Sequence[int]
    ) -> None:
        for receiver in {each.receiver for each in transfers}:
            pairs = zip(transfers, sizes, strict=True)
            coming = [(each.file.path, size) for each, size in pairs if each.receiver == receiver]
            own = needed.setdefault(receiver, {})
            for space, here in _by_space(self._spaces[receiver], coming):
                own[space] = own.get(space, Needed()).and_also(sum(here), len(here) * self._each)

    def _refusal(self, receiver: int, needed: Mapping[int, Mapping[Space, Needed]], min_free: Share) -> str | None:
        root = self._session.locations[receiver].text
        for space, own in needed.get(receiver, {}).items():
            place = f"{root}/{space.path.decode('utf-8', 'surrogateescape')}" if space.path else root
            refusal = not_enough_space(place, own, space, min_free)
            if refusal is not None:
                return refusal.message
        return None


def _holding(spaces: Sequence[Space], path: RelPath) -> list[Space]:
    """The file system that a path is on: the innermost mount above it; none where nothing is known."""
    above = [space for space in spaces if path.is_below(space.path)]
    return [max(above, key=lambda space: len(space.path))] if above else []


def _by_space(spaces: Sequence[Space], coming: Sequence[tuple[RelPath, int]]) -> Iterable[tuple[Space, list[int]]]:
    """The sizes of what comes, by the file systems that it comes to."""
    if len(spaces) == 1 and not spaces[0].path:
        return [(spaces[0], [size for _, size in coming])]
    found: dict[Space, list[int]] = {}
    for path, size in coming:
        for space in _holding(spaces, path):
            found.setdefault(space, []).append(size)
    return found.items()


def _taken(session: Session, transfers: Sequence[Transfer], sizes: Sequence[int]) -> list[int]:
    """What the files take where they are: a sparse one less than its size."""
    taken = list(sizes)
    for origin in {each.origin for each in transfers}:
        large = [i for i, each in enumerate(transfers) if each.origin == origin and taken[i] >= SPARSE_FROM]
        paths = [transfers[i].file.source.path for i in large]
        found = session.replicas[origin].allocated(paths) if paths else []
        for i, size in zip(large, found, strict=True):
            taken[i] = min(taken[i], _rounded(size or 0))
    return taken


def _rounded(size: int) -> int:
    return -(-size // BLOCK) * BLOCK
