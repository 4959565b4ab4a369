"""What is remembered as left standing: the worked example, what a session cannot tell, and a model of many sessions."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aefsync.core.path import RelPath
from aefsync.core.unsettled import MOST, SHOWN, LeftStanding, Sighting, StandingPath, Unsettled, after

B, C = frozenset("b"), frozenset("c")


def standing(*paths: bytes) -> tuple[StandingPath, ...]:
    return tuple(StandingPath(RelPath(path), is_suspect=path.startswith(b"s")) for path in paths)


def told(known: Sequence[Unsettled]) -> dict[bytes, str]:
    return {bytes(each.path): "".join(sorted(each.peers)) for each in known}


def test_the_worked_example() -> None:
    known = after((), Sighting(standing(b"x", b"y"), (), True, B), lambda _: True)
    assert told(known) == {b"x": "b", b"y": "b"}
    known = after(known, Sighting(standing(b"x"), (), True, C), lambda _: True)
    assert told(known) == {b"x": "bc", b"y": "b"}
    known = after(known, Sighting((), (), True, B), lambda path: path == b"x")
    assert told(known) == {b"x": "c", b"y": "b"}
    assert told(after(known, Sighting((), (), True, B | C), lambda _: True)) == {}


@pytest.mark.parametrize("blind", [(), (b"d",), (b"d/x",), (b"",), (b"d/x/y", b"d-")])
def test_of_what_a_replica_could_not_look_at_nothing_is_settled(blind: tuple[bytes, ...]) -> None:
    known = after((), Sighting(standing(b"d/x"), (), True, B), lambda _: True)
    is_hidden = bool({b"", b"d", b"d/x"} & {*blind})
    assert told(after(known, Sighting((), blind, True, B), lambda _: True)) == ({b"d/x": "b"} if is_hidden else {})


def test_a_session_that_was_cut_short_settles_nothing() -> None:
    known = after((), Sighting(standing(b"x"), (), False, B), lambda _: True)
    assert told(after(known, Sighting(standing(b"y"), (), False, B), lambda _: True)) == {b"x": "b", b"y": "b"}


def test_a_path_that_stands_with_nobody_known_is_settled_by_anybody() -> None:
    known = after((), Sighting(standing(b"x"), (), True), lambda _: True)
    assert LeftStanding.of(known, "b") == LeftStanding(1, 0, standing(b"x"))
    assert after(known, Sighting((), (), True, C), lambda _: True) == ()


def test_what_stands_with_those_who_are_gone_is_not_counted() -> None:
    known = after((), Sighting(standing(b"s1", b"x"), (), True, B), lambda _: True)
    known = after(known, Sighting(standing(b"x"), (), True, C), lambda _: True)
    assert LeftStanding.of(known, "") == LeftStanding(1, 1, standing(b"s1", b"x"))
    assert LeftStanding.of(known, "b") == LeftStanding(1, 0, standing(b"x"))
    assert LeftStanding.of(known, "bc") == LeftStanding()
    assert LeftStanding.among([]) == LeftStanding()
    several = [LeftStanding(1, 5, standing(b"b", b"c")), LeftStanding(3, 0, standing(b"a", b"b"))]
    assert LeftStanding.among(several) == LeftStanding(3, 5, standing(b"a", b"b", b"c"))
    many = after((), Sighting(standing(*(b"%02d" % n for n in range(SHOWN + 1))), (), True, B), lambda _: True)
    assert LeftStanding.of(many, "") == LeftStanding(SHOWN + 1, 0, standing(*(b"%02d" % n for n in range(SHOWN))))


def test_of_very_many_the_first_are_remembered() -> None:
    many = standing(*(b"%06d" % number for number in range(MOST)))
    known = after((), Sighting(standing(b"0", b"z"), (), True, B), lambda _: True)
    known = after(known, Sighting(many, (), False, B), lambda _: True)
    assert len(known) == MOST
    assert (known[0].path, known[-1].path) == (b"0", b"%06d" % (MOST - 2))


PATHS = st.sampled_from([b"a", b"a/b", b"a-", b"s"])
SESSIONS = st.tuples(
    st.frozensets(PATHS), st.frozensets(st.sampled_from("bcd"), min_size=1), st.frozensets(PATHS), st.booleans()
)


@given(st.lists(SESSIONS, max_size=6))
def test_a_path_stands_with_those_with_whom_it_was_last_seen_to_stand(
    sessions: list[tuple[frozenset[bytes], frozenset[str], frozenset[bytes], bool]],
) -> None:
    model: dict[tuple[bytes, str], bool] = {}
    known: tuple[Unsettled, ...] = ()
    for stood, peers, in_sight, is_complete in sessions:
        seen = Sighting(standing(*sorted(stood)), (), is_complete, peers)
        known = after(known, seen, lambda path, in_sight=in_sight: path in in_sight)  # type: ignore[misc]
        model |= {(path, peer): False for path in in_sight - stood if is_complete for peer in peers}
        model |= {(path, peer): True for path in stood for peer in peers}
    stands = {(bytes(each.path), peer) for each in known for peer in each.peers}
    assert stands == {key for key, does in model.items() if does}
