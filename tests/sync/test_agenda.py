"""When a watch looks at what: hints, settling, polling and failures on a clock that is only a number."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aefsync.core.hint import EVERYTHING, MOST_HINTS, Hints, bounded
from aefsync.sync.agenda import POLL_S, Agenda
from aefsync.sync.undone import AGAIN_S, Undone

PLACES = (b"a", b"a/b", b"a/b/c", b"a/bc", b"ab", b"b")


def begun(settle_s: float = 0.1, rescan_s: float = 3600.0) -> Agenda:
    """An agenda after its first pass, which took no time and ended at 0."""
    agenda = Agenda(settle_s, rescan_s)
    assert agenda.due_s(0.0) == 0.0
    assert agenda.begin(0.0) == (b"",)
    agenda.end(0.0)
    return agenda


def hear(agenda: Agenda, now_s: float, *paths: bytes) -> None:
    agenda.hear(0, Hints(paths), now_s)


def test_without_hints_all_is_due_after_the_rescan_time() -> None:
    agenda = begun(rescan_s=100)
    assert not agenda.is_settling
    assert agenda.due_s(40) == 60
    assert agenda.begin(100) == (b"",)
    agenda.end(100)
    assert agenda.due_s(100) == 100


def test_a_hint_is_due_when_it_has_settled() -> None:
    agenda = begun()
    hear(agenda, 10, b"a")
    hear(agenda, 10.01, b"b")
    assert agenda.due_s(10.01) == pytest.approx(0.1)
    hear(agenda, 10.05, b"b")
    assert agenda.due_s(10.05) == pytest.approx(0.1)
    assert agenda.begin(10.15) == (b"a", b"b")
    agenda.end(10.15)
    assert not agenda.is_settling


def test_what_breaks_a_silence_hardly_waits() -> None:
    agenda = begun()
    hear(agenda, 10, b"a", b"b")
    hear(agenda, 10.01, b"b")
    assert agenda.due_s(10.01) == pytest.approx(0.01)
    agenda.begin(10.02)
    agenda.end(10.02)
    hear(agenda, 10.03, b"a")
    assert agenda.due_s(10.03) == pytest.approx(0.1)


def test_what_never_settles_is_looked_at_all_the_same() -> None:
    agenda = begun()
    now_s = 10.0
    while agenda.due_s(now_s):
        hear(agenda, now_s, b"log")
        now_s += 0.05
        assert now_s < 11
    assert agenda.begin(now_s) == (b"log",)


def test_no_pass_begins_sooner_after_another_than_that_one_took() -> None:
    agenda = begun()
    hear(agenda, 10, b"a")
    agenda.begin(10.1)
    hear(agenda, 11, b"b")
    agenda.end(14.1)
    assert agenda.due_s(14.1) == pytest.approx(4)


def test_the_rest_of_a_burst_hardly_waits() -> None:
    agenda = begun()
    hear(agenda, 10, b"")
    agenda.begin(10)
    agenda.end(14, 3900)
    hear(agenda, 14, b"")
    assert agenda.due_s(14) == pytest.approx(0.1)


def test_deaf_parts_are_polled_and_not_too_often() -> None:
    agenda = begun()
    agenda.hear(1, Hints(deaf=(b"far",)), 0)
    assert agenda.due_s(0) == POLL_S
    assert agenda.begin(POLL_S) == (b"far",)
    agenda.end(POLL_S + 2)
    assert agenda.due_s(POLL_S + 2) == 40
    agenda.hear(1, Hints(), POLL_S + 2)
    assert agenda.due_s(POLL_S + 2) > 1000


def test_what_failed_is_due_again_after_the_pause() -> None:
    agenda = begun()
    hear(agenda, 10, b"a")
    scope = agenda.begin(10.1)
    agenda.fail(11, 30)
    assert (agenda.failures, agenda.due_s(11)) == (1, 30)
    hear(agenda, 12, b"b")
    assert agenda.due_s(12) == 29
    assert agenda.begin(41) == (*scope, b"b")
    agenda.end(41)
    assert agenda.failures == 0


def test_what_was_left_undone_is_due_again_later_each_time() -> None:
    agenda = begun(rescan_s=10)
    hear(agenda, 1, b"a/b", b"c")
    assert agenda.begin(2) == (b"a/b", b"c")
    agenda.end(2, undone=[b"a/b/x", b"c"])
    assert not agenda.is_settling
    assert agenda.due_s(2) == AGAIN_S
    assert agenda.begin(3) == (b"a/b/x", b"c")
    agenda.end(3, undone=[b"c"])
    assert agenda.due_s(3) == 2 * AGAIN_S
    hear(agenda, 3.5, b"a")
    assert agenda.begin(4) == (b"a",)
    agenda.end(4)
    assert agenda.begin(5) == (b"c",)
    agenda.end(5)
    assert agenda.due_s(5) == 5


def test_of_much_that_was_left_undone_everything_is_due() -> None:
    agenda = begun()
    hear(agenda, 1, b"d")
    agenda.begin(2)
    agenda.end(2, undone={b"d/%d" % number for number in range(2000)})
    assert agenda.begin(3) == (b"",)
    agenda.end(3)
    assert agenda.due_s(3) == 3600


@given(st.lists(st.tuples(st.sets(st.sampled_from(PLACES)), st.sets(st.sampled_from(PLACES))), max_size=20))
def test_nothing_left_undone_is_forgotten(passes: list[tuple[set[bytes], set[bytes]]]) -> None:
    undone, left, now_s = Undone(8.0), set[bytes](), 0.0
    for scope, paths in passes:
        seen = {place for place in PLACES if any(place == top or place.startswith(top + b"/") for top in scope)}
        left = (left - seen) | paths
        undone.note(sorted(scope), paths, now_s)
        assert set(undone.due(now_s + 8.0)) == left
        assert undone.next_s() <= now_s + 8.0 or not left
        now_s += 1.0


def test_a_look_at_everything_is_due_at_once() -> None:
    agenda = begun()
    hear(agenda, 10, b"a")
    agenda.begin(10.1)
    agenda.end(20)
    agenda.widen(20)
    assert agenda.due_s(20) == 0
    assert agenda.begin(20) == (b"",)


def test_the_user_may_ask_for_everything() -> None:
    agenda = begun()
    agenda.hear(None, EVERYTHING, 5)
    assert agenda.begin(6) == (b"",)


@given(st.lists(st.integers(0, 2 * MOST_HINTS).map(lambda n: b"%d" % n)))
def test_hints_are_never_lost_nor_too_many(paths: list[bytes]) -> None:
    kept = bounded(paths)
    assert len(kept) <= MOST_HINTS
    assert kept == (b"",) or set(kept) == set(paths)


def test_too_many_hints_are_everything() -> None:
    assert bounded([b"%d" % n for n in range(MOST_HINTS + 1)]) == (b"",)
    assert bounded([b"a", b"", b"b"]) == (b"",)
