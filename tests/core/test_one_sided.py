"""What only one replica has: which selections come together, and what follows when all others have it."""

from __future__ import annotations

from aefsync.core.compare import Difference, Selection
from aefsync.core.differences import Differences
from aefsync.core.load import Load, load_of_growth
from aefsync.core.metadata import PLAIN, Namespaces
from aefsync.core.one_sided import FROM, OneSided, can_grow, one_sided, without_first
from aefsync.core.path import RelPath
from aefsync.core.plan import plan_after
from aefsync.core.reconcile import reconcile
from aefsync.core.step import Pass
from aefsync.core.verdict import Rules, Take
from tests.core.test_growth import directory, file, growth_of

RULES = Rules(1 << 62)
FOUND = OneSided(1, growth_of(directory(b"d", 0o555), file(b"d/a"), file(b"d/b"), directory(b"e")))


def only(holder: int, start: int, count: int) -> Selection:
    spans = [(), (), ()]
    spans[holder] = ((start, start + count),)
    return Selection(tuple(spans))


def test_neighbours_of_one_holder_come_together() -> None:
    mixed = Selection((((0, 1),), ((0, 1),), ()))
    many = [only(0, 1, FROM - 1), only(0, FROM, 1)]
    few = [only(1, 1, FROM - 1)]
    others = [only(2, 0, FROM)]
    assert list(one_sided([mixed, *many, *few, *others])) == [(None, [mixed]), (0, many), (None, few), (2, others)]
    assert list(one_sided([*few, mixed])) == [(None, [*few, mixed])]
    assert list(one_sided([])) == []


def test_positions_that_are_left() -> None:
    assert without_first([(0, 3), (5, 9)], 4) == [(6, 9)]
    assert without_first([(0, 3), (5, 9)], 3) == [(5, 9)]
    assert without_first([(0, 3)], 3) == []


def test_columns_tell_all_but_extras() -> None:
    assert can_grow(PLAIN)
    for aspects in (PLAIN._replace(owner=True), PLAIN._replace(xattrs=Namespaces.USER), PLAIN._replace(symlinks=False)):
        assert not can_grow(aspects)


def test_directories_are_closed_when_all_is_in_them() -> None:
    made = plan_after(FOUND, 3)
    for replica, own in enumerate(made.actions):
        assert [bytes(action.path) for action in own[Pass.CLOSE]] == ([] if replica == 1 else [b"d"])
        assert not any(own[step] for step in Pass if step is not Pass.CLOSE)
    assert load_of_growth(FOUND, made) == Load(((0, 0, 4, 1), (0, 0, 0, 0), (0, 0, 4, 1)), (6, 0, 6))


def test_it_is_a_block_of_differences_like_any_other() -> None:
    before = Difference(RelPath(b"b"), (None, file(b"b"), None))
    after = Difference(RelPath(b"f"), (file(b"f"), None, None))
    differences = Differences([before])
    differences.grow(FOUND, 3)
    differences.append(after)
    ones = [Difference(entry.path, (None, entry, None)) for entry in FOUND.growth.entries()]
    assert list(differences) == [before, *ones, after]
    assert len(differences) == 6
    assert list(differences.firsts) == [b"b", b"d", b"f"]
    assert [differences.one_sided(number) for number in range(3)] == [None, FOUND, None]
    assert differences.find(RelPath(b"d/b")) == ones[2]


def test_all_of_it_is_taken_unless_something_is_unknown_or_the_mirror_has_none() -> None:
    differences = Differences()
    differences.grow(FOUND, 2)
    taken = reconcile(differences, RULES, [(), ()])
    assert taken.one_sided(0) == FOUND
    assert {type(decision.verdict) for decision in taken} == {Take}
    assert reconcile(differences, RULES, [[b"elsewhere"], ()]).one_sided(0) is None
    assert reconcile(differences, RULES._replace(folded=[RelPath(b"x")]), [(), ()]).one_sided(0) is None
    mirror = RULES._replace(mirror=True)
    assert reconcile(differences, mirror, [(), ()]).one_sided(0) is None
    first = Differences()
    first.grow(FOUND._replace(holder=0), 2)
    assert reconcile(first, mirror, [(), ()]).one_sided(0) == FOUND._replace(holder=0, reason="mirror")
