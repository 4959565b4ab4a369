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

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import NamedTuple

from aefsync.core.conflict import conflict_name, original_name
from aefsync.core.differences import Differences
from aefsync.core.entry import Entry, Kind
from aefsync.core.lookalikes import maybe_moved, sizes_of
from aefsync.core.metadata import Aspects
from aefsync.core.path import PathError, RelPath
from aefsync.core.verdict import (
    Decision,
    KeepBoth,
    Rules,
    Stand,
    Take,
    Verdict,
    Versions,
    Why,
    at,
    by_content,
    freshest,
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
    between them in key order.  It can be had any number of times, in any order.
    """

    def __init__(self, differences: Differences, rules: Rules, unknown: Sequence[Collection[bytes]]) -> None:
        self._differences = differences
        self._rules = rules
        self._hidden = frozenset(path for own in unknown for path in own)
        self._settled = {} if rules.mirror else _settle_clashes(differences, rules, self._hidden)
        self._ordered = sorted(self._settled.values(), key=_key)
        stands = frozenset(each.path for each in self._ordered if isinstance(each.verdict, Stand))
        self._standing = stands | frozenset(rules.folded) | frozenset(rules.appeared)
        self._above = frozenset(parent for path in self._hidden for parent in _parents(path))

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

    def window(self, number: int) -> list[Decision]:
        """The decisions of one window, in key order."""
        decisions = self._settled_in(number)
        begins_settled = bool(decisions)
        for path, entries in self._differences.block(number):
            if path not in self._settled:
                decisions.append(Decision(path, entries, self._verdict(path, entries)))
        if begins_settled:
            decisions.sort(key=_key)
        return decisions

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

    def _verdict(self, path: RelPath, entries: Versions) -> Verdict:
        if path in self._rules.folded:
            return Stand(Why.FOLDED)
        if path in self._rules.appeared:
            return Stand(Why.APPEARED)
        stand = _barred(path, self._hidden, self._standing)
        if stand is not None:
            return stand
        if self._rules.mirror:
            return _mirror(path, entries, self._rules, self._above)
        return last_write(entries, self._rules)


def _key(decision: Decision) -> bytes:
    return decision.path.key


def reconcile(differences: Differences, rules: Rules, unknown: Sequence[Collection[bytes]]) -> Decisions:
    """Decide on all differing paths.

    `unknown` holds, for each replica, the paths at and below which it knows nothing.
    """
    return Decisions(differences, rules, unknown)


def needs_content(differences: Differences, rules: Rules) -> Iterator[Unread]:
    """The unread files that must be hashed before `reconcile` can decide on these differences, or because they may have
    been moved, in key order."""
    folders = set() if rules.mirror else {each.path.parent for each in differences.clashes}
    sizes = sizes_of(differences)
    for path, entries in differences:
        beside_clash = bool(folders) and path.parent in folders and original_name(path.name) != path.name
        replicas = {*(unread(entries) if beside_clash else undecided(entries, rules)), *maybe_moved(entries, sizes)}
        for replica in sorted(replicas):
            yield Unread(replica, path)


def _barred(path: RelPath, hidden: Collection[bytes], standing: Collection[bytes]) -> Stand | None:
    """Whether this path must be left alone for the sake of one at or above it."""
    if not hidden and not standing:
        return None
    chain = [path, *_parents(path)]
    if any(each in hidden for each in chain):
        return Stand(Why.UNKNOWN)
    return Stand(Why.BELOW) if any(each in standing for each in chain) else None


def _parents(path: bytes) -> Iterator[bytes]:
    """The paths above, the root (empty) last.  Plain bytes: what is unknown may have a name that `RelPath` refuses."""
    while path:
        path = path.rpartition(b"/")[0]
        yield path


def _mirror(path: RelPath, entries: Versions, rules: Rules, above: Collection[bytes]) -> Verdict:
    """The mirror's verdict, unless it takes away a directory with something unknown in it."""
    verdict = mirror(entries, rules)
    if path in above and not (isinstance(verdict, Take) and at(entries, 0).kind is Kind.DIRECTORY):
        return Stand(Why.UNKNOWN)
    return verdict


def _settle_clashes(differences: Differences, rules: Rules, hidden: Collection[bytes]) -> dict[RelPath, Decision]:
    """Rule 3: decisions on clashing paths, and on their conflict copies."""
    settled: dict[RelPath, Decision] = {}
    standing: set[bytes] = set()

    def known(path: RelPath) -> Versions | None:
        each = settled.get(path) or differences.find(path)
        return each.entries if each is not None else None

    for path, entries in differences.clashes:
        stand = _barred(path, hidden, standing)
        decisions = _keep_both(path, entries, known, rules, hidden) if stand is None else None
        if decisions is None:
            standing.add(path)
            why = undecided(entries, rules) and Stand(Why.UNREAD)
            decisions = [Decision(path, entries, stand or why or Stand(Why.NAME_TAKEN))]
        for each in decisions:
            settled[each.path] = each
    return settled


def _keep_both(
    path: RelPath,
    entries: Versions,
    known: Callable[[RelPath], Versions | None],
    rules: Rules,
    hidden: Collection[bytes],
) -> list[Decision] | None:
    """The decisions on a clash and on its conflict copies; `None` where a copy's path cannot be settled.

    `known` gives the versions of a differing path: an earlier run may have left a copy on some replicas.
    """
    if undecided(entries, rules):
        return None
    directories = [i for i, entry in enumerate(entries) if entry is not None and entry.kind is Kind.DIRECTORY]
    others = [i for i, entry in enumerate(entries) if entry is not None and entry.kind is not Kind.DIRECTORY]
    kept: list[RelPath | None] = [None] * len(entries)
    copies: dict[RelPath, list[Entry | None]] = {}
    for group in by_content(entries, others).values():
        copy = _copy_path(path, at(entries, freshest(entries, group)))
        if copy is None:
            return None
        versions = copies.setdefault(copy, list(known(copy) or (None,) * len(entries)))
        for i in group:
            if versions[i] is None:
                versions[i], kept[i] = entries[i], copy
    decisions = [Decision(path, entries, KeepBoth(freshest(entries, directories), tuple(kept)))]
    for copy, versions in copies.items():
        verdict = last_write(tuple(versions), rules)
        if is_clash(tuple(versions)) or isinstance(verdict, Stand) or _barred(copy, hidden, ()):
            return None
        decisions.append(Decision(copy, tuple(versions), verdict))
    return decisions


def _copy_path(path: RelPath, loser: Entry) -> RelPath | None:
    """Where a clashing version is kept, if its path is not too long already."""
    content = loser.content if loser.kind is Kind.FILE else loser.kind.label.encode() + loser.content
    try:
        return path.sibling(conflict_name(path.name, b"", loser.mtime_ns, content))
    except PathError:
        return None
