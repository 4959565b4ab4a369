"""Waves: what may happen at the same time, and what must wait."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aefsync.core.action import Act, Action
from aefsync.core.path import RelPath
from aefsync.disk.far.applier import waves


def action(line: str) -> Action:
    word, *names = line.split()
    path, *source = (RelPath(name.encode()) for name in names)
    return Action(Act(word), path, None, None, *source)


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ([], []),
        (["mkdir a", "create a/f", "mkdir a/b", "create a/b/g", "create b"], [[0, 4], [1, 2], [3]]),
        (["delete c/x", "delete c/y", "delete c"], [[0, 1], [2]]),
        (["delete a", "create a"], [[0], [1]]),
        (["move b a", "create a/f", "create c", "create b"], [[0, 2], [1, 3]]),
        (["create a-b", "create a/b", "create ab"], [[0, 1, 2]]),
    ],
)
def test_what_waits_for_what(lines: list[str], found: list[list[int]]) -> None:
    assert waves([action(line) for line in lines]) == found


PATHS = st.lists(st.sampled_from([b"a", b"b"]), min_size=1, max_size=3).map(b"/".join).map(RelPath)
PAIRS = st.tuples(PATHS, st.none() | PATHS)
ACTIONS = st.lists(PAIRS.map(lambda pair: Action(Act.MOVE, pair[0], None, None, pair[1])), max_size=8)


def are_related(one: Action, other: Action) -> bool:
    pairs = ((a, b) for a in (one.path, one.source) for b in (other.path, other.source) if a and b)
    return any(a == b or a.is_below(b) or b.is_below(a) for a, b in pairs)


@given(ACTIONS)
def test_each_comes_once_and_after_all_earlier_ones_it_depends_on(actions: list[Action]) -> None:
    place = {number: wave for wave, numbers in enumerate(waves(actions)) for number in numbers}
    assert sorted(place) == list(range(len(actions)))
    for number, each in enumerate(actions):
        for earlier in range(number):
            if are_related(actions[earlier], each):
                assert place[earlier] < place[number]
