"""What a session of a large group costs in which nothing has happened, counted."""

from __future__ import annotations

import random
import time
from pathlib import Path

from aefsync.core.members import Encounter, Mark, Member, Memory, Standing, merge_members
from aefsync.core.policy import Policies
from aefsync.core.ports import Access, Missing, Scan
from aefsync.core.silent import Silent
from aefsync.core.version import Dot
from aefsync.sync.contacts import Contacts
from aefsync.sync.events import Summary
from aefsync.sync.gossip import gossip
from aefsync.sync.hooks import Hooks
from aefsync.sync.members import standing_of
from aefsync.sync.repair import repair
from aefsync.sync.request import GossipRequest, RepairRequest, Request
from aefsync.sync.session import Terms, open_session
from tests.support.far import hosts
from tests.support.trees import tree
from tests.sync.joined import threads

SIZE = 20


def grown_to(size: int, *standings: Standing, now_s: int) -> Memory:
    """What is known in a group of that size, in which all have seen what all have done, and met a while ago."""
    chance = random.Random(1)
    ids = [chance.randbytes(16) for _ in range(size - len(standings))]
    seen = tuple(Dot(each, 1000 + number) for number, each in enumerate(sorted(ids)))
    others = tuple(
        Member(each.hex(), f"host-{number}", seen=seen, last_s=met_s, author=each, whole_s=met_s)
        for number, each in enumerate(sorted(ids))
        for met_s in (now_s - 60 * number,)
    )
    here = [tuple(each._replace(seen=seen) for each in standing.members) for standing in standings]
    return Memory(
        merge_members([others, *here]), tuple(Encounter(each.id, Mark(7, chance.randbytes(8)), 77) for each in others)
    )


def test_a_session_without_news_in_a_group_of_twenty(home: Path) -> None:
    """At most 2 kB and 3 round trips."""
    a, b = tree(home / "A", {"d/f": "1"}), tree(home / "B", {"d/f": "1"})
    common = Request((str(a),), state_dir=str(home / "state"), cache_dir=str(home / "cache"))
    request = RepairRequest(common, policies=Policies())
    both = request._replace(common=common._replace(locations=(str(a), f"box:{b}")))
    with threads(), hosts() as there:
        list(repair(both, Silent()))
        there.rest()
        terms = [Terms(Access.WRITE, Missing.REFUSE)] * 2
        with open_session(both.common, terms, Silent()) as session:
            standings = [standing_of(session, number) for number in (0, 1)]
            memory = grown_to(SIZE, *standings, now_s=int(time.time()))
            session.each(lambda _, replica: replica.scan(Scan(versions=True)))
            session.each(lambda _, replica: replica.remember(memory))
        there.rest()
        assert Contacts(common.state_dir).of(standings[0].id) == {standings[1].id: f"box:{b}"}
        ends = []
        for _ in range(2):
            there.line("box").begin()
            *_, end = gossip(GossipRequest(request), Silent(), Hooks())
            assert isinstance(end, Summary)
            assert (end.exit_code, end.equal) == (0, True)
            ends.append(end)
            there.rest()
        line = there.line("box")
        assert (end.sent_bytes, end.received_bytes) == (line.sent_bytes, line.received_bytes)
        assert end.sent_bytes + end.received_bytes <= 2000
        assert end.round_trips <= 3
