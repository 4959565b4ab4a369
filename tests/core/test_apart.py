"""Told apart or one by one, what differs is the same; and what somebody knows to be deleted is in no growth."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aefsync.core.apart import Apart, fetching
from aefsync.core.compare import Difference, Selection, Span, spans_of
from aefsync.core.entry import Entry
from aefsync.core.first_growth import growth_of
from aefsync.core.growth import Growth
from aefsync.core.metadata import PERMISSIONS
from aefsync.core.one_sided import OneSided
from aefsync.core.path import RelPath
from aefsync.core.tombstones import buried, tombstones_at
from aefsync.core.version import Dot, Tombstone, Version
from aefsync.core.view import View
from tests.core.test_growth import file
from tests.support.memory import snapshot_of

PATHS = [RelPath(b"%c/%d" % (letter, number)) for letter in b"abcd" for number in range(3)]
VERSION = Version((Dot(b"a" * 16, 1),), b"a" * 16)


class Pair:
    """Two replicas, of which each path is on one, on both alike, or on one and known as deleted on the other."""

    def __init__(self, states: Sequence[int]) -> None:
        entries: list[list[Entry]] = [[], []]
        tombstones: list[list[Tombstone]] = [[], []]
        for path, state in zip(PATHS, states, strict=True):
            for replica in (0, 1):
                if state in (replica, 2, 3 + replica):
                    entries[replica].append(file(path)._replace(version=VERSION))
                if state == 4 - replica or state == 5:
                    tombstones[replica].append(Tombstone(path, Version((Dot(b"b" * 16, 1 + replica),))))
        self.snapshots = [snapshot_of(own) for own in entries]
        self.tombstones = [buried(own) for own in tombstones]
        keys = [[snap.key(i) for i in range(snap.count)] for snap in self.snapshots]
        alone = [[i for i, key in enumerate(own) if key not in other] for own, other in (keys, keys[::-1])]
        ordered = sorted((keys[replica][i], replica, i) for replica in (0, 1) for i in alone[replica])
        self.selections = [
            Selection(tuple(((i, i + 1),) if n == replica else () for n in (0, 1))) for _, replica, i in ordered
        ]
        counts = [snap.count for snap in self.tombstones]
        self.buried = [Selection(tuple(tuple(spans_of(list(range(count)))) for count in counts))] if any(counts) else []
        self.apart = Apart(2, self.entries, self.tombstones_of, View.VERSIONED)

    def entries(self, replica: int, spans: Sequence[Span]) -> list[Entry]:
        return [entry for low, high in spans for entry in self.snapshots[replica].entries(low, high)]

    def tombstones_of(self, replica: int, spans: Sequence[Span]) -> list[Tombstone]:
        return [tombstone for low, high in spans for tombstone in tombstones_at(self.tombstones[replica], low, high)]

    def grow(self, replica: int, spans: Sequence[Span]) -> Growth:
        runs = (run for span in spans for run in self.snapshots[replica].runs(*span))
        return growth_of(runs, PERMISSIONS, list)


def refused(replica: int, spans: Sequence[Span]) -> list[Entry]:
    raise AssertionError(f"{spans} of {replica}")


@given(st.lists(st.integers(0, 5), min_size=len(PATHS), max_size=len(PATHS)), st.integers(1, 4), st.integers(1, 5))
def test_they_are_the_same(states: list[int], least: int, most: int) -> None:
    pair = Pair(states)
    singly = list(pair.apart.singly(pair.selections, pair.buried))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("aefsync.core.one_sided.FROM", least)
        patch.setattr("aefsync.core.first_growth.ENTRIES", most)
        found = list(pair.apart.grown(pair.selections, pair.buried, pair.grow))
        spans = [[span for each in pair.selections for span in each.spans[replica]] for replica in (0, 1)]
        patch.setattr("aefsync.core.apart.FEW", -1)
        unpacked = [list(fetching(pair.grow, refused)(replica, own)) for replica, own in enumerate(spans)]
    assert unpacked == [pair.entries(replica, own) for replica, own in enumerate(spans)]
    told: list[Difference] = []
    for each in found:
        if isinstance(each, OneSided):
            assert not {tombstone.path for own in pair.tombstones for tombstone in tombstones_at(own, 0, own.count)} & {
                entry.path for entry in each.growth.entries()
            }
        told += each.differences(2) if isinstance(each, OneSided) else [each]
    assert told == singly
    if set(states) == {0} and least <= len(PATHS):
        assert {type(each) for each in found} == {OneSided}


@pytest.mark.parametrize("state", [3, 5], ids=["only on the other side", "on neither side"])
def test_what_is_all_known_to_be_deleted_is_taken_apart_once(state: int, monkeypatch: pytest.MonkeyPatch) -> None:
    cuts: list[int] = []
    part = Growth.part

    def counted(growth: Growth, low: int, high: int) -> Growth:
        cuts.append(high - low)
        return part(growth, low, high)

    monkeypatch.setattr(Growth, "part", counted)
    monkeypatch.setattr("aefsync.core.one_sided.FROM", len(PATHS) // 2)
    pair = Pair([0 if number % 4 else state for number in range(len(PATHS))])
    assert len(list(pair.apart.grown(pair.selections, pair.buried, pair.grow))) == len(PATHS)
    assert cuts == [len(PATHS) - len(PATHS) // 4 * (state == 5)]
