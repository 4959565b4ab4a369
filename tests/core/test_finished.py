"""The paths on which moves leave nothing to be done."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from aefsync.core.action import Act
from aefsync.core.compare import Difference
from aefsync.core.differences import Differences
from aefsync.core.entry import Entry
from aefsync.core.finished import finished
from aefsync.core.moves import Moves, find_moves
from aefsync.core.plan import plan
from aefsync.core.policy import Policies
from aefsync.core.reconcile import Decisions, reconcile
from aefsync.core.relocated import AfterMoves, OwnFates, outlook
from aefsync.core.step import Pass
from aefsync.core.verdict import Rules
from aefsync.core.version import Dot, Version
from tests.core.mover import all_movable
from tests.support.snapshots import file, planted

A = b"a" * 16
OLD, NEW, GONE = (Version((Dot(A, number),), A) for number in (1, 2, 3))
RULES = Rules(now_ns=1 << 62, policies=Policies())


def at(path: bytes, version: Version, data: bytes = b"x", mode: int = 0o644) -> Entry:
    return file(path, data, mode=mode)._replace(version=version)


def decided(trees: Sequence[Sequence[Entry]], buried: dict[bytes, Sequence[Version | None]]) -> Decisions:
    found = planted(trees)
    dated = [Difference(path, entries, tuple(buried.get(path, ()))) for path, entries, _ in found]
    return reconcile(Differences(dated, block=2), RULES, [()] * len(trees))


def moved(decisions: Decisions, replicas: int) -> dict[int, Moves]:
    ahead = outlook(decisions, [()] * replicas)
    return {i: find_moves(OwnFates(decisions, i), ahead.barred, all_movable) for i in sorted(ahead.move)}


def left(decisions: Decisions, moves: dict[int, Moves], replicas: int) -> list[tuple[str, bytes]]:
    """What the rest of the plan has to do."""
    windows = AfterMoves(decisions, moves, replicas)
    plans = [plan(windows.window(number), replicas) for number in range(windows.windows)]
    own = [action for each in plans for step in Pass for actions in each.of(step) for action in actions]
    return [(action.act.value, bytes(action.path)) for action in own]


def test_a_file_that_was_renamed_alone_needs_nothing_more() -> None:
    decisions = decided([[at(b"new", NEW)], [at(b"old", OLD)]], {b"old": (GONE, None)})
    moves = moved(decisions, 2)
    (action,) = moves[1].actions
    assert (action.act, action.path, action.source, action.tombstone) == (Act.MOVE, b"new", b"old", GONE)
    assert finished(decisions, moves) == {b"new", b"old"}
    assert left(decisions, moves, 2) == []


@pytest.mark.parametrize(
    ("trees", "tombstones", "expected", "to_do"),
    [
        pytest.param(
            [[at(b"new", NEW, mode=0o600)], [at(b"old", OLD)]],
            (GONE, None),
            {b"old"},
            [("metadata", b"new")],
            id="another mode is still to be set",
        ),
        pytest.param(
            [[at(b"new", NEW)], [at(b"old", OLD)], []],
            (GONE, None, None),
            set(),
            [("create", b"new"), ("version", b"old")],
            id="a third one has yet to get it, and to hear of the deletion",
        ),
        pytest.param(
            [[at(b"new", NEW)], [at(b"old", OLD)], [at(b"old", OLD)]],
            (GONE, None, None),
            {b"new", b"old"},
            [],
            id="a third one moves it too",
        ),
        pytest.param(
            [[at(b"new", NEW), at(b"old", NEW, b"y")], [at(b"old", OLD)]],
            (),
            set(),
            [("create", b"new"), ("copy", b"old")],
            id="a file that is replaced is no move",
        ),
        pytest.param(
            [[at(b"a", NEW, b"y"), at(b"b", NEW, b"x")], [at(b"a", OLD, b"x"), at(b"b", OLD, b"y")]],
            (),
            {b"a", b"b"},
            [],
            id="two that change places",
        ),
    ],
)
def test_what_is_left(
    trees: list[list[Entry]],
    tombstones: tuple[Version | None, ...],
    expected: set[bytes],
    to_do: list[tuple[str, bytes]],
) -> None:
    decisions = decided(trees, {b"old": tombstones})
    moves = moved(decisions, len(trees))
    assert finished(decisions, moves) == expected
    rest = left(decisions, moves, len(trees))
    assert sorted(rest) == sorted(to_do)
