"""Surplus: the conflict copies of a path beyond `MOST`, of which the oldest go to the trash.

They are counted when a conflict adds to them, and only then.  What this run keeps stays whatever its date is: nobody has
seen it yet.  To let a copy go is an edit like a person's word on it (`copies`): the tombstone follows all that anybody
knew of the path, and has a dot of its own, so that it reaches those who take no part in this session.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence

from aefsync.core.compare import Tombstones
from aefsync.core.conflict_name import original_name
from aefsync.core.differences import Differences
from aefsync.core.entry import Entry
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.path import RelPath
from aefsync.core.settling import edited, known_of, settle
from aefsync.core.verdict import Decision, Remove, Rules, Take, Versions
from aefsync.core.version import merge

MOST = 10
"""Conflict copies of one path that are kept."""
REASON = f"more than {MOST} conflict copies"


class Surplus(NamedTuple):
    """A conflict copy that is one too many: what each replica has of it."""

    path: RelPath
    entries: Versions
    tombstones: Tombstones = ()


def surplus(
    kept: Collection[RelPath], found: Sequence[Iterable[Entry]], differences: Differences, rules: Rules
) -> list[Surplus]:
    """What goes where a run keeps these conflict copies, and each replica has those already."""
    numbers = Counter(map(_original, kept))
    columns: dict[RelPath, list[Entry | None]] = {}
    for replica, own in enumerate(found):
        for entry in own:
            if entry.path not in kept and _original(entry.path) in numbers:
                columns.setdefault(entry.path, [None] * len(found))[replica] = entry
    standing: dict[RelPath, list[Surplus]] = {}
    for path, column in columns.items():
        each = _staying(Surplus(path, tuple(column)), differences, rules)
        if each is not None:
            standing.setdefault(_original(path), []).append(each)
    return [each for original, own in standing.items() for each in _oldest(own, len(own) + numbers[original] - MOST)]


def _original(copy: RelPath) -> RelPath:
    return copy.sibling(original_name(copy.name))


def _staying(found: Surplus, differences: Differences, rules: Rules) -> Surplus | None:
    """The same, with what else is known of the path; `None` where it does not stay, or is in a conflict itself."""
    difference = differences.find(found.path)
    if difference is None:
        return found
    verdict = settle(*difference, rules)
    return Surplus(*difference) if isinstance(verdict, Take) else None


def _oldest(found: Sequence[Surplus], number: int) -> list[Surplus]:
    """So many of them, by the mtime that their names tell."""
    ordered = sorted(found, key=lambda each: (max(entry.mtime_ns for entry in each.entries if entry), each.path.key))
    return [each for each in ordered[: max(0, number)] if _is_known(each)]


def _is_known(found: Surplus) -> bool:
    """Whether what follows the versions is known: an empty vector stands for the content."""
    return all(entry.is_read or (entry.version and entry.version.vector) for entry in found.entries if entry)


def buried(found: Iterable[Surplus], rules: Rules) -> Iterator[Decision]:
    """The decisions that take them away; `rules` have the dot of it."""
    for path, entries, tombstones in found:
        version = edited(merge(known_of(entries, tombstones).values()), rules)
        yield Decision(path, entries, Remove(REASON, version), tombstones)
