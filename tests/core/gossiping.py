"""A group that gossips, in memory: who has heard of one update, round by round; no sockets, thousands of replicas.

Strict: all sessions of a round begin with what was known before it, so news goes no further than one session a round
by any one way.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from aefsync.core.gossip import Peer, peers_of, turns
from aefsync.core.members import Member, Members, State, merge_members


def identity(number: int) -> str:
    return f"{number:032x}"


@dataclass
class Group:
    """Replicas by their numbers; each knows the members it has heard of, and when it tried each of them.

    Those in `away` can neither be reached nor reach anybody.
    """

    chance: random.Random
    members: dict[int, Members] = field(default_factory=dict)
    peers: dict[int, tuple[Members, dict[str, Peer]]] = field(default_factory=dict)
    """those of each, by their ids, and the members that they were found among"""
    heard: set[int] = field(default_factory=set)
    away: set[int] = field(default_factory=set)
    sessions: int = 0
    failed: int = 0

    @classmethod
    def of(cls, size: int, seed: int) -> Group:
        """A group that all know of, and the first of which has heard something."""
        everybody = tuple(Member(identity(number)) for number in range(size))
        return cls(random.Random(seed), dict.fromkeys(range(size), everybody), heard={0})

    def join(self, number: int, by: int) -> None:
        """One more, which knows one that is there, and is known to it."""
        fresh = merge_members([self.members[by], (Member(identity(number)),)])
        self.members[number] = self.members[by] = fresh

    def leave(self, number: int, *, told: int) -> None:
        """One goes for good, and one of the others is told so."""
        self.members.pop(number)
        self.heard.discard(number)
        self.members[told] = merge_members([self.members[told], (Member(identity(number), state=State.LEFT),)])

    def round(self) -> None:
        """A session of each with one other, in any order."""
        knew = frozenset(self.heard)
        present = [number for number in self.members if number not in self.away]
        self.chance.shuffle(present)
        for number in present:
            self._turn(number, knew)

    def _turn(self, number: int, knew: frozenset[int]) -> None:
        """As the program does it: whoever cannot be reached is skipped."""
        peers = self._peers(number)
        for peer in turns(peers.values(), self.chance.random):
            self.sessions += 1
            peers[peer.member.id] = peer._replace(tried_s=self.sessions)
            other = int(peer.location, 16)
            if other in self.members and other not in self.away:
                self._meet(number, other, knew)
                return
            self.failed += 1

    def _peers(self, number: int) -> dict[str, Peer]:
        known = self.members[number]
        before, peers = self.peers.get(number, ((), {}))
        if known is not before:
            locations = {each.id: each.id for each in known}
            tried_s = {each: peer.tried_s for each, peer in peers.items()}
            peers = {each.member.id: each for each in peers_of(known, identity(number), locations, tried_s)}
            self.peers[number] = known, peers
        return peers

    def _meet(self, one: int, other: int, knew: frozenset[int]) -> None:
        if self.members[one] is not self.members[other]:
            self.members[one] = self.members[other] = merge_members([self.members[one], self.members[other]])
        if one in knew or other in knew:
            self.heard |= {one, other}

    def rounds(self, limit: int = 100) -> int:
        """How many rounds pass until all who are there have heard it."""
        for number in range(limit):
            if self.heard >= self.members.keys() - self.away:
                return number
            self.round()
        raise AssertionError(f"after {limit} rounds {len(self.members) - len(self.heard)} have not heard it")


def percentile(values: list[int], share: float) -> int:
    """The least value that this share of all are not above."""
    return sorted(values)[max(0, -int(-share * len(values) // 1) - 1)]
