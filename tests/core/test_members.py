"""The map of members: merging in any order comes to the same, and the watermark is what all have seen."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aefsync.core.members import (
    MAX_ABSENCE_S,
    Encounter,
    Known,
    Mark,
    Member,
    Standing,
    State,
    after_part,
    after_session,
    merge_members,
    roster_of,
    told,
    understood,
    watermark,
)
from aefsync.core.version import Dot, is_covered
from tests.support import values

IDS = ("a" * 32, "b" * 32)
FEW = st.integers(0, 2)
VECTORS = st.dictionaries(st.sampled_from([b"A" * 16, b"B" * 16]), st.integers(1, 3)).map(
    lambda found: tuple(map(Dot._make, sorted(found.items())))
)
ROWS = st.builds(
    Member, st.sampled_from(IDS), st.sampled_from(["", "x", "y"]), FEW, st.sampled_from(State), VECTORS, FEW,
    st.sampled_from([b"", b"A" * 16, b"B" * 16]), FEW,
)  # fmt: skip
MAPS = st.lists(ROWS, max_size=2, unique_by=lambda member: member.id).map(lambda found: tuple(sorted(found)))


@given(MAPS, MAPS, MAPS)
def test_merging_is_a_join(one: tuple[Member, ...], other: tuple[Member, ...], third: tuple[Member, ...]) -> None:
    assert merge_members([one, other]) == merge_members([other, one])
    assert merge_members([merge_members([one, other]), third]) == merge_members([one, merge_members([other, third])])
    assert merge_members([one, one]) == one


@given(values.some_members)
def test_merging_keeps_what_is_known(members: tuple[Member, ...]) -> None:
    assert merge_members([members]) == merge_members([members, (), members]) == members


A1, A3, B2 = Dot(b"A" * 16, 1), Dot(b"A" * 16, 3), Dot(b"B" * 16, 2)
PAIR = (
    Member(IDS[0], seen=(A3, B2), last_s=100, whole_s=100), Member(IDS[1], seen=(A1, B2), last_s=100, whole_s=100)
)  # fmt: skip


def test_the_watermark_is_what_all_have_seen() -> None:
    assert watermark(PAIR) == (A1, B2)
    assert watermark(()) == ()
    assert watermark((*PAIR, Member("c" * 32))) == ()


def test_nobody_waits_for_those_who_are_gone() -> None:
    for gone in (
        Member("c" * 32, state=State.LEFT),
        Member("c" * 32, state=State.FORGOTTEN),
        Member("c" * 32, whole_s=1),
        Member("c" * 32, last_s=MAX_ABSENCE_S, whole_s=1),
    ):
        now_s = MAX_ABSENCE_S + 2
        assert watermark((*(each._replace(whole_s=now_s) for each in PAIR), gone)) == (A1, B2)
    assert watermark((*PAIR, Member("c" * 32, whole_s=1))) == ()


def test_after_a_session_all_who_were_there_have_seen_the_same() -> None:
    third = Member("c" * 32, seen=(A1,))
    after = after_session((*PAIR, third), {each.id: each.seen for each in PAIR}, 200)
    assert [(each.seen, each.last_s) for each in after] == [((A3, B2), 200), ((A3, B2), 200), ((A1,), 0)]
    assert [each.whole_s for each in after] == [200, 200, 0]
    assert all(is_covered(each.seen, after[0].seen) for each in after)


def test_after_a_part_nobody_has_seen_more_nor_was_there_for_all() -> None:
    after = after_part(PAIR, {PAIR[0].id}, 200)
    assert after == (PAIR[0]._replace(last_s=200), PAIR[1])


def test_of_one_incarnation_the_later_state_wins_and_a_new_one_begins_anew() -> None:
    left = PAIR[0]._replace(state=State.LEFT)
    assert PAIR[0].merged(left) == left.merged(PAIR[0]) == left
    again = Member(IDS[0], incarnation=1, last_s=50)
    assert left.merged(again) == again._replace(last_s=100, whole_s=100)


@given(MAPS, MAPS)
def test_a_roster_stands_for_one_map(one: tuple[Member, ...], other: tuple[Member, ...]) -> None:
    assert (roster_of(one) == roster_of(other)) == (one == other)


def test_what_is_known_is_left_out_and_filled_in_again() -> None:
    met = tuple(Encounter(each, Mark(1, bytes(8))) for each in IDS)
    whole = told(Standing(IDS[0], bytes(16), Mark(0, bytes(8)), PAIR, met), Known())
    assert (whole.members, whole.met) == (PAIR, met)
    brief = told(whole, Known(whole.roster, IDS[:1]))
    assert (brief.members, brief.met) == ((), met[:1])
    assert understood(brief, {whole.roster: PAIR}).members == PAIR
    assert understood(brief, {}).members == ()
