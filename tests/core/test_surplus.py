from __future__ import annotations

import pytest

from aefsync.core.compare import Difference
from aefsync.core.conflict_name import conflict_name
from aefsync.core.differences import Differences
from aefsync.core.entry import UNKNOWN, Entry
from aefsync.core.path import RelPath
from aefsync.core.policy import Policies
from aefsync.core.reconcile import reconcile
from aefsync.core.surplus import MOST, REASON, buried, surplus
from aefsync.core.verdict import Decision, Remove, Rules
from aefsync.core.version import FOUND, Dot, Order, Version, base, order
from tests.support.snapshots import file

A, B = b"A" * 16, b"B" * 16
RULES = Rules(now_ns=1 << 62, policies=Policies(), dot=Dot(A, 99))
NONE = Differences()


def path_of(number: int, name: bytes = b"d/x.txt") -> RelPath:
    path = RelPath(name)
    return path.sibling(conflict_name(path.name, B, number * 10**9, bytes(32)))


def copy(number: int, version: Version | None = None) -> Entry:
    path = path_of(number)
    return file(path, b"%d" % number, number * 10**9)._replace(version=version or Version((Dot(B, number),), B))


def going(kept: list[RelPath], *found: list[Entry], differences: Differences = NONE) -> list[RelPath]:
    return [each.path for each in surplus(kept, found, differences, RULES)]


@pytest.mark.parametrize(
    ("there", "kept", "goes"), [(9, 1, []), (10, 1, [1]), (10, 3, [1, 2, 3]), (14, 1, [1, 2, 3, 4, 5])]
)
def test_the_oldest_go(there: int, kept: int, goes: list[int]) -> None:
    copies = [copy(number) for number in reversed(range(1, there + 1))]
    new = [path_of(100 + number) for number in range(kept)]
    assert going(new, copies, copies) == [path_of(number) for number in goes]


def test_what_is_kept_now_stays_though_it_is_the_oldest() -> None:
    copies = [copy(number) for number in range(1, MOST + 1)]
    new = [path_of(-number) for number in range(1, MOST + 5)]
    assert going(new, copies, copies) == [each.path for each in copies]
    assert going([copies[0].path], copies, []) == []


def test_replicas_count_together_and_each_path_for_itself() -> None:
    copies = [copy(number) for number in range(1, MOST + 1)]
    assert going([path_of(50)], copies[:5], copies[5:]) == [copies[0].path]
    assert going([path_of(50, b"x.txt"), path_of(50, b"d/y.txt")], copies, copies) == []


def test_what_goes_anyway_or_stands_in_a_conflict_does_not_count() -> None:
    copies = [copy(number) for number in range(1, MOST + 1)]
    deleted = Difference(copies[0].path, (copies[0], None), (None, Version((Dot(B, 5),), B)))
    other = copies[1]._replace(version=Version((Dot(A, 7),), A), content=b"o" * 32, size=9)
    fought_over = Difference(copies[1].path, (copies[1], other))
    found = Differences([deleted, fought_over])
    assert going([path_of(50)], copies, copies, differences=found) == []


def test_what_was_not_read_and_has_no_origin_stays() -> None:
    copies = [copy(number, FOUND)._replace(content=UNKNOWN) for number in range(1, MOST + 1)]
    assert going([path_of(50)], copies) == []


def test_the_tombstone_follows_all_that_was_known() -> None:
    old, here, there = FOUND, Version((Dot(B, 2),), B), Version((Dot(A, 1), Dot(B, 2)), A)
    copies = [[copy(number, version) for number in range(1, MOST + 1)] for version in (old, here, there)]
    for each in copies[0]:
        copies[2].append(each) if each.path not in {other.path for other in copies[2]} else None
    (found,) = surplus([path_of(50)], copies, NONE, RULES)
    (decision,) = buried([found], RULES)
    assert isinstance(decision.verdict, Remove) and decision.verdict.version is not None
    vector = decision.verdict.version.vector
    assert decision.verdict.reason == REASON and Dot(A, 99) in vector
    assert all(
        order(each, vector) is Order.BEFORE for each in (here.vector, there.vector, (Dot(base(copies[0][0]), 0),))
    )


def test_it_is_decided_on_among_the_others() -> None:
    copies = [copy(number) for number in range(1, MOST + 1)]
    x = RelPath(b"d/x.txt")
    versions = [file(x, bytes([n]), n)._replace(version=Version((Dot(bytes([n]) * 16, n),), A)) for n in (1, 2)]
    differences = Differences([Difference(x, tuple(versions))])
    kept = reconcile(differences, RULES, [(), ()]).kept
    over = list(buried(surplus(list(kept), [copies, copies], differences, RULES), RULES))
    decided: dict[RelPath, Decision] = {each.path: each for each in reconcile(differences, RULES, [(), ()], over)}
    assert decided.keys() == {x, *kept, copies[0].path}
    assert decided[copies[0].path] == over[0]
    unknown = reconcile(differences, RULES, [(b"d",), ()], over)
    assert copies[0].path not in {each.path for each in unknown}
