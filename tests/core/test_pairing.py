from __future__ import annotations

import heapq
import itertools
from operator import itemgetter

from hypothesis import given
from hypothesis import strategies as st

from aefsync.core.pairing import Item, joined, merged
from aefsync.core.version import FOUND, Tombstone
from tests.support.snapshots import file


def items(replica: int, keys: list[int]) -> list[Item]:
    """What a replica has, or knows, at these keys."""
    return [(b"%06d" % key, replica, file(b"%06d" % key)) for key in keys]


KEYS = st.lists(st.integers(0, 2000), max_size=40).map(sorted)
RUNS = st.tuples(st.integers(0, 2000), st.integers(0, 700)).map(lambda run: list(range(run[0], sum(run))))


@given(st.lists(KEYS | RUNS, max_size=4))
def test_streams_come_as_one_in_order(columns: list[list[int]]) -> None:
    streams = [items(number, own) for number, own in enumerate(columns)]
    assert list(merged(streams)) == list(heapq.merge(*streams, key=itemgetter(0)))


def test_what_is_at_one_key_stays_together() -> None:
    entries = items(0, list(range(1000)))
    tombstones: list[Item] = [(key, i, Tombstone(each.path, FOUND)) for key, _, each in entries for i in (0, 1, 2)]
    found = list(merged([entries, tombstones]))
    assert [key for key, _, _ in found] == [key for key, _, _ in entries for _ in range(4)]
    assert found[0::4] == entries


@given(st.sets(st.integers(0, 60)))
def test_spans_joined_are_the_same_positions(positions: set[int]) -> None:
    spans = joined((each, each + 1) for each in sorted(positions))
    assert {each for low, high in spans for each in range(low, high)} == positions
    assert all(stop < start for (_, stop), (start, _) in itertools.pairwise(spans))
