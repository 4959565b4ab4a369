"""Unsettled: the paths that sessions left standing, as a replica remembers them until a session finds them settled.

What is left standing stands between the replicas of a session, so it is remembered with their ids: a session with others
says nothing of it.  Nor does one that did not look there, be it that it was narrowed, that filters leave the path out,
or that one of its replicas could not tell what it has.

    A, B   x and y stand          A remembers x with B, y with B
    A, C   x stands               x with B and C, y with B
    A, B   over x only; settled   x with C, y with B
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable

from aefsync.core.named_tuple import NamedTuple
from aefsync.core.path import RelPath

MOST = 4096
"""Paths that are remembered; of more than that, the first in key order."""


SHOWN = 10
"""Paths that are told of where they are counted."""


class StandingPath(NamedTuple):
    """A path that a session left standing: as a suspect, or as a conflict."""

    path: RelPath
    is_suspect: bool


class Unsettled(NamedTuple):
    """A path that stands between this replica and those in `peers` (ids; none: nobody knows with whom)."""

    path: RelPath
    is_suspect: bool
    peers: frozenset[str]


class Sighting(NamedTuple):
    """What a session with `peers` left standing (the first `MOST` of it, in key order).

    `blind` are the paths at and below which one of its replicas could not tell what it has; `is_complete`: of all other
    paths that were looked at, those that are not named do not stand.
    """

    stood: tuple[StandingPath, ...] = ()
    blind: tuple[bytes, ...] = ()
    is_complete: bool = False
    peers: frozenset[str] = frozenset()


class LeftStanding(NamedTuple):
    """How many paths a replica knows to stand, and the first `SHOWN` of them, in key order."""

    conflicts: int = 0
    suspects: int = 0
    paths: tuple[StandingPath, ...] = ()

    @classmethod
    def of(cls, known: Iterable[Unsettled], gone: Container[str]) -> LeftStanding:
        """Without those that stand only with members that are gone for good."""
        stand = [each for each in known if not each.peers or any(peer not in gone for peer in each.peers)]
        suspects = sum(each.is_suspect for each in stand)
        shown = sorted(stand, key=lambda each: each.path.key)[:SHOWN]
        return cls(len(stand) - suspects, suspects, tuple(StandingPath(*each[:2]) for each in shown))

    @classmethod
    def among(cls, several: Iterable[LeftStanding]) -> LeftStanding:
        """How many stand as far as several replicas know, which may all know of the same ones."""
        known = (cls(), *several)
        conflicts, suspects = max(each.conflicts for each in known), max(each.suspects for each in known)
        shown = {stood.path: stood for each in known for stood in each.paths}
        return cls(conflicts, suspects, tuple(sorted(shown.values(), key=lambda each: each.path.key)[:SHOWN]))


def after(known: Iterable[Unsettled], seen: Sighting, is_in_sight: Callable[[RelPath], bool]) -> tuple[Unsettled, ...]:
    """What is remembered after a session, in key order; `is_in_sight`: the session looked there, as far as this replica
    goes."""
    stands = {stood.path: Unsettled(*stood, seen.peers) for stood in seen.stood}
    blind = frozenset(seen.blind)
    for each in known:
        again = stands.get(each.path)
        if again is not None:
            stands[each.path] = again._replace(peers=again.peers | each.peers)
        elif not (seen.is_complete and is_in_sight(each.path)) or _is_blind(each.path, blind):
            stands[each.path] = each
        elif each.peers - seen.peers:
            stands[each.path] = each._replace(peers=each.peers - seen.peers)
    return tuple(sorted(stands.values(), key=lambda each: each.path.key)[:MOST])


def _is_blind(path: RelPath, blind: frozenset[bytes]) -> bool:
    return bool(blind) and not blind.isdisjoint((b"", path, *path.ancestors))
