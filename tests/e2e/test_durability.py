"""What is forced to the disk, in which order, read off the system calls of a whole run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.conftest import Pair
from tests.e2e.freeze import can_trace
from tests.e2e.program import Program
from tests.e2e.trace import Order, calls, tracing
from tests.support.trees import BASE_NS, SECOND, judge, tree

FEW, MANY = 5, 80


@pytest.mark.parametrize("count", [FEW, MANY])
@pytest.mark.parametrize("level", ["full", "batch", "none"])
def test_order(aefsync: Program, pair: Pair, tmp_path: Path, level: str, count: int) -> None:
    if not can_trace():
        pytest.skip("strace cannot trace here")
    for root in pair:
        tree(root, {root.name: "1"})
    # What a home is made with is durable at every level; here it is there already.
    aefsync("repair", *pair).expect(0)
    tree(pair.a, {f"d{n % 3}/f{n}": f"new {n}" for n in range(count)}, mtime_ns=BASE_NS + SECOND)
    tree(pair.b, {f"d{n % 3}/f{n}": "old" for n in range(0, count, 2)} | {"extra": "x", "gone/too": "y"})
    log = tmp_path / "log"
    aefsync.under(*tracing(log))("repair", "--mirror", "--durability", level, *pair).expect(0)
    assert judge(*pair) == []
    order = Order(pair.b).follow(calls(log))
    assert order.placed == count
    if level == "none":
        assert order.synced == []
        return
    assert order.faults == []
    assert order.pending == set()
    files = [place for place in order.synced if "/.aefsync/tmp/" in place]
    if level == "full" or count == FEW:
        assert len(files) == len(set(files)) == count, "each by itself, and once"
    else:
        assert files == []
        assert "*" in order.synced
    directories = [place for place in order.synced if place in {f"{pair.b}/d{n}" for n in range(3)}]
    assert len(directories) == (count if level == "full" else 3)


@pytest.mark.parametrize("count", [FEW, MANY])
@pytest.mark.parametrize("level", ["full", "batch"])
def test_without_trash_nothing_is_deleted_before_what_replaced_it_is_durable(
    aefsync: Program, pair: Pair, tmp_path: Path, level: str, count: int
) -> None:
    """A file system without journal may keep the deletion, and forget the new name."""
    if not can_trace():
        pytest.skip("strace cannot trace here")
    for root in pair:
        tree(root, {f"d{n}/f": "old" for n in range(count)})
    aefsync("repair", *pair).expect(0)
    tree(pair.a, {f"d{n}/f": f"new {n}" for n in range(count)}, mtime_ns=BASE_NS + SECOND)
    log = tmp_path / "log"
    aefsync.under(*tracing(log))("repair", "--no-trash", "--durability", level, *pair).expect(0)
    assert judge(*pair) == []
    order = Order(pair.b).follow(calls(log))
    assert order.placed == order.deleted == count
    assert order.faults == []
    assert order.pending == set()
