"""Verdicts: what may be decided about one differing path, and the rules that decide it (theory: `reconcile`)."""

from __future__ import annotations

import enum
from collections.abc import Collection, Iterable

from aefsync.core.entry import UNKNOWN, Entry, Kind, has_kind
from aefsync.core.metadata import PLAIN, Aspects
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.path import RelPath
from aefsync.core.policy import Policies
from aefsync.core.problem import FOLDED as _FOLDED
from aefsync.core.version import Dot, Vector, Version

Versions = tuple[Entry | None, ...]

VOTES = 3
"""Replicas, at least, of which most decide what a damaged file held."""
_PAIR = 2
_FILE, _DIRECTORY = Kind.FILE, Kind.DIRECTORY


class Rules(NamedTuple):
    """`now_ns`: the latest plausible time, all hosts' clocks and a tolerance considered; later mtimes are "future".
    `aspects`: the metadata that counts.  `folded`: paths whose names a replica cannot hold beside each other.
    `appeared`: paths that the first replica has though its snapshot does not."""

    now_ns: int
    mirror: bool = False
    aspects: Aspects = PLAIN
    no_delete: bool = False
    folded: Collection[RelPath] = ()
    appeared: Collection[RelPath] = ()
    policies: Policies | None = None
    """go by version vectors, and settle conflicts so"""
    preferred: tuple[tuple[str, int], ...] = ()
    """the replicas that policies prefer, by what these call them"""
    dot: Dot | None = None
    """what is put into the vectors of verdicts that are edits"""
    returned: frozenset[int] = frozenset()
    """replicas that were away for so long, or restored from so long ago, that tombstones may be gone which they need"""
    shared: frozenset[int] = frozenset()
    """replicas of which the others once had all that their first scan found"""
    watermark: Vector = ()
    """what all others have seen"""
    above: Collection[bytes] = ()
    """directories on the way to the chosen sub-trees, which are made where they are missing, and never deleted"""


class Why(enum.StrEnum):
    """Why a path is left standing, in the user's words."""

    SUSPECT = "same size and mtime, different content"
    FUTURE = "dated in the future"
    UNREAD = "content could not be read"
    UNKNOWN = "not known on every replica"
    NAME_TAKEN = "no name for a conflict copy"
    BELOW = "below a path left standing"
    ABOVE = "a directory and something else, and only what is below was chosen"
    CONFLICT = "edited on several replicas"
    FILTERED = "what is left out of the comparison is in its place"
    LINKED = "a directory and a symlink, which not every replica can store"
    KEPT = "kept, as nothing is to be deleted"
    APPEARED = "there on a second look, though the scan had missed it"
    FOLDED = _FOLDED


class Take(NamedTuple):
    """Replica `winner` has the version that all get (with `version`, where versions count)."""

    winner: int
    reason: str
    version: Version | None = None


class Remove(NamedTuple):
    """The path goes away wherever it is; `version` is that of the tombstone, where versions count."""

    reason: str = "mirror"
    version: Version | None = None


class KeepBoth(NamedTuple):
    """What replica `winner` has stays (with `version`, where versions count); `kept_as` gives, by replica, where a
    clashing version is renamed to.

    `None` for a replica without one, or whose conflict copy exists already: there the version goes to the trash.
    """

    winner: int
    kept_as: tuple[RelPath | None, ...]
    version: Version | None = None


class Stand(NamedTuple):
    """Nothing is done; the user has to look."""

    why: Why


Verdict = Take | Remove | KeepBoth | Stand


class Decision(NamedTuple):
    """A verdict on one path.

    On a conflict copy, `entries` are as if the rename had been done; an entry's own path tells where it is now.
    """

    path: RelPath
    entries: Versions
    verdict: Verdict
    tombstones: tuple[Version | None, ...] = ()


def is_clash(entries: Versions) -> bool:
    """Whether a directory stands against something else."""
    kinds = [entry.kind for entry in entries if entry is not None]
    return len(kinds) > 1 and _DIRECTORY in kinds and kinds.count(_DIRECTORY) < len(kinds)


def insoluble(path: bytes, entries: Versions, rules: Rules) -> Why | None:
    """Why nothing is done about a directory against something else, nor below it, whatever the versions are."""
    if path in rules.above:
        return Why.ABOVE
    return Why.LINKED if not rules.aspects.symlinks and has_kind(entries, Kind.SYMLINK) else None


def unread(entries: Versions) -> list[int]:
    """The replicas whose version was not read."""
    # As `Entry.is_read` has it; a call for each of a million entries costs more than all else here.
    return [
        i
        for i, entry in enumerate(entries)
        if entry is not None and entry.content == UNKNOWN and entry.kind is not _DIRECTORY
    ]


def undecided(entries: Versions, rules: Rules) -> list[int]:
    """The replicas whose version was not read though the verdict hangs on it."""
    if _later(entries, rules) is not None:
        return []
    candidates = unread(entries)
    if not candidates or (is_clash(entries) and not rules.mirror):
        return candidates
    decisive = {0} if rules.mirror else set(_newest(entries, rules.aspects))
    tied = decisive if len(decisive) > 1 else set()
    return [i for i in candidates if i in tied or _must_compare(entries, i, decisive)]


