from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aefsync.core.entry import Entry
from aefsync.core.metadata import NEWEST_NS, OLDEST_NS, PLAIN, Aspects, Extra, Owner
from aefsync.core.view import View
from tests.support.snapshots import directory, file, link, snapshot

S = 1_000_000_000
FAT = PLAIN._replace(mode_bits=0, step_ns=2 * S, oldest_ns=315_532_800 * S, newest_ns=4_354_819_198 * S)


@dataclasses.dataclass(frozen=True)
class Case:
    aspects: Aspects
    one_ns: int
    other_ns: int
    same: bool


@pytest.mark.parametrize(
    "case",
    [
        Case(PLAIN, 5, 5, True),
        Case(PLAIN, 5, 6, False),
        Case(PLAIN._replace(times=False), 5, S, True),
        Case(PLAIN._replace(window_ns=S), 0, S, True),
        Case(PLAIN._replace(window_ns=S), 0, S + 1, False),
        Case(PLAIN._replace(window_ns=S), -S // 2, S // 2, True),
        Case(FAT, 10**9 * S, 10**9 * S + 2 * S - 1, True),
        Case(FAT, 10**9 * S, 10**9 * S + 2 * S, False),
        Case(FAT, 10**9 * S - 1, 10**9 * S, False),
        Case(FAT, -S, 315_532_800 * S, True),
        Case(FAT, NEWEST_NS, 4_354_819_198 * S, True),
        Case(FAT._replace(window_ns=3600 * S), 10**9 * S, 10**9 * S + 3600 * S, True),
        Case(FAT._replace(window_ns=3600 * S), 10**9 * S, 10**9 * S + 3602 * S, False),
    ],
)
def test_times_that_count_as_one(case: Case) -> None:
    assert case.aspects.same_times([case.one_ns, case.other_ns]) == case.same
    assert case.aspects.same_times([case.other_ns, case.one_ns]) == case.same


def test_a_window_joins_no_chain() -> None:
    window = PLAIN._replace(window_ns=S)
    assert not window.same_times([0, S * 9 // 10, S * 18 // 10])
    a, b, c = (file(b"a", mtime_ns=each) for each in (0, S * 9 // 10, S * 18 // 10))
    assert View.FULL.same([a, b], window)
    assert View.FULL.same([b, c], window)
    assert not View.FULL.same([a, b, c], window)


times = st.integers(OLDEST_NS, NEWEST_NS) | st.integers(-10 * S, 10 * S)
steps = st.sampled_from([1, 100, 10**6, S, 2 * S])


@st.composite
def aspects(draw: st.DrawFn) -> Aspects:
    oldest_ns, newest_ns = sorted([draw(times), draw(times)])
    bounds = draw(st.sampled_from([(OLDEST_NS, NEWEST_NS), (oldest_ns, newest_ns)]))
    bits, window_ns = (
        draw(st.sampled_from([0, 0o777, 0o7777])),
        draw(st.sampled_from([0, 1, S // 3, S, 3 * S, 3600 * S])),
    )
    return Aspects(bits, draw(st.booleans()), draw(steps), *bounds, window_ns)


@given(
    aspects(), times, times, st.integers(0, 0o7777), st.integers(0, 0o7777), st.sampled_from([file, link, directory])
)
def test_equal_digests_mean_that_entries_are_the_same(
    counting: Aspects, one_ns: int, other_ns: int, one_mode: int, other_mode: int, make: Callable[[bytes], Entry]
) -> None:
    one = make(b"x")._replace(mtime_ns=one_ns, mode=0 if make is link else one_mode)
    other = make(b"x")._replace(mtime_ns=other_ns, mode=0 if make is link else other_mode)
    digests = [snapshot([each], aspects=counting).digests for each in (one, other)]
    same = View.FULL.same([one, other], counting)
    assert same or digests[0] != digests[1]
    if not counting.is_approximate:
        assert (digests[0] == digests[1]) == same


@given(aspects(), times)
def test_what_is_stored_stays_as_it_is(counting: Aspects, mtime_ns: int) -> None:
    stored = counting.stored_time(mtime_ns)
    if counting.oldest_ns % counting.step_ns == 0 or counting.oldest_ns == OLDEST_NS:
        assert counting.stored_time(stored) == stored
    assert OLDEST_NS <= counting.slot(mtime_ns) <= NEWEST_NS


def test_bits_that_do_not_count() -> None:
    one, other = file(b"a", mode=0o4755), file(b"a", mode=0o755)
    assert one.same_metadata(other)
    assert not one.same_metadata(other, PLAIN._replace(mode_bits=0o7777))
    assert one.same_metadata(file(b"a", mode=0o600), PLAIN._replace(mode_bits=0))


def test_special_bits_are_seen_only_where_they_count() -> None:
    entry = file(b"a", mode=0o6755)
    assert [each.mode for each in snapshot([entry]).entries()] == [0o755]
    asked = snapshot([entry], aspects=PLAIN._replace(mode_bits=0o7777))
    assert [each.mode for each in asked.entries()] == [0o6755]
    shown = snapshot([entry], aspects=PLAIN._replace(mode_bits=0))
    assert [each.mode for each in shown.entries()] == [0o755], "for people, though it does not count"


ALICE = Owner(1000, 100, b"alice", b"users")


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (ALICE, True),
        (Owner(7, 8, b"alice", b"users"), True),
        (Owner(1000, 100, b"bob", b"users"), False),
        (Owner(1000, 100, b"alice", b"staff"), False),
        (Owner(1000, 100), True),
        (Owner(1000, 8, b"", b"users"), True),
        (Owner(7, 100), False),
    ],
)
def test_owners_are_the_same_by_name_or_else_by_number(other: Owner, same: bool) -> None:
    counting = PLAIN._replace(owner=True)
    one, two = (file(b"a")._replace(extra=Extra(owner)) for owner in (ALICE, other))
    assert one.same_metadata(two, counting) == two.same_metadata(one, counting) == same
    assert one.same_metadata(two)
    assert same or ALICE.canonical != other.canonical


def test_what_is_not_known_is_the_same_as_nothing_that_is() -> None:
    counting = PLAIN._replace(owner=True)
    known, unknown, without = (file(b"a")._replace(extra=extra) for extra in (Extra(ALICE), Extra(), None))
    assert not known.same_metadata(unknown, counting)
    assert not known.same_metadata(without, counting)
    assert unknown.same_metadata(unknown, counting)


def test_digests_cover_the_extras_of_entries() -> None:
    counting = PLAIN._replace(owner=True)
    alice, bob = (
        snapshot([file(b"a")._replace(extra=Extra(ALICE._replace(user=user)))], aspects=counting)
        for user in (b"alice", b"bob")
    )
    assert alice.digests != bob.digests
    assert alice.digests_in(View.QUICK) != bob.digests_in(View.QUICK)
    assert alice.digests_in(View.CONTENT) == bob.digests_in(View.CONTENT)
    assert next(bob.entries()).extra == Extra(ALICE._replace(user=b"bob"))
