"""Gossip: with whom a replica has its next session, so that a group agrees without anybody who coordinates it.

Each session is a whole repair of two replicas, so news goes both ways (push-pull: Demers 1987): by chance alone it has
reached all of N replicas after about log₃ N + ln ln N rounds, in each of which every replica has one session.  Chance
alone leaves a pair of them apart for a long while now and then; so every other session is with the peer that was not
tried for longest (as SWIM does with its probes).  One that cannot be reached was tried, too: it is in nobody's way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from aefsync.core.members import Member, Members, State
from aefsync.core.named_tuple import NamedTuple

Chance = Callable[[], float]
"""A number 0 ≤ x < 1, at random."""


class Peer(NamedTuple):
    """A member that may be met, where it is reached from here, and when that was last tried, in seconds since 1970 (0:
    never)."""

    member: Member
    location: str
    tried_s: float = 0


def peers_of(
    members: Members, own: str, locations: Mapping[str, str], tried_s: Mapping[str, float]
) -> tuple[Peer, ...]:
    """Those that take part, but for the replica `own`, and that have a location; both mappings are by their ids."""
    others = (each for each in members if each.state is State.ACTIVE and each.id != own and locations.get(each.id))
    return tuple(Peer(each, locations[each.id], tried_s.get(each.id, 0)) for each in others)


def turns(peers: Iterable[Peer], chance: Chance) -> Iterator[Peer]:
    """All peers, each once, as they are to be tried: the next one is that which was not tried for longest with
    probability ½, else any of them."""
    left = list(peers)
    while left:
        # Of several that were never tried, each host takes another one.
        longest_s = min(each.tried_s for each in left)
        able = [each for each in left if each.tried_s == longest_s] if chance() < 0.5 else left
        chosen = able[int(chance() * len(able))]
        left.remove(chosen)
        yield chosen


def pause_s(every_s: float, chance: Chance) -> float:
    """How long to wait for the next round: `every_s` on average, a quarter less or more, so that hosts that were started
    together do not stay together."""
    return every_s * (0.75 + chance() / 2)
