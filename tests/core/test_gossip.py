"""Gossip: who is met next, and how many rounds news takes to reach everybody."""

from __future__ import annotations

from collections import Counter

import pytest

from aefsync.core.gossip import Peer, pause_s, peers_of, turns
from aefsync.core.members import Member, State
from tests.core.gossiping import Group, identity, percentile

A, B, C, D, E = (Member(identity(number), name) for number, name in enumerate("ABCDE"))


def scripted(*numbers: float) -> object:
    found = iter(numbers)
    return lambda: next(found)


def test_peers_are_the_others_that_take_part_and_are_reached() -> None:
    members = (A, B, C._replace(state=State.LEFT), D._replace(state=State.FORGOTTEN), E)
    locations = {each.id: each.name for each in (A, B, C, D)}
    assert peers_of(members, A.id, locations, {B.id: 5.0, E.id: 6.0}) == (Peer(B, "B", 5.0),)
    assert peers_of(members, B.id, locations, {}) == (Peer(A, "A", 0),)


def test_every_other_turn_is_of_the_one_not_tried_for_longest() -> None:
    peers = [Peer(each, each.name, tried_s) for each, tried_s in ((B, 3.0), (C, 1.0), (D, 2.0), (E, 4.0))]
    # below ½ the longest, above any of those left
    order = turns(peers, scripted(0.49, 0.9, 0.5, 0.99, 0.0, 0.0, 0.7, 0.0))  # type: ignore[arg-type]
    assert [peer.location for peer in order] == ["C", "E", "D", "B"]
    assert list(turns([], scripted())) == []  # type: ignore[arg-type]


def test_of_those_never_tried_any_may_be_the_first() -> None:
    peers = [Peer(each, each.name) for each in (B, C, D)] + [Peer(E, "E", 9.0)]
    first = [next(turns(peers, scripted(0.0, share))).location for share in (0.0, 0.34, 0.99)]  # type: ignore[arg-type]
    assert first == ["B", "C", "D"]


def test_rounds_are_a_quarter_sooner_or_later() -> None:
    assert [pause_s(300, lambda share=share: share) for share in (0.0, 0.5, 1.0)] == [225, 300, 375]  # type: ignore[misc]


SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    ("size", "most", "groups"),
    [(10, 5, 200), (100, 8, 8), pytest.param(10, 5, 20_000, marks=SLOW), pytest.param(100, 8, 500, marks=SLOW)],
)
def test_news_reaches_everybody_soon(size: int, most: int, groups: int) -> None:
    """DESIGN §10: at p99."""
    assert percentile([Group.of(size, seed).rounds() for seed in range(groups)], 0.99) <= most


@pytest.mark.slow
def test_news_reaches_thousands() -> None:
    assert Group.of(2000, 1).rounds() <= 13


def settled(group: Group, rounds: int) -> None:
    for _ in range(rounds):
        group.round()


@pytest.mark.parametrize("groups", [10, pytest.param(1000, marks=SLOW)])
def test_news_gets_past_those_who_are_away(groups: int) -> None:
    """A fifth is away at any time, another one each round; who was away hears it afterwards."""
    rounds, late = [], []
    for seed in range(groups):
        group = Group.of(20, seed)
        settled(group, 2)
        group.heard = {0}
        for number in range(6):
            group.away = {1 + (number * 4 + each) % 19 for each in range(4)}
            group.round()
        rounds.append(group.rounds())
        group.away = set()
        late.append(group.rounds())
    assert (percentile(rounds, 0.99), percentile(late, 0.99)) <= (2, 3)


@pytest.mark.parametrize("groups", [2, pytest.param(200, marks=SLOW)])
def test_who_joins_is_heard_of_and_who_leaves_is_asked_no_more(groups: int) -> None:
    """A group of which half is exchanged, one a round: nobody coordinates that."""
    for seed in range(groups):
        group = Group.of(20, seed)
        for number in range(10):
            group.leave(10 + number, told=number)
            group.join(20 + number, by=group.chance.choice([*range(10), *range(20, 20 + number)]))
            group.round()
        settled(group, 8)
        states = [Counter(each.state for each in members) for members in group.members.values()]
        assert states == [Counter({State.ACTIVE: 20, State.LEFT: 10})] * 20
        failed = group.failed
        group.heard = {0}
        assert group.rounds() <= 8
        assert group.failed == failed


def test_one_that_is_gone_without_a_word_costs_each_a_try_now_and_then() -> None:
    """It is tried as any other is, never at every other turn."""
    group = Group.of(10, 1)
    group.away = {9}
    settled(group, 90)
    assert group.failed <= 2 * 9 * 90 / 9
