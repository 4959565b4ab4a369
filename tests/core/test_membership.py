"""What a person says of members, and that it holds wherever the map is merged with what others know."""

from __future__ import annotations

import pytest

from aefsync.core.members import Member, Members, State, merge_members
from aefsync.core.membership import check_name, joined, named, with_name, without

A, B, C = "a" * 32, "b" * 32, "c" * 32
MEMBERS = (Member(A, "laptop"), Member(B, "nas"), Member(C))


def by_id(members: Members) -> dict[str, Member]:
    return {each.id: each for each in members}


@pytest.mark.parametrize("name", ["nas", "Anna's laptop", "büro", "x" * 64, "a-b", "cafe bar", "b"])
def test_names(name: str) -> None:
    check_name(name)


@pytest.mark.parametrize(
    "name", ["", "x" * 65, " nas", "nas ", "n\nas", "n\u202eas", "\udcff", "-n", "both", "current", "beef", "0" * 32]
)
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        check_name(name)


def test_members_are_found_by_name_or_id() -> None:
    assert named(MEMBERS, "nas").id == named(MEMBERS, B).id == named(MEMBERS, "bbbb").id == B
    for name in ("usb", "bbb", "cccd"):
        with pytest.raises(ValueError, match="no member is called '.*'; there are laptop, nas, cccccccc"):
            named(MEMBERS, name)
    with pytest.raises(ValueError, match="2 members are called"):
        named((Member(A, "x"), Member(B, "x")), "x")
    with pytest.raises(ValueError, match="there are none"):
        named((Member(A, "x", state=State.FORGOTTEN),), "x")


@pytest.mark.parametrize("name", ["aaa", "zzz", "nas"])
def test_a_new_name_holds_against_what_others_know(name: str) -> None:
    renamed = with_name(MEMBERS, B, name)
    assert by_id(merge_members([renamed, MEMBERS]))[B].name == name
    assert by_id(merge_members([MEMBERS, renamed]))[B].name == name
    # The same said again changes nothing.
    assert with_name(renamed, B, name) == renamed


def test_a_replica_that_is_named_takes_part() -> None:
    assert with_name((), A, "x") == (Member(A, "x"),)
    with pytest.raises(ValueError, match="another member"):
        with_name(MEMBERS, C, "nas")
    gone = without(MEMBERS, MEMBERS[1], State.LEFT)
    assert by_id(with_name(gone, C, "nas"))[C].name == "nas"


def test_leaving_and_being_forgotten_hold() -> None:
    left = without(MEMBERS, MEMBERS[1], State.LEFT)
    assert by_id(merge_members([MEMBERS, left]))[B].state is State.LEFT
    forgotten = without(left, by_id(left)[B], State.FORGOTTEN)
    assert by_id(merge_members([forgotten, left]))[B].state is State.FORGOTTEN
    assert without(forgotten, by_id(forgotten)[B], State.LEFT) == forgotten


def test_a_replica_that_left_joins_again() -> None:
    left = without(MEMBERS, MEMBERS[1], State.LEFT)
    again = joined(left, B, b"")
    assert by_id(merge_members([again, left]))[B].state is State.ACTIVE
    assert joined(again, B, b"") == again
    assert by_id(joined(MEMBERS, "d" * 32, b"x"))["d" * 32] == Member("d" * 32, author=b"x")
    with pytest.raises(ValueError, match="bbbbbbbb was forgotten"):
        joined(without(MEMBERS, MEMBERS[1], State.FORGOTTEN), B, b"")
