"""Settling: which version of a path all get, where replicas keep version vectors (theory: `version`).

What a replica has of a path is an entry with its version, a tombstone, or nothing: nobody concludes anything from
nothing.  The **heads** are the versions that no other one follows.

    heads                                        verdict
    one, an entry                                that one
    one, which only a run has put there          the path goes: it was cut short before that was moved on
    tombstones only                              the path goes
    one, of a replica that was away for so long  the path goes, if all others have seen that version: its tombstone is
                                                 no longer kept
    entries of equal content (and tombstones)    the content; the vectors merged, and of metadata the older mtime, then
                                                 the larger mode
    entries of different content                 a conflict, settled by the policy that holds for the path
    files of one size and mtime among these      left standing, unless three or more decide it: one may be damaged

So an edit wins over a deletion that had not seen it.  The verdicts of the built-in order (the newest mtime, then the
larger content digest) depend on nothing but the heads and take the merged vector: replicas that settle a conflict
apart end equal.  Every other one is an edit, and takes a dot of its own besides.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

from aefsync.core.action import RETURNED
from aefsync.core.compare import Tombstones
from aefsync.core.entry import Entry, Kind
from aefsync.core.metadata import Aspects
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.path import RelPath
from aefsync.core.policy import Policy, PolicyKind
from aefsync.core.verdict import (
    Remove,
    Rules,
    Stand,
    Take,
    Versions,
    Why,
    at,
    by_content,
    is_clash,
    is_majority,
    unread,
)
from aefsync.core.version import (
    FOUND,
    PASSING,
    STRAY,
    Order,
    Vector,
    Version,
    explicit,
    is_covered,
    is_passing,
    merge,
    minted,
    order,
)

_FILE, _DIRECTORY = Kind.FILE, Kind.DIRECTORY
_EQUAL, _BEFORE, _AFTER, _CONCURRENT = Order
PREFERRED = "preferred"
"""The reason of a verdict that is an edit."""


class Conflict(NamedTuple):
    """Concurrent versions of different content: that of `winner` stays, those of `losers` (by content) are kept beside
    it; `version` is what the path gets."""

    winner: int
    losers: tuple[tuple[int, ...], ...]
    version: Version | None


def settle(path: RelPath, entries: Versions, tombstones: Tombstones, rules: Rules) -> Take | Remove | Stand | Conflict:
    """The verdict on one path, what is above and below it left out of account."""
    later = _in_turn(entries, tombstones)
    if later is not None:
        # Nearly always so, and there may be a million.  All of them know of the path: no rule but this concerns them.
        winner, version = later
        return _removed(version, rules) if entries[winner] is None else Take(winner, "newer", version)
    holders = [i for i, entry in enumerate(entries) if entry is not None]
    if rules.returned and not tombstones and rules.returned >= set(holders) and _is_buried(entries, holders, rules):
        found = at(entries, holders[0]).version or FOUND
        # What was there from the beginning has no vector that a tombstone could have: what all have seen follows it.
        return _removed(found if found.vector else Version(rules.watermark, found.author), rules, RETURNED)
    if not tombstones and all(at(entries, i).version == STRAY for i in holders):
        return _removed(None, rules, "moved")
    if len(holders) == 1 and not tombstones:
        return Take(holders[0], "missing", at(entries, holders[0]).version)
    if hinging(entries, tombstones):
        return Stand(Why.UNREAD)
    known = known_of(entries, tombstones)
    heads = _heads(known)
    live = [i for i in heads if entries[i] is not None]
    if not live:
        return _buried(tombstones, heads, rules)
    first = at(entries, live[0]).version
    if len(heads) == 1 and known[live[0]] and first is not None and first.vector:
        return Take(live[0], "newer", first)
    groups = by_content(entries, live)
    if len(groups) == 1:
        winner = oldest(entries, live, rules.aspects)
        why = "newer" if len(live) < len(known) else _metadata_word(entries, live, rules.aspects)
        return Take(winner, why, Version(_merged(entries, known, heads), _author(entries, live)))
    policy = rules.policies.of(path) if rules.policies is not None else Policy()
    return _conflict(entries, known, heads, list(groups.values()), rules, policy)


def _in_turn(entries: Versions, tombstones: Tombstones) -> tuple[int, Version] | None:
    """Of replicas that all know of the path the one that has seen what every other has, and its version; `None` where there
    is no such one, or it is not known."""
    chosen, version, best, is_shared = 0, FOUND, FOUND.vector, False
    for i, entry in enumerate(entries):
        own = (entry and entry.version) or (tombstones[i] if tombstones else None)
        if own is None:
            return None
        vector = own.vector
        if not i:
            version, best = own, vector
            continue
        if not vector or not best:
            if vector == best:
                return None
            vector, best = vector or _origin(entry), best or _origin(entries[chosen])
            if not vector or not best:
                return None
        stands = order(best, vector)
        if stands is _BEFORE:
            chosen, version, best, is_shared = i, own, vector, False
        elif stands is _EQUAL:
            is_shared = True
        elif stands is _CONCURRENT:
            return None
    return None if is_shared else (chosen, version)


def _origin(entry: Entry | None) -> Vector:
    """What the empty vector of an entry stands for; empty where that is not known before it is read."""
    return explicit(FOUND, entry) if entry is not None and entry.is_read else ()


def known_of(entries: Versions, tombstones: Tombstones) -> dict[int, Vector]:
    """The vector of each replica that knows anything of the path."""
    known = {i: explicit(entry.version or FOUND, entry) for i, entry in enumerate(entries) if entry is not None}
    if tombstones:
        known |= {i: version.vector for i, version in enumerate(tombstones) if version is not None}
    return known


def hinging(entries: Versions, tombstones: Tombstones) -> list[int]:
    """The replicas whose version was not read though the verdict hangs on its content."""
    candidates = unread(entries)
    if not candidates or _in_turn(entries, tombstones) is not None:
        return []
    known = {i: (e.version or FOUND).vector or _origin(e) for i, e in enumerate(entries) if e is not None}
    # A tombstone has no content to tell it from: only where an entry comes from may have to be known.
    is_buried = any(tombstones)
    return [
        i
        for i in candidates
        if (is_buried and not known[i]) or any(_is_open(known[i], other) for j, other in known.items() if i != j)
    ]


def _is_open(one: Vector, other: Vector) -> bool:
    """Whether contents must tell how two versions stand to each other."""
    if is_passing(one) != is_passing(other):
        return False
    return not one or not other or order(one, other) in (Order.EQUAL, Order.CONCURRENT)


def _heads(known: Mapping[int, Vector]) -> list[int]:
    older = set()
    for one, other in itertools.combinations(set(known.values()), 2):
        stands = order(one, other)
        if stands is not _CONCURRENT:
            older.add(one if stands is _BEFORE else other)
    return [i for i, own in known.items() if own not in older]


def _buried(tombstones: Tombstones, heads: Sequence[int], rules: Rules) -> Remove | Stand:
    versions = [version for version in (tombstones[i] for i in heads) if version is not None]
    merged = Version(merge(each.vector for each in versions), max(each.author for each in versions))
    return _removed(merged, rules)


def _removed(version: Version | None, rules: Rules, reason: str = "deleted") -> Remove | Stand:
    return Stand(Why.KEPT) if rules.no_delete else Remove(reason, version)


def _is_buried(entries: Versions, holders: Sequence[int], rules: Rules) -> bool:
    """Whether all others have seen what only those have that came back, and do not have it: its tombstone is gone.

    (Never the other way round: who came back and lacks something was not there when it came.)
    """
    versions = ((i, at(entries, i).version or FOUND) for i in holders)
    known = all((own.vector or i in rules.shared) and is_covered(own.vector, rules.watermark) for i, own in versions)
    return known and bool(rules.watermark) and len(holders) < len(entries) - len(set(rules.returned) - set(holders))


def _merged(entries: Versions, known: Mapping[int, Vector], heads: Sequence[int]) -> Vector:
    """What follows all heads of one content.  Where some are of unknown origin they adopt what the others know."""
    there = [entry for entry in map(entries.__getitem__, heads) if entry is not None]
    if len(there) < len(heads):
        return merge([known[i] for i in heads])
    origins = [i for i, entry in zip(heads, there, strict=True) if entry.version is not None and entry.version != FOUND]
    return merge([known[i] for i in origins]) or (PASSING.vector if origins else ())


def _author(entries: Versions, replicas: Sequence[int]) -> bytes:
    return max([(at(entries, i).version or FOUND).author for i in replicas])


def oldest(entries: Versions, replicas: Sequence[int], aspects: Aspects) -> int:
    """Among versions of equal content, the older mtime (the later one is that of a copy), then the larger mode.

    What else counts where it is asked for is no part of versions: there the metadata that was set last.
    """

    def rank(replica: int) -> tuple[int, int, int, bytes]:
        entry = at(entries, replica)
        timed = entry.kind is not _DIRECTORY and aspects.times
        head = (entry.mtime_ns if timed else 0, -entry.mode)
        return (*head, 0, b"") if entry.extra is None else (*head, -entry.ctime_ns, entry.extra.canonical)

    return min(replicas, key=rank)


def _metadata_word(entries: Versions, replicas: Sequence[int], aspects: Aspects) -> str:
    """What makes one of several versions of equal content the one that all get (who has none, misses it)."""
    found = [at(entries, i) for i in replicas]
    is_timed = found[0].kind is not _DIRECTORY
    return "older" if is_timed and not aspects.same_times([each.mtime_ns for each in found]) else "mode"


def _rank(entry: Entry) -> tuple[int, bytes, int]:
    """The built-in order: the largest wins."""
    return (entry.mtime_ns, entry.content, entry.kind)


def _conflict(
    entries: Versions,
    known: Mapping[int, Vector],
    heads: Sequence[int],
    groups: list[list[int]],
    rules: Rules,
    policy: Policy,
) -> Take | Stand | Conflict:
    merged = merge(known[i] for i in heads)
    preferred = dict(rules.preferred).get(policy.argument) if policy.kind is PolicyKind.PREFER else None
    if preferred is not None and any(preferred in own for own in groups) and not is_clash(entries):
        return Take(preferred, PREFERRED, edited(merged, rules))
    vector = merged or PASSING.vector
    if _may_be_damaged(entries, groups):
        return _majority(entries, known, groups, vector)
    if policy.kind is PolicyKind.SKIP:
        return Stand(Why.CONFLICT)
    directories = [own for own in groups if at(entries, own[0]).kind is _DIRECTORY]
    stays = directories[0] if directories else max(groups, key=lambda own: max(_rank(at(entries, i)) for i in own))
    winner = oldest(entries, stays, rules.aspects)
    version = Version(vector, _author(entries, stays))
    if policy.kind is PolicyKind.NEWEST and not directories:
        return Take(winner, "newest", version)
    return Conflict(winner, tuple(tuple(own) for own in groups if own is not stays), version)


def edited(merged: Vector, rules: Rules) -> Version:
    """The version that a verdict makes which is an edit."""
    return Version(merged) if rules.dot is None else Version(minted(merged, rules.dot), rules.dot.author)


def _may_be_damaged(entries: Versions, groups: Sequence[Sequence[int]]) -> bool:
    """Whether two contents have one size and mtime: the mark of damage, not of an edit."""
    files = [own for own in groups if at(entries, own[0]).kind is _FILE]
    if len(files) == 1:
        return False
    stats = [stat for own in files for stat in {(at(entries, i).size, at(entries, i).mtime_ns) for i in own}]
    return len(set(stats)) < len(stats)


def _majority(
    entries: Versions, known: Mapping[int, Vector], groups: Sequence[Sequence[int]], vector: Vector
) -> Take | Stand:
    best = max(groups, key=len)
    if not is_majority(len(best), len(known)):
        return Stand(Why.SUSPECT)
    return Take(best[0], "majority", Version(vector, _author(entries, best)))
