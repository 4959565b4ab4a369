"""Roots that store less than others: compared by the coarser view, told once, and never bouncing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from aefsync.core.silent import Silent
from aefsync.core.stores import SECOND_NS, Folding, Stores
from aefsync.core.verdict import Why
from aefsync.disk import opening
from aefsync.sync.diff import diff
from aefsync.sync.events import Conflicted, Event, Notice, Summary, Troubled
from aefsync.sync.repair import repair
from aefsync.sync.request import DiffRequest, RepairRequest, Request
from tests.support.trees import BASE_NS, link, survey, tree, write
from tests.sync.joined import threads

FAT = Stores(0, 2 * SECOND_NS, owners=False, symlinks=False, folding=Folding.CASE)


class Pair:
    """Two roots, the second of which stores what `stores` says."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.a, self.b = tree(folder / "a", {}), tree(folder / "b", {})
        self.stores = FAT
        inode = os.stat(self.b).st_ino
        patch.setattr(opening, "stores_of", lambda fd, _: self.stores if os.fstat(fd).st_ino == inode else Stores())

    def repair(self, *, mirror: bool = False) -> list[Event]:
        common = Request((str(self.a), str(self.b)))
        with threads():
            return list(repair(RepairRequest(common, mirror=mirror, allow_unrelated_roots=True), Silent()))

    def diff(self) -> list[Event]:
        with threads():
            return list(diff(DiffRequest(Request((str(self.a), str(self.b)))), Silent()))


@pytest.fixture
def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pair:
    return Pair(tmp_path, monkeypatch)


def summary(events: list[Event]) -> Summary:
    last = events[-1]
    assert isinstance(last, Summary)
    return last


def notices(events: list[Event]) -> list[str]:
    return [event.text for event in events if isinstance(event, Notice) and "store" in event.text]


def test_a_poor_root_is_told_of_once_and_does_not_bounce(pair: Pair) -> None:
    tree(pair.a, {"d/f": "1", "g": "2"})
    os.chmod(pair.a / "g", 0o600)
    link(pair.a / "l", b"g")
    first = pair.repair()
    assert notices(first) == [
        f"{pair.b}: cannot store permissions, times finer than 2 s, symlinks: left out of the comparison"
    ]
    assert summary(first).exit_code == 0
    assert not os.path.lexists(pair.b / "l")
    # What such a disk makes of it:
    for name in ("g", "d/f"):
        os.chmod(pair.b / name, 0o755)
        os.utime(pair.b / name, ns=(BASE_NS, BASE_NS - BASE_NS % (2 * SECOND_NS)))
    before = [survey(root, exact=True) for root in (pair.a, pair.b)]
    again = pair.repair()
    assert (summary(again).exit_code, summary(again).equal, summary(again).metadata) == (0, True, 0)
    assert [survey(root, exact=True) for root in (pair.a, pair.b)] == before
    assert summary(pair.diff()).exit_code == 0
    write(pair.b / "g", b"edited", mode=0o755, mtime_ns=BASE_NS + 4 * SECOND_NS)
    assert summary(pair.repair()).exit_code == 0
    assert (pair.a / "g").read_bytes() == b"edited"
    assert os.stat(pair.a / "g").st_mode & 0o777 == 0o600, "the permissions that it had"


def test_two_names_that_are_one_on_a_target_are_not_written(pair: Pair) -> None:
    tree(pair.a, {"Readme": "1", "README": "2", "D/x": "3", "d/y": "4", "plain": "5"})
    events = pair.repair()
    told = [event.problem.path for event in events if isinstance(event, Troubled)]
    assert told == [b"D", b"README", b"Readme", b"d"]
    assert summary(events).exit_code == 4
    assert set(os.listdir(pair.b)) == {"plain", ".aefsync"}
    assert {path.name for path in pair.a.iterdir()} >= {"Readme", "README", "D", "d", "plain"}


def test_names_of_different_replicas_that_are_one(pair: Pair) -> None:
    tree(pair.a, {"README": "1", "other": "2"})
    tree(pair.b, {"Readme": "3"})
    events = pair.repair()
    left = {bytes(event.path): event.reason for event in events if isinstance(event, Conflicted)}
    assert left == {b"README": Why.FOLDED, b"Readme": Why.FOLDED}
    assert summary(events).exit_code == 1
    assert not (pair.a / "Readme").exists()
    assert (pair.b / "other").exists()
    assert summary(pair.repair(mirror=True)).exit_code == 0, "what a mirror takes away is in nobody's way"
    assert set(os.listdir(pair.b)) == {"README", "other", ".aefsync"}