def _later(entries: Versions, rules: Rules) -> int | None:
    """Of two files that are of different sizes the one that wins: rule 7, or the first where that one is right.

    Nearly always so, and there may be a million: no content tells more, and no other rule concerns them.  `None` where
    there is more to be looked at.
    """
    if len(entries) != _PAIR or not rules.aspects.has_exact_times:
        return None
    here, there = entries
    if here is None or there is None or here.kind is not _FILE or there.kind is not _FILE or here.size == there.size:
        return None
    if rules.mirror:
        return 0
    return None if here.mtime_ns == there.mtime_ns else int(there.mtime_ns > here.mtime_ns)


def _must_compare(entries: Versions, own: int, decisive: set[int]) -> bool:
    """Whether `own` is decisive, or stands against one that is, and only their contents can tell them apart."""
    entry = at(entries, own)
    return any(
        other is not None and other.kind is entry.kind and other.size == entry.size
        for i, other in enumerate(entries)
        if i != own and (i in decisive or own in decisive)
    )


def at(entries: Versions, replica: int) -> Entry:
    """The version of a replica that is known to have one."""
    entry = entries[replica]
    assert entry is not None
    return entry


def mirror(entries: Versions, rules: Rules) -> Take | Remove | Stand:
    """Replica 0 is right."""
    if entries[0] is None or (entries[0].kind is not Kind.DIRECTORY and is_clash(entries)):
        # A directory goes with everything in it.
        if rules.no_delete:
            return Stand(Why.KEPT)
    if entries[0] is None:
        return Remove()
    return Stand(Why.UNREAD) if undecided(entries, rules) else Take(0, "mirror")


def last_write(entries: Versions, rules: Rules) -> Take | Stand:
    """Rules 1, 2 and 4 to 8, for a path without a clash."""
    later = _later(entries, rules)
    if later is not None:
        return Take(later, "newer") if at(entries, later).mtime_ns <= rules.now_ns else Stand(Why.FUTURE)
    holders = [i for i, entry in enumerate(entries) if entry is not None]
    if len(holders) == 1:
        return Take(holders[0], "missing")
    if undecided(entries, rules):
        return Stand(Why.UNREAD)
    first = at(entries, holders[0])
    if all(first.same_content(at(entries, i)) and first.same_metadata(at(entries, i), rules.aspects) for i in holders):
        return Take(holders[0], "missing")
    if first.kind is Kind.DIRECTORY:
        return Take(freshest(entries, holders), "mode")
    return _newest_content(entries, holders, rules)


def freshest(entries: Versions, replicas: Iterable[int]) -> int:
    """Among versions of equal content, the newest; of equal mtime (or directories), the last whose metadata was set."""
    return max(replicas, key=lambda i: _freshness(at(entries, i)))


def _freshness(entry: Entry) -> tuple[int, int, int]:
    return (0 if entry.kind is Kind.DIRECTORY else entry.mtime_ns, entry.ctime_ns, entry.mode)


def _newest(entries: Versions, aspects: Aspects) -> list[int]:
    """The replicas that have the newest mtime, or one that is the same."""
    there = [i for i, entry in enumerate(entries) if entry is not None]
    latest = _latest(entries, there)
    aspects = aspects if aspects.times else PLAIN
    return [i for i in there if aspects.same_times([at(entries, i).mtime_ns, latest])]


def by_content(entries: Versions, replicas: Iterable[int]) -> dict[tuple[bytes, Kind], list[int]]:
    """The replicas, grouped by what they hold."""
    groups: dict[tuple[bytes, Kind], list[int]] = {}
    for i in replicas:
        entry = at(entries, i)
        groups.setdefault((entry.content, entry.kind), []).append(i)
    return groups


def is_majority(votes: int, of: int) -> bool:
    """Whether so many of those who have a file decide what it holds."""
    return of >= VOTES and votes * 2 > of


def _newest_content(entries: Versions, holders: list[int], rules: Rules) -> Take | Stand:
    """Rules 5 to 8."""
    newest = _newest(entries, rules.aspects)
    groups = by_content(entries, newest)
    latest, _, best = max((_latest(entries, own), content, own) for content, own in groups.items())
    reason = "larger digest" if sum(_latest(entries, own) == latest for own in groups.values()) > 1 else "newer"
    if _is_suspect(entries, list(groups.values())):
        best, reason = max(groups.values(), key=len), "majority"
        if not is_majority(len(best), len(holders)):
            return Stand(Why.SUSPECT)
    elif len(groups) == 1:
        reason = "newer" if len(newest) < len(holders) else "mode"
    if at(entries, best[0]).mtime_ns > rules.now_ns and reason != "mode":
        return Stand(Why.FUTURE)
    return Take(_linked(entries, freshest(entries, best), best, rules.aspects), reason)


def _linked(entries: Versions, chosen: int, replicas: list[int], aspects: Aspects) -> int:
    """Of the replicas whose version differs from the chosen one in nothing but what it is linked to, one that is linked:
    what somebody linked stays so, a copy of it that was made without regard to that does not undo it."""
    alike = [i for i in replicas if at(entries, i).same_metadata(at(entries, chosen), aspects.alone)]
    linked = [i for i in alike if at(entries, i).leader] if aspects.links else []
    return min(linked, key=lambda i: (at(entries, i).leader, i)) if linked else chosen


def _latest(entries: Versions, replicas: list[int]) -> int:
    """The newest mtime exactly as it stands: what tells versions apart whose mtimes count as one."""
    return max(at(entries, i).mtime_ns for i in replicas)


def _is_suspect(entries: Versions, groups: list[list[int]]) -> bool:
    """Whether two contents of one mtime have one size as well."""
    sizes = [at(entries, group[0]).size for group in groups if at(entries, group[0]).kind is Kind.FILE]
    return len(set(sizes)) < len(sizes)
