"""Replicas that remember, as a user meets them: a deletion that travels, a conflict, how it is settled."""

from __future__ import annotations

from tests.e2e.conftest import Pair
from tests.e2e.program import Program
from tests.support.trees import BASE_NS, SECOND, judge, tree, write


def test_from_the_first_repair_to_a_settled_conflict(aefsync: Program, pair: Pair) -> None:
    for root in pair:
        tree(root, {"one": "1", "two": "2", "d/three": "3"})
    assert b"history starts: .aefsync/ created on A, B" in aefsync("repair", *pair).expect(0).err
    (pair.a / "one").unlink()
    write(pair.b / "two", b"edited", mtime_ns=BASE_NS - SECOND)
    assert aefsync("repair", "-i", *pair).expect(0).lines[:2] == [">B delete one", "B>A copy two"]
    assert judge(*pair) == []
    write(pair.a / "two", b"by A", mtime_ns=BASE_NS + SECOND)
    write(pair.b / "two", b"later, by B", mtime_ns=BASE_NS + 2 * SECOND)
    aefsync("repair", *pair).expect(1)
    assert judge(*pair) == []
    assert (pair.a / "two").read_bytes() == b"later, by B"
    (copy,) = pair.a.glob("two.conflict-*")
    assert copy.read_bytes() == b"by A"
    aefsync("status", *pair).expect(1)
    aefsync("conflicts", pair.a, "resolve", "--all", "--take", "copy").expect(0)
    aefsync("repair", *pair).expect(0)
    assert judge(*pair) == []
    assert sorted(path.name for path in pair.b.iterdir()) == [".aefsync", "d", "two"]
    assert (pair.b / "two").read_bytes() == b"by A"
    again = aefsync("repair", *pair).expect(0)
    assert (again.out, again.err) == (b"", b"")
    aefsync("status", *pair).expect(0)
