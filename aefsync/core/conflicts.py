"""Conflicts: verdicts that concern more paths than one, settled before all others.

A version that has to give way to another one is renamed to its conflict copy, a path that is decided on like any other,
as if the rename had been done.  A directory against anything else stays.  And where versions count, a directory that
was deleted here is live again as long as something lives in it there.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from operator import attrgetter

from aefsync.core.compare import Difference, Tombstones
from aefsync.core.conflict_name import conflict_name
from aefsync.core.differences import Differences
from aefsync.core.entry import Entry, Kind
from aefsync.core.growth import path_of
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.path import PathError, RelPath, is_within
from aefsync.core.settling import Conflict, known_of, oldest, settle
from aefsync.core.snapshot import Block
from aefsync.core.verdict import (
    Decision,
    KeepBoth,
    Remove,
    Rules,
    Stand,
    Take,
    Versions,
    Why,
    at,
    by_content,
    freshest,
    insoluble,
    is_clash,
    last_write,
    undecided,
    unread,
)
from aefsync.core.version import FOUND, Version, merge

Known = Callable[[RelPath], tuple[Versions, Tombstones] | None]
Settled = Take | Remove | Stand | Conflict
_key_of = attrgetter("path.key")
_DIRECTORY, _KEPT = Kind.DIRECTORY, Stand(Why.KEPT)


def settle_conflicts(
    differences: Differences, rules: Rules, hidden: Collection[bytes], verdicts: dict[int, list[Settled]]
) -> dict[RelPath, Decision]:
    """The decisions on all paths that are in conflict, and on their conflict copies.

    The `verdicts` on the paths of the first few blocks, each by itself, are added on the way: they are wanted again.
    """
    settled: dict[RelPath, Decision] = {}
    standing: set[bytes] = set()

    def known(path: RelPath) -> tuple[Versions, Tombstones] | None:
        each = settled.get(path) or differences.find(path)
        return (each.entries, each.tombstones) if each is not None else None

    doomed: list[RelPath] = []
    for difference, found in _found(differences, rules, doomed, verdicts):
        path, entries, tombstones = difference
        stand = Stand(Why.FOLDED) if path in rules.folded else barred(path, hidden, standing)
        decisions = None
        if isinstance(found, Stand):
            stand = stand or found
        elif stand is None:
            decisions = _keep_both(difference, found, known, rules, hidden)
        if decisions is None:
            standing.add(path)
            decisions = [Decision(path, entries, stand or Stand(Why.NAME_TAKEN), tombstones)]
        for each in decisions:
            settled[each.path] = each
    for difference in sorted(_revived(differences, rules, settled), key=_key_of) if doomed else ():
        path, entries, tombstones = difference
        if path in rules.folded:
            continue
        if not standing.isdisjoint(path.ancestors):
            settled[path] = Decision(path, entries, Stand(Why.BELOW), tombstones)
            continue
        standing.discard(path)
        for each in _live_again(difference, known, rules, hidden):
            settled[each.path] = each
    return settled


def _found(
    differences: Differences, rules: Rules, doomed: list[RelPath], verdicts: dict[int, list[Settled]]
) -> Iterator[tuple[Difference, Conflict | Stand]]:
    """All conflicts, and what is left standing although something may lie below it.

    A directory that is to go somewhere, and may have to stay for what is in it, is added to the `doomed`.
    """
    if rules.policies is None:
        yield from ((each, _by_time(each, rules)) for each in differences.clashes)
        return
    clashing = {each.path: insoluble(each.path, each.entries, rules) for each in differences.clashes}
    for number in range(len(differences.firsts)):
        if _is_taken(differences, number, rules):
            continue
        block = differences.block(number)
        settled = list(map(settle, *zip(*block, strict=True), itertools.repeat(rules)))
        if differences.is_kept(number):
            verdicts[number] = settled
        for each, verdict in zip(block, settled, strict=True):
            if isinstance(verdict, Take) and each.path not in clashing:
                continue  # nearly always so: in no conflict, and no directory goes
            why = clashing.get(each.path)
            if why is not None:
                yield each, Stand(why)
            elif isinstance(verdict, Stand) and each.path in clashing:
                yield each, verdict
            else:
                if not _stays(each.entries, verdict):
                    doomed.append(each.path)
                if isinstance(verdict, Conflict):
                    yield each, verdict


def _is_taken(differences: Differences, number: int, rules: Rules) -> bool:
    """Whether a block is a growth all of which is to be taken, whatever it is."""
    holder = differences.holder(number)
    return holder is not None and holder not in rules.returned


def _in_turn(differences: Differences, rules: Rules) -> Iterator[Difference | Block]:
    """All differences; of a growth only its blocks, where all of it is to be taken whatever it is."""
    for number in range(len(differences.firsts)):
        found = differences.one_sided(number) if _is_taken(differences, number, rules) else None
        yield from differences.block(number) if found is None else found.growth.blocks


def _stays(entries: Versions, verdict: Take | Remove | KeepBoth | Conflict | Stand) -> bool:
    """Whether no replica has a directory that is to go, or would if anything were to be deleted."""
    for entry in entries:
        if entry is not None and entry.kind is _DIRECTORY:
            if isinstance(verdict, Remove | Stand):
                return isinstance(verdict, Stand) and verdict != _KEPT
            return at(entries, verdict.winner).kind is _DIRECTORY
    return True


def _by_time(clash: Difference, rules: Rules) -> Conflict | Stand:
    """The verdict on a directory against something else, where the last write wins."""
    why = insoluble(clash.path, clash.entries, rules)
    if why is not None:
        return Stand(why)
    return Stand(Why.UNREAD) if undecided(clash.entries, rules) else _clash(clash.entries)


def _clash(entries: Versions) -> Conflict:
    directories, others = _sides(entries)
    return Conflict(freshest(entries, directories), tuple(map(tuple, by_content(entries, others).values())), None)


def _keep_both(
    difference: Difference, conflict: Conflict, known: Known, rules: Rules, hidden: Collection[bytes]
) -> list[Decision] | None:
    """The decisions on a conflict and on its conflict copies; `None` where a copy's path cannot be settled.

    `known` gives the versions of a differing path: an earlier run may have left a copy on some replicas.
    """
    path, entries, tombstones = difference
    kept: list[RelPath | None] = [None] * len(entries)
    copies: dict[RelPath, _Copy] = {}
    for group in conflict.losers:
        loser = _loser(entries, group, rules)
        copy = _copy_path(path, loser)
        if copy is None:
            return None
        there = copies.setdefault(copy, _Copy(*(known(copy) or ((None,) * len(entries), ()))))
        for i in group:
            if there.entries[i] is None:
                own = list(there.entries)
                own[i] = at(entries, i)._replace(version=loser.version)
                there, kept[i] = there._replace(entries=tuple(own)), copy
            elif at(there.entries, i).path == path:
                kept[i] = copy
        copies[copy] = there
    decisions = []
    # What becomes a copy only now was never one that the others deleted.
    fresh = rules._replace(returned=frozenset()) if rules.returned else rules
    for copy, (versions, buried) in copies.items():
        verdict = last_write(versions, rules) if rules.policies is None else settle(copy, versions, buried, fresh)
        if not isinstance(verdict, (Take, Remove)) or is_clash(versions) or barred(copy, hidden, ()):
            return None
        if isinstance(verdict, Remove):
            # Somebody has seen the copy, and deleted it.
            kept = [None if each == copy else each for each in kept]
            versions = (known(copy) or (versions, ()))[0]  # noqa: PLW2901 - as if nothing were renamed
        decisions.append(Decision(copy, versions, verdict, buried))
    return [Decision(path, entries, KeepBoth(conflict.winner, tuple(kept), conflict.version), tombstones), *decisions]


class _Copy(NamedTuple):
    """What replicas have, or will have, at the path of a conflict copy."""

    entries: Versions
    tombstones: Tombstones


def _loser(entries: Versions, group: Sequence[int], rules: Rules) -> Entry:
    """The version that stands for those of one content that lose."""
    if rules.policies is None:
        return at(entries, freshest(entries, group))
    # A version of unknown origin stays one: its vector is that of its content, wherever it is.
    versions = [at(entries, i).version or FOUND for i in group]
    merged = Version(merge(each.vector for each in versions), max(each.author for each in versions))
    return at(entries, oldest(entries, group, rules.aspects))._replace(version=merged)


def _copy_path(path: RelPath, loser: Entry) -> RelPath | None:
    """Where a clashing version is kept, if its path is not too long already."""
    content = loser.content if loser.kind is Kind.FILE else loser.kind.label.encode() + loser.content
    author = loser.version.author if loser.version is not None else b""
    try:
        return path.sibling(conflict_name(path.name, author, loser.mtime_ns, content))
    except PathError:
        return None


def _revived(differences: Differences, rules: Rules, settled: Mapping[RelPath, Decision]) -> list[Difference]:
    """Directories that were deleted somewhere, or made something else, and in which something lives elsewhere."""
    doomed: dict[bytes, Difference] = {}
    spared: set[bytes] = set()
    revived: list[Difference] = []
    for difference in _in_turn(differences, rules):
        if isinstance(difference, Block):
            revived += [doomed.pop(above) for above in path_of(difference, 0).ancestors if above in doomed]
            continue
        path, entries = difference.path, difference.entries
        decision = settled.get(path)
        verdict = settle(*difference, rules) if decision is None else decision.verdict
        entries = entries if decision is None else decision.entries
        # A file that takes the place of a directory lives as well; but there may be something below that directory.
        if not isinstance(verdict, Remove):
            # What is only spared lives where it is, and needs what is spared nowhere else.
            apart = spared if verdict == _KEPT else ()
            revived += [doomed.pop(above) for above in path.ancestors if above in doomed and above not in apart]
        if not _stays(entries, verdict):
            doomed[path] = difference
            if verdict == _KEPT:
                spared.add(path)
    return revived


def _sides(entries: Versions) -> tuple[list[int], list[int]]:
    """The replicas that have a directory, and those that have something else."""
    there = [(number, entry.kind) for number, entry in enumerate(entries) if entry is not None]
    return [i for i, kind in there if kind is _DIRECTORY], [i for i, kind in there if kind is not _DIRECTORY]


def _live_again(difference: Difference, known: Known, rules: Rules, hidden: Collection[bytes]) -> list[Decision]:
    """The directory stays, its tombstone live again without a new dot; what took its place is kept beside it."""
    path, entries, tombstones = difference
    directories, others = _sides(entries)
    winner = oldest(entries, directories, rules.aspects)
    version = Version(merge(known_of(entries, tombstones).values()), (at(entries, winner).version or FOUND).author)
    if not is_clash(entries):
        return [Decision(path, entries, Take(winner, "not empty", version), tombstones)]
    if not set(others).isdisjoint(unread(entries)):
        return [Decision(path, entries, Stand(Why.UNREAD), tombstones)]
    conflict = Conflict(winner, tuple(map(tuple, by_content(entries, others).values())), version)
    decisions = _keep_both(difference, conflict, known, rules, hidden)
    return decisions or [Decision(path, entries, Stand(Why.NAME_TAKEN), tombstones)]


def barred(path: RelPath, hidden: Collection[bytes], standing: Collection[bytes]) -> Stand | None:
    """Whether this path must be left alone for the sake of one at or above it."""
    if not hidden and not standing:
        return None
    if is_within(path, hidden):
        return Stand(Why.UNKNOWN)
    return Stand(Why.BELOW) if is_within(path, standing) else None
