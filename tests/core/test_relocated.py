"""Moves and what is left after them, carried out as a plan on trees in memory."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given

from aefsync.core.differences import Differences
from aefsync.core.moves import Moves, find_moves
from aefsync.core.path import END, RelPath
from aefsync.core.plan import plan
from aefsync.core.reconcile import Decisions, reconcile
from aefsync.core.relocated import OwnFates, outlook, plan_of, relocated
from aefsync.core.step import Pass, Place
from aefsync.core.verdict import Rules, Stand, Why
from aefsync.core.view import View
from tests.core.mover import Tree, all_movable, fates, tree
from tests.core.test_moves import edits, entries_of
from tests.support.snapshots import directory, file, planted, unread

MIRROR = Rules(now_ns=10**6, mirror=True)


def decided(trees: Sequence[Tree], block: int = 3, unknown: Sequence[Sequence[bytes]] = ()) -> Decisions:
    found = [each for each in planted([own.values() for own in trees]) if not View.FULL.same(each.entries)]
    return reconcile(Differences(found, block), MIRROR, unknown or [()] * len(trees))


def moved(decisions: Decisions, replicas: int, unknown: Sequence[Sequence[bytes]] = ()) -> dict[int, Moves]:
    ahead = outlook(decisions, unknown)
    return {
        number: find_moves(OwnFates(decisions, number), ahead.barred, all_movable)
        for number in range(1, replicas)
        if number in ahead.move
    }


@given(edits())
def test_the_fates_of_a_replica_are_those_of_its_tree(trees: tuple[dict[str, object], dict[str, object]]) -> None:
    has, wanted = (tree(*entries_of(each)) for each in trees)
    own = OwnFates(decided([wanted, has]), 1)
    expected = fates(has, wanted.values())
    assert list(own.between(b"", END)) == expected
    for fate in expected:
        key = fate.path.key
        assert list(own.between(key, key + b"\0")) == [fate]
        assert list(own.between(b"", key)) == [each for each in expected if each.path.key < key]


def test_what_is_left_is_decided_anew() -> None:
    a = tree(directory(b"new"), file(b"new/x", b"x"), file(b"new/y", b"changed"), file(b"z", b"z"))
    b = tree(directory(b"old"), file(b"old/x", b"x"), file(b"old/y", b"y"), file(b"z", b"z"))
    c = tree(directory(b"new"), file(b"new/x", b"x"), file(b"new/y", b"y"), file(b"zz", b"z"))
    decisions = decided([a, b, c])
    moves = moved(decisions, 3)
    left = relocated(decisions, moves, 3, View.FULL)
    assert [bytes(each.path) for each in left] == [b"new/y"]
    made = plan_of(moves, 3, decisions, "mirror")
    assert [(step.origin, step.old, step.path, step.receivers, step.places) for step in made.steps] == [
        (0, b"old", b"new", (1,), (Place(Pass.MOVE, 0),)),
        (0, b"zz", b"z", (2,), (Place(Pass.MOVE, 0),)),
    ]
    after = plan(reconcile(left, MIRROR, [()] * 3).window(0), 3)
    assert [[(action.act, bytes(action.path)) for action in own] for own in after.of(Pass.PUT)] == [
        [],
        [("copy", b"new/y")],
        [("copy", b"new/y")],
    ]


def test_nothing_may_be_moved_where_nothing_that_comes_is_like_what_goes() -> None:
    ahead = [
        outlook(decided([tree(file(b"g", b"1"), file(b"h", own)), tree(file(b"g", b"22"))]), [(), ()])
        for own in (b"22", b"3")
    ]
    assert [each.move for each in ahead] == [frozenset({1}), frozenset()]


def test_what_stands_bars_the_directories_above_it() -> None:
    a = tree(directory(b"d"), directory(b"d/e"), unread(file(b"d/e/f", b"xx")), file(b"g", b"1"), file(b"h", b"22"))
    b = tree(directory(b"d"), directory(b"d/e"), file(b"d/e/f", b"yy"), file(b"g", b"22"))
    ahead = outlook(decided([a, b]), [(), (b"s/t",)])
    assert ahead == (frozenset({1}), frozenset({b"", b"d", b"d/e", b"d/e/f", b"s", b"s/t"}), {})
    left = relocated(decided([a, b]), {}, 2, View.FULL)
    standing = [each.path for each in reconcile(left, MIRROR, [()] * 2) if each.verdict == Stand(Why.UNREAD)]
    assert standing == [RelPath(b"d/e/f")]
