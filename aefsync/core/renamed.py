"""Which directories were renamed as a whole: pairs of one that goes and one that comes, by the leaves they share.

A leaf that goes from `old/x/f` and comes to `new/x/f` is a **vote** for `old -> new` and for `old/x -> new/x`: it has
the same place below both.  The pair with most votes is settled first, so that a parent comes before what is in it; what
lies in it then moves along, and a directory that was moved out of it goes a way of its own.  A pair needs the votes of
half of what is left in the old directory, for what is not wanted in the new one has to be deleted there.

    goes    lib/a  lib/b  lib/c  lib/t/x  lib/t/y            votes    lib -> src      3
    comes   src/a  src/b  src/c  src/new  tests/x  tests/y            lib/t -> tests  2

    renamed, in this order: lib -> src, src/t (as it is called by then) -> tests; src/new is created as ever

Nothing may contradict: the new path is free and the directory above it there, or to be made, before anything else
happens; nothing below either path is left standing; and the replica itself must say that the old directory is movable:
that it holds nothing but what the replica told of (nothing filtered, no devices, no mount points), which is not ours to
move.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from aefsync.core.candidates import Candidates
from aefsync.core.entry import Entry, Kind
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.path import RelPath

_ALIKE = 8
"""So many leaves of one content and name may vote for one that comes; of a thousand empty files none tells anything."""


class Rename(NamedTuple):
    """A directory that is renamed; `old` as the snapshot has it."""

    old: RelPath
    new: RelPath


Movable = Callable[[Sequence[Rename]], Sequence[bool]]
"""Asks a replica, of some renames, whether they would move nothing but entries of its snapshot, and can be done."""


def renamed_directories(found: Candidates, barred: Collection[bytes], movable: Movable) -> list[Rename]:
    """The directories to rename, in order: by new path, so parents first.  `barred` ones are left as they are."""
    votes = sorted(_votes(found).items(), key=_preference)
    leaves = dict(zip(found.going.directories, found.going.counts(), strict=True))
    told: dict[Rename, bool] = {}
    while True:
        able = {pair: count for pair, count in votes if told.get(pair, True) and not _is_barred(pair, barred)}
        chosen = _feasible(found, _chosen(found, able, leaves))
        unasked = [pair for pair in chosen if pair not in told]
        if not unasked:
            return chosen
        told.update(zip(unasked, movable(unasked), strict=True))


def _is_barred(pair: Rename, barred: Collection[bytes]) -> bool:
    return pair.old in barred or pair.new in barred


def _votes(found: Candidates) -> dict[Rename, int]:
    going, coming = found.going, found.coming
    votes: Counter[tuple[int, int]] = Counter()
    for _, sources, targets in found.groups():
        by_name: dict[int, list[int]] = {}
        for source in sources:
            alike = by_name.setdefault(going.names[source], [])
            if len(alike) < _ALIKE:
                alike.append(going.homes[source])
        for target in targets:
            for home in by_name.get(coming.names[target], ()):
                votes.update(_above_both(found, home, coming.homes[target]))
    named = [(going.directories[old], coming.directories[new], count) for (old, new), count in votes.items()]
    return {Rename(old, new): count for old, new, count in named if old is not None and new is not None}


def _above_both(found: Candidates, old: int, new: int) -> Iterator[tuple[int, int]]:
    """The pairs of directories, one that goes and one that comes, in which two paths have the same place."""
    while old and new:
        yield old, new
        one, other = found.going.directories[old], found.coming.directories[new]
        if one is None or other is None or one.name != other.name:
            return
        old, new = found.going.parent(old), found.coming.parent(new)


def _preference(item: tuple[Rename, int]) -> tuple[object, ...]:
    (old, new), votes = item
    return (-votes, old.count(b"/"), old.name != new.name, old.parent != new.parent, new.key, old.key)


def _chosen(found: Candidates, votes: Mapping[Rename, int], leaves: Mapping[RelPath | None, int]) -> list[Rename]:
    """The pairs that most speaks for: each directory in one of them, and none that comes along with another."""
    olds: dict[bytes, bytes] = {}
    news: dict[bytes, bytes] = {}
    moved_out: Counter[bytes] = Counter()
    for (old, new), count in votes.items():
        if old in olds or new in news:
            continue
        came, went = passed(news, new), passed(olds, old)
        comes_along = came in found.going.numbers and came not in olds
        goes_along = went in found.coming.numbers and went not in news
        if comes_along or goes_along or count * 2 < leaves[old] - moved_out[old]:
            continue
        olds[old], news[new] = new, old
        for above in old.ancestors:
            moved_out[above] += leaves[old]
    return [Rename(RelPath(old), RelPath(new)) for old, new in olds.items()]


def passed(renames: Mapping[bytes, bytes], path: bytes) -> bytes | None:
    """The path that one becomes when the nearest directory above it is renamed; `None` where none is."""
    above = path.rpartition(b"/")[0]
    while above:
        if above in renames:
            return renames[above] + path[len(above) :]
        above = above.rpartition(b"/")[0]
    return None


def _feasible(found: Candidates, chosen: Sequence[Rename]) -> list[Rename]:
    """Those that can be carried out one after the other, by new path, with nothing done before but directories made."""
    olds: dict[bytes, bytes] = {pair.old: pair.new for pair in chosen}
    placed: dict[bytes, bytes] = {}
    for old, new in sorted(chosen, key=lambda pair: pair.new.key):
        if _is_free(found, placed, new) and _has_parent(found, placed, olds, new):
            placed[new] = old
    return [Rename(RelPath(old), RelPath(new)) for new, old in placed.items()]


def _is_free(found: Candidates, placed: Mapping[bytes, bytes], path: RelPath) -> bool:
    """Whether nothing is at a path where a directory comes, once these others (old by new path) are in place."""
    return path not in found.taken and _came_along(found, placed, path) is None


def _came_along(found: Candidates, placed: Mapping[bytes, bytes], path: bytes) -> Entry | None:
    """What a directory that was renamed has brought to a path."""
    origin = passed(placed, path)
    if origin is None:
        return None
    key = origin.replace(b"/", b"\0")
    return next((fate.going for fate in found.fates.between(key, key + b"\0")), None)


def comes_along(found: Candidates, placed: Mapping[bytes, bytes], path: bytes) -> bool:
    """Whether a path is that of a directory in one that was renamed."""
    entry = _came_along(found, placed, path)
    return entry is not None and entry.kind is Kind.DIRECTORY


def _has_parent(found: Candidates, placed: Mapping[bytes, bytes], olds: Mapping[bytes, bytes], path: RelPath) -> bool:
    """Whether the directory above a path is there by then, for good, or can be made."""
    for above in reversed(path.ancestors):
        if above in placed or above not in found.coming.numbers:
            return True
        if above in found.taken:
            return False
        origin = _came_along(found, placed, above)
        if origin is not None:
            # Were it moved out of there later, so would be what was put into it.
            stays = origin.path not in olds and passed(olds, origin.path) == above
            return origin.kind is Kind.DIRECTORY and stays
    return True
