"""What a hostile peer says once must not spoil for ever what a replica knows: counters, members, vectors."""

from __future__ import annotations

import pytest

from aefsync.core.members import (
    AHEAD_S,
    MOST_INCARNATIONS,
    MOST_MEMBERS,
    Encounter,
    Mark,
    Member,
    State,
    awaited,
    believed,
    check_fits,
)
from aefsync.core.membership import joined, with_name
from aefsync.core.path import RelPath
from aefsync.core.scope import Scope
from aefsync.core.version import MANY_DOTS, MOST_DOTS, Dot, Order, minted, order
from aefsync.errors import ProtocolError

A, B = b"A" * 16, b"B" * 16
HUGE = (1 << 63) - 1
ONE, OTHER = "1" * 32, "2" * 32


def test_an_edit_never_makes_a_vector_less() -> None:
    told = (Dot(A, HUGE), Dot(B, 3))
    assert minted(told, Dot(A, 6)) == told
    assert order(minted(told, Dot(b"C" * 16, 1)), told) is Order.AFTER


def test_a_vector_without_room_is_begun_anew() -> None:
    full = tuple(Dot(number.to_bytes(16), 1) for number in range(MOST_DOTS))
    assert minted(full, Dot(A, 6)) == (Dot(A, 6),)
    assert order(minted(full, Dot(A, 6)), full) is Order.CONCURRENT
    assert order(minted(full, Dot(full[7].author, 2)), full) is Order.AFTER


def test_more_members_than_can_be_told_of_are_refused() -> None:
    many = tuple(Member(f"{number:032x}") for number in range(MOST_MEMBERS + 1))
    check_fits(many[1:])
    with pytest.raises(ProtocolError, match="more members than a group can have"):
        check_fits(many)
    with pytest.raises(ProtocolError):
        check_fits((), [Encounter(each.id, Mark(1, bytes(8))) for each in many])
    seen = tuple(Dot(number.to_bytes(16), 1) for number in range(1024))
    with pytest.raises(ProtocolError):
        check_fits([each._replace(seen=seen) for each in many[: MANY_DOTS // 1024 + 1]])


def test_a_session_in_days_to_come_makes_nobody_absent() -> None:
    now_s = 1_800_000_000
    members = (Member(ONE, last_s=now_s, whole_s=now_s), Member(OTHER, last_s=HUGE, whole_s=HUGE))
    assert len(awaited(members)) == 1
    sober = believed(members, now_s)
    assert [(each.last_s, each.whole_s) for each in sober] == [(now_s,) * 2, (now_s + AHEAD_S,) * 2]
    assert awaited(sober) == sober


def test_a_last_incarnation_is_an_end_and_no_trap() -> None:
    last = (Member(ONE, "name", MOST_INCARNATIONS, State.LEFT),)
    with pytest.raises(ValueError, match="it can join only as a new one"):
        joined(last, ONE, A)
    with pytest.raises(ValueError, match="it can join only as a new one"):
        with_name(last, ONE, "earlier")
    assert with_name(last, ONE, "z")[0].incarnation == MOST_INCARNATIONS


@pytest.mark.parametrize(
    ("path", "covered"),
    [
        *((b"a/b", True), (b"a/b/c/d", True), (b"a", True), (b"x-", True), (b"x-/y", True)),
        *((b"a/c", False), (b"a/b-", False), (b"a/b\x01", False), (b"b", False), (b"x", False), (b"x/-", False)),
    ],
)
def test_scope(path: bytes, covered: bool) -> None:
    scope = Scope([RelPath(b"a/b"), RelPath(b"x-"), RelPath(b"a/b/c")])
    key = RelPath(path).key
    assert scope.covers(key) is covered
    assert Scope(()).covers(key)
    if not covered:
        with pytest.raises(ProtocolError, match="not chosen"):
            scope.check([RelPath(b"x-").key, key])
