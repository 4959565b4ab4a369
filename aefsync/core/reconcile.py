"""Decide, for each path on which replicas disagree, which version wins: last write wins, or the first is the truth.

The input is what `compare` found: paths with one **version** (an entry or `None`) per replica.  The output is one
**decision** a path; `plan` turns decisions into actions.  Nothing is read or written here, and a decision looks at that
path, its ancestors and kind clashes only.  Replicas are interchangeable: permuting them permutes the decisions.  The
exception is `--mirror`, where replica 0 is right about everything, absence too, and is never written.

Last write wins, the first rule that applies:

    1  only absence differs                       copy what is there                           "missing"
    2  all are directories                        the newest ctime, then the larger mode       "mode"
    3  a directory against files or links         the directory stays, each other content      "conflict"
                                                  moves to a conflict copy on every replica
    4  a content that the choice hangs on could
       not be read                                left standing                                UNREAD
    5  the newest mtime is shared by files of     a majority of all holders, of at least 3     "majority"
       one size and different content             else left standing: one may be damaged       SUSPECT
    6  the newest mtime is in the future          left standing: who knows what it overtakes   FUTURE
    7  one content has the newest mtime           that one; metadata only, where the content   "newer", "mode"
                                                  is equal (then the newest ctime, larger mode)
    8  several contents have it                   the larger content digest, then kind         "larger digest"

Absence never beats a version, so nothing is deleted; the losers of 7 and 8 go to the trash when `apply` replaces them.

Example, three replicas, mtimes after the colon:

    path          A            B            C            decision
    a.txt         x:10         y:20         -            Take(1, "newer"): C gets y too
    b.txt         x:10 (3 B)   y:10 (3 B)   x:10 (3 B)   Take(0, "majority")
    doc           file z:5     directory    -            KeepBoth(1): z becomes doc.conflict-...
    doc.conflict  (moved z)    -            -            Take(0, "missing"), decided as any path, as if A had renamed it
    doc/in.txt    -            w:7          -            Take(1, "missing"): doc is a directory everywhere by then

What is **unknown** on one replica (below an unreadable directory) is acted on nowhere, and what lies below a clash left
standing is left standing too.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Sequence

from aefsync.core.compare import Tombstones
from aefsync.core.conflict_name import original_name
from aefsync.core.conflicts import Settled, barred, settle_conflicts
from aefsync.core.differences import BLOCK, Differences
from aefsync.core.entry import Kind
from aefsync.core.lookalikes import Lookalikes
from aefsync.core.metadata import Aspects
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.one_sided import OneSided
from aefsync.core.path import RelPath, parents
from aefsync.core.settling import Conflict, hinging, settle
from aefsync.core.verdict import (
    Decision,
    KeepBoth,
    Remove,
    Rules,
    Stand,
    Take,
    Verdict,
    Versions,
    Why,
    at,
    insoluble,
    is_clash,
    last_write,
    mirror,
    undecided,
    unread,
)


class Unread(NamedTuple):
    """A file whose content must be known before its path can be decided."""

    replica: int
    path: RelPath


class Decisions:
    """The decisions on all differing paths, worked out **window** by window as they are asked for.

    A window holds what is decided about the paths of one block of differences, and about the conflict copies that come
    between them in key order.  It can be had any number of times, in any order; where there are few, they
    are remembered, and so are the first of many.
    """

    def __init__(
        self,
        differences: Differences,
        rules: Rules,
        unknown: Sequence[Collection[bytes]],
        surplus: Iterable[Decision] = (),
    ) -> None:
        self._differences = differences
        self._rules = rules
        self._hidden = frozenset(path for own in unknown for path in own)
        self._verdicts: dict[int, list[Settled]] = {}
        settled = (
            _insoluble(differences, rules)
            if rules.mirror
            else settle_conflicts(differences, rules, self._hidden, self._verdicts)
        )
        stands = frozenset(path for path, each in settled.items() if isinstance(each.verdict, Stand))
        self._standing = stands | frozenset(rules.folded) | frozenset(rules.appeared)
        self._is_each_alone = not (self._hidden or self._standing or rules.above)
        """a verdict on a path by itself is all there is to it"""
        goes = {each.path: each for each in surplus if barred(each.path, self._hidden, self._standing) is None}
        self._settled = goes | settled
        self._ordered = sorted(self._settled.values(), key=_key)
        self._above = frozenset(parent for path in self._hidden for parent in parents(path))
        self._remembered: dict[int, Sequence[Decision]] = {}

    @property
    def kept(self) -> frozenset[RelPath]:
        """The conflict copies that come of this."""
        verdicts = (each.verdict for each in self._ordered)
        return frozenset(copy for each in verdicts if isinstance(each, KeepBoth) for copy in each.kept_as if copy)

    @property
    def aspects(self) -> Aspects:
        """The metadata that counts."""
        return self._rules.aspects

    @property
    def firsts(self) -> Sequence[bytes]:
        """The keys that the windows begin with, conflict copies apart."""
        return self._differences.firsts

    @property
    def windows(self) -> int:
        """How many there are."""
        return len(self._differences.firsts)

    def window(self, number: int) -> Sequence[Decision]:
        """The decisions of one window, in key order."""
        decisions = self._remembered.get(number)
        if decisions is None:
            decisions = self._decided(number)
            if self._differences.is_kept(number) and len(decisions) <= BLOCK:
                self._remembered[number] = decisions
        return decisions

    def _decided(self, number: int) -> list[Decision]:
        ordered, settled = self._settled_in(number), self._settled
        block, known = self._differences.block(number), self._verdicts.pop(number, None)
        if settled:
            left = [each.path not in settled for each in block]
            block = list(itertools.compress(block, left))
            known = list(itertools.compress(known, left)) if known else None
        paths, entries, tombstones = zip(*block, strict=True) if block else ((), (), ())
        if self._is_each_alone and known:
            verdicts: Iterable[Verdict] = map(_alone, known)
        else:
            verdicts = map(self._verdict, paths, entries, tombstones, known or itertools.repeat(None))
        decisions = list(map(Decision, paths, entries, verdicts, tombstones))
        return sorted([*ordered, *decisions], key=_key) if ordered else decisions

    def one_sided(self, number: int) -> OneSided | None:
        """The growth that a window is about, where all of it is to be taken whatever else there is."""
        found = self._differences.one_sided(number) if self.is_one_sided(number) else None
        return found._replace(reason="mirror") if found is not None and self._rules.mirror else found

    def is_one_sided(self, number: int) -> bool:
        """Whether a window is about such a growth."""
        holder = self._differences.holder(number)
        if holder is None or self._hidden or self._standing or self._settled_in(number):
            return False
        return not (holder if self._rules.mirror else holder in self._rules.returned)

    def __iter__(self) -> Iterator[Decision]:
        for number in range(self.windows):
            yield from self.window(number)

    def _settled_in(self, number: int) -> list[Decision]:
        if not self._ordered:
            return []
        firsts = self._differences.firsts
        low = bisect_left(self._ordered, firsts[number], key=_key) if number else 0
        last = number + 1 == len(firsts)
        high = len(self._ordered) if last else bisect_left(self._ordered, firsts[number + 1], key=_key)
        return self._ordered[low:high]

    def _verdict(self, path: RelPath, entries: Versions, tombstones: Tombstones, known: Settled | None) -> Verdict:
        """The verdict on a path, of which by itself it may be `known` already."""
        if path in self._rules.folded:
            return Stand(Why.FOLDED)
        if path in self._rules.appeared:
            return Stand(Why.APPEARED)
        stand = barred(path, self._hidden, self._standing)
        if stand is not None:
            return stand
        if self._rules.mirror:
            verdict: Verdict = mirror(entries, self._rules)
        elif self._rules.policies is None:
            return last_write(entries, self._rules)
        else:
            verdict = _alone(known or settle(path, entries, tombstones, self._rules))
            if isinstance(verdict, Remove) and path in self._rules.above:
                return Stand(Why.KEPT)
        return Stand(Why.UNKNOWN) if path in self._above and not _stays_directory(entries, verdict) else verdict


def _key(decision: Decision) -> bytes:
    return decision.path.key


def reconcile(
    differences: Differences, rules: Rules, unknown: Sequence[Collection[bytes]], surplus: Iterable[Decision] = ()
) -> Decisions:
    """Decide on all differing paths.

    `unknown` holds, for each replica, the paths at and below which it knows nothing; `surplus` are conflict copies that
    go because this run makes more of them.
    """
    return Decisions(differences, rules, unknown, surplus)


def needs_content(differences: Differences, rules: Rules) -> Iterator[Unread]:
    """The unread files that must be hashed before `reconcile` can decide on these differences, or because they may have
    been moved, in key order."""
    folders = set() if rules.mirror else {each.path.parent for each in differences.clashes}
    lookalikes = Lookalikes(differences)
    for path, entries, tombstones in differences:
        candidates = unread(entries)
        if not candidates:
            continue
        beside_clash = bool(folders) and path.parent in folders and original_name(path.name) != path.name
        decisive = undecided(entries, rules) if rules.policies is None else hinging(entries, tombstones)
        # What gives way to a directory that stays for what is in it is kept under a name that its content tells.
        is_whole = beside_clash or (bool(folders) and is_clash(entries))
        replicas = {*(candidates if is_whole else decisive), *lookalikes.maybe_moved(entries, candidates)}
        for replica in sorted(replicas):
            yield Unread(replica, path)


def _insoluble(differences: Differences, rules: Rules) -> dict[RelPath, Decision]:
    """Clashes that even a mirror leaves alone."""
    found = ((each, insoluble(each.path, each.entries, rules)) for each in differences.clashes)
    return {each.path: Decision(each.path, each.entries, Stand(why), each.tombstones) for each, why in found if why}


def _alone(verdict: Settled) -> Take | Remove | Stand:
    """The verdict on a path that is in no conflict: those are settled already."""
    assert not isinstance(verdict, Conflict)
    return verdict


def _stays_directory(entries: Versions, verdict: Verdict) -> bool:
    """Whether a directory stays where something unknown lies in it."""
    return isinstance(verdict, Take) and at(entries, verdict.winner).kind is Kind.DIRECTORY
