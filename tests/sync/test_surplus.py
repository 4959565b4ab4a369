"""Conflict copies beyond ten of a path, through whole sessions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aefsync.core.conflict_name import conflict_name
from aefsync.core.surplus import MOST, REASON
from aefsync.sync.events import Acted
from tests.sync.joined import threads
from tests.sync.test_scenarios import BASE_NS, SECOND, Group, conflicts, quiet, write

COPIES = [conflict_name(b"a.txt", b"", BASE_NS - number * SECOND, bytes(32)).decode() for number in range(MOST)]
OLDEST = COPIES[-1]


@pytest.fixture
def three(tmp_path: Path) -> Iterator[Group]:
    """Three replicas with as many conflict copies of a file as are kept."""
    group = Group(tmp_path, 3)
    group.everywhere("a.txt", "a")
    for root in group.roots:
        for number, name in enumerate(COPIES):
            write(root / name, b"copy %d" % number, mtime_ns=BASE_NS - number * SECOND)
    with threads():
        group.meet()
        group.write(0, "a.txt", "edited here")
        group.write(1, "a.txt", "edited there, at length")
        yield group


def test_the_oldest_goes_to_the_trash_everywhere(three: Group) -> None:
    events = three.meet(0, 1)
    assert conflicts(events) == ["a.txt"]
    gone = [
        (each.action, str(each.path), each.to) for each in events if isinstance(each, Acted) and each.reason == REASON
    ]
    assert gone == [("delete", OLDEST, (0, 1))]
    # The third one was not there, and has a vector that knows of nothing.
    three.meet(1, 2)
    found = three.agreed()
    assert OLDEST not in found and set(COPIES[:-1]) < set(found) and len(found) == MOST + 1
    for root in three.roots:
        assert [each.read_text() for each in (root / ".aefsync" / "trash").rglob(OLDEST)] == [f"copy {MOST - 1}"]
    quiet(three)


def test_nothing_goes_where_nothing_is_to_be_deleted(three: Group) -> None:
    three.meet(0, 1, no_delete=True)
    assert len(three.trees()[0]) == MOST + 2
    # Nobody counts where no conflict adds to them.
    quiet(three, 0, 1)


def test_a_rehearsal_says_so_and_raises_no_counter(three: Group) -> None:
    before = three.trees()
    events = three.meet(0, 1, dry_run=True)
    assert OLDEST in [str(each.path) for each in events if isinstance(each, Acted)]
    assert three.trees() == before
