"""Linked: which names are to be one file (`-H`), once it is decided which version of each path wins.

On the replica that it comes from, a version may be one of several names of a file, known by the first of them, its
leader (`metadata`).  The names stay one file where their versions win; what another version wins of takes no part any
more, and where that is the leader, the first of the others leads:

    A: a = b = c (x, new)    B: a (z, newer), b and c (w)     a stays apart, B's z;   A's x wins for b and c:  c is b
    A: a = b                 B: b = c, all of one content     a = b = c on both: what any replica links stays linked

Then, on each replica, a file that has several names is kept by one of the groups that its names are to be in, that of
the first leader among them; names that have the content that is wanted and are in that group **stay** as they are.  All
others become names of their leader, or files of their own:

    A: b = c                 B: a = b = c                     a is deleted; b, now the leader, and c stay
    A: a, b = c              B: a = b = c                     a stays; b becomes a file of its own, and c is b

Only paths on which replicas differ are looked at: a leader on which they agree is linked as before, everywhere.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from aefsync.core.entry import Entry, Kind
from aefsync.core.metadata import Aspects
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.path import RelPath, is_within
from aefsync.core.verdict import Decision, KeepBoth, Take, at


class Linked(NamedTuple):
    """The `leader` that a path is to have (itself: it has none, or is one), the replicas on which it `stays` a name of the
    file that it is, and those on which nothing is known of the leader: there it is `apart`, until that is known again."""

    leader: RelPath
    stays: frozenset[int]
    apart: frozenset[int] = frozenset()


Links = Mapping[RelPath, Linked]
"""By path; nothing of those that are the only name of their file on every replica."""
NO_LINKS: Links = {}


class _Settled(NamedTuple):
    """The version that wins for a path, whose it is, and the leader that the path is to have."""

    winner: int
    version: Entry
    leader: RelPath


def links(decisions: Iterable[Decision], aspects: Aspects, unknown: Sequence[Collection[bytes]] = ()) -> Links:
    """Work it out for decisions in key order; `unknown` are the paths of which, and below which, each replica knows nothing."""
    linking = _Linking(aspects, unknown)
    for decision in decisions:
        if any(entry is not None and entry.leader for entry in decision.entries):
            linking.add(decision)
    return linking.found


class _Linking:
    """What must be remembered from path to path."""

    def __init__(self, aspects: Aspects, unknown: Sequence[Collection[bytes]]) -> None:
        self.found: dict[RelPath, Linked] = {}
        self._aspects = aspects
        self._unknown = unknown
        self._differing: set[bytes] = set()
        self._settled: dict[bytes, _Settled] = {}
        self._heirs: dict[tuple[int, bytes], _Settled] = {}
        """the first version of each group of a replica that is apart from its leader's"""
        self._keepers: dict[tuple[int, bytes], RelPath] = {}
        """the leader of those who keep a file, by replica and by the leader that it has there"""

    def add(self, decision: Decision) -> None:
        path, entries, verdict, _ = decision
        self._differing.add(path)
        # What is moved to a conflict copy stays apart.
        if not isinstance(verdict, Take | KeepBoth) or any(each is not None and each.path != path for each in entries):
            return
        own = self._settle(_Settled(verdict.winner, at(entries, verdict.winner), path))
        left = entries
        if isinstance(verdict, KeepBoth):
            left = tuple(None if kept_as else entry for entry, kept_as in zip(entries, verdict.kept_as, strict=True))
        stays = frozenset(
            number for number, entry in enumerate(left) if entry is not None and self._stays(number, entry, own)
        )
        apart = frozenset(number for number, paths in enumerate(self._unknown) if is_within(own.leader, paths))
        self.found[path] = Linked(own.leader, stays, apart)

    def _settle(self, own: _Settled) -> _Settled:
        """Find the leader of a version that is to be a name of something before it."""
        winner, version, path = own
        if version.leader and version.leader != path:
            if version.leader not in self._differing:
                return own._replace(leader=RelPath.again(version.leader))
            first, heir = self._settled.get(version.leader), self._heirs.get((winner, version.leader))
            same = next((each for each in (first, heir) if each is not None and self._is_same(own, each)), None)
            own = own._replace(leader=same.leader) if same is not None else own
        self._settled[path] = own
        if version.leader:
            self._heirs.setdefault((winner, version.leader), own)
        return own

    def _is_same(self, own: _Settled, other: _Settled) -> bool:
        """Whether two names have one version: on one replica they are one file; else it is known that nothing differs."""
        if own.winner == other.winner:
            return True
        same = own.version.same_content(other.version)
        return same and own.version.same_metadata(other.version, self._aspects.alone)

    def _stays(self, number: int, entry: Entry, own: _Settled) -> bool:
        is_wanted = entry.kind is Kind.FILE and (number == own.winner or entry.same_content(own.version))
        if not is_wanted or not entry.leader:
            return is_wanted and own.leader == own.version.path
        if not entry.is_uprooted and entry.leader not in self._differing:
            return own.leader == entry.leader
        if own.leader == own.version.path:
            self._keepers.setdefault((number, entry.leader), own.leader)
        return self._keepers.get((number, entry.leader)) == own.leader
