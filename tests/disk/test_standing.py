from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aefsync.core.members import Encounter, Mark, Member, Memory, State
from aefsync.core.path import RelPath
from aefsync.core.unsettled import LeftStanding, Sighting, StandingPath
from aefsync.core.version import Dot
from aefsync.disk.standing import (
    AUTHOR,
    Words,
    disproves,
    left_in,
    marks_of,
    members_of,
    met_of,
    standing_of,
    unsettled_in,
    with_marks,
    with_memory,
)

MARKS = tuple(Mark(counter, counter.to_bytes(8)) for counter in range(1, 400))
MEMBERS = (
    Member("a" * 32, "näme", 2, State.LEFT, (Dot(bytes(16), 3), Dot(b"b" * 16, 1 << 62)), 5, b"c" * 16, 4),
    Member("b" * 32),
)
MET = (Encounter("b" * 32, Mark(7, b"12345678"), 2),)


def kept(words: Words, memory: Memory) -> dict[str, bytes]:
    """What a session leaves that looked at everything."""
    return with_memory(words, memory, lambda _: True)


def test_what_a_session_leaves_comes_back() -> None:
    words = {AUTHOR: b"a" * 16, **with_marks(MARKS[:3], ()), **kept({}, Memory(MEMBERS, MET))}
    standing = standing_of(words, "d" * 32)
    assert standing is not None
    assert standing[:5] == ("d" * 32, b"a" * 16, MARKS[2], MEMBERS, MET)
    brief = standing_of(words, "d" * 32, is_brief=True)
    assert brief is not None
    assert brief[:5] == ("d" * 32, b"a" * 16, MARKS[2], (), ())
    assert standing_of({}, "d" * 32) is None


def test_what_is_known_of_members_is_never_forgotten() -> None:
    words = kept({}, Memory(MEMBERS, MET))
    left = MEMBERS[1]._replace(state=State.LEFT, last_s=9)
    assert members_of(kept(words, Memory((left, MEMBERS[0]._replace(incarnation=1))))) == (MEMBERS[0], left)
    assert members_of(kept(words, Memory(()))) == MEMBERS


def test_of_whom_no_whole_session_was_noted_apart_the_last_one_was_whole() -> None:
    words = kept({}, Memory(MEMBERS[:1]))
    (row,) = json.loads(words["members"])
    assert members_of({"members": json.dumps([row[:7]]).encode()}) == (MEMBERS[0]._replace(whole_s=5),)


def test_the_last_encounter_with_a_member_counts() -> None:
    words = kept({}, Memory(MEMBERS, MET))
    later = Encounter("b" * 32, Mark(9, b"abcdefgh"), 4)
    other = Encounter("c" * 32, Mark(1, b"abcdefgh"), 4)
    assert met_of(kept(words, Memory((), (other, later)))) == (later, other)


def test_marks_that_no_member_can_have_are_let_go_of() -> None:
    kept = marks_of(with_marks(MARKS, [Encounter("b" * 32, Mark(1, bytes(8)), 5)]))
    assert kept[0] == MARKS[4]
    assert kept[1:] == MARKS[-256:]


@given(st.integers(1, 450), st.booleans())
def test_a_mark_that_was_never_left_disproves(counter: int, is_own: bool) -> None:
    claim = Mark(counter, counter.to_bytes(8) if is_own else b"another!")
    assert disproves(MARKS, claim) == (not is_own or counter > len(MARKS))


def test_of_what_is_older_than_all_that_is_kept_nothing_is_told() -> None:
    assert not disproves(MARKS[-256:], Mark(1, b"another!"))
    assert not disproves(MARKS, Mark(0, bytes(8)))
    assert disproves((), Mark(1, b"another!"))


@pytest.mark.parametrize("words", [{"members": b"[[1]]"}, {"members": b"{"}, {"met": b"[3]"}, {"marks": b"123"}])
def test_damage_is_noticed(words: dict[str, bytes]) -> None:
    with pytest.raises(ValueError):
        standing_of({AUTHOR: b"a" * 16, **words}, "d" * 32)


def test_what_is_left_standing_comes_back_whatever_it_is_called() -> None:
    stood = (
        StandingPath(RelPath(b'\xff\n"x'), is_suspect=True),
        StandingPath(RelPath("näme/y".encode()), is_suspect=False),
    )
    peers = frozenset({"a" * 32, "b" * 32})
    words = kept({}, Memory(MEMBERS, (), Sighting(stood, (), True, peers)))
    assert [each[:2] for each in unsettled_in(words)] == sorted(stood, key=lambda each: each.path.key)
    assert {each.peers for each in unsettled_in(words)} == {peers}
    assert left_in(words) == LeftStanding(1, 1, tuple(sorted(stood, key=lambda each: each.path.key)))
    forgotten = tuple(each._replace(state=State.FORGOTTEN) for each in MEMBERS)
    assert left_in(kept(words, Memory(forgotten))) == LeftStanding()


def test_a_session_that_finds_nothing_standing_leaves_no_word_of_it() -> None:
    words = kept({}, Memory(MEMBERS, MET))
    assert kept(words, Memory((), (), Sighting(is_complete=True))).items() <= words.items()
