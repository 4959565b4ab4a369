"""Files whose bytes changed unnoticed before they were renamed: as an edit they would spread, and the healthy copies go."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from aefsync.core.metadata import PLAIN
from aefsync.core.policy import Policies, parse_globs
from aefsync.core.problem import ROT, SUSPECT
from aefsync.core.silent import Silent
from aefsync.disk.sight import LocalSight
from aefsync.sync.diff import diff
from aefsync.sync.events import Event, Summary, Troubled
from aefsync.sync.repair import repair
from aefsync.sync.request import DiffRequest, RepairRequest, Request
from aefsync.sync.scrub import ScrubRequest, scrub
from tests.support.rot import Mapped, quiet, settle
from tests.support.trees import texts, tree
from tests.sync.joined import threads

HEALTHY = "as it was written"


class Renamed:
    """Two replicas that agreed; then a file of A rotted, and was renamed there."""

    def __init__(self, folder: Path, new: str) -> None:
        self.a, self.b = folder / "a", folder / "b"
        self.new = new
        tree(self.a, {"d/old": HEALTHY, "d/other": "other", "e/in": "in"})
        mapped = Mapped(self.a / "d/old")
        self.agree()
        mapped.flip()
        settle(self.a)
        self.rotten = (self.a / "d/old").read_text()
        assert self.rotten != HEALTHY
        os.rename(self.a / "d/old", self.a / new)

    @property
    def common(self) -> Request:
        return Request((str(self.a), str(self.b)))

    def agree(self) -> list[Event]:
        return list(repair(RepairRequest(self.common, policies=Policies()), Silent()))

    def accept(self) -> None:
        only = self.common._replace(locations=(str(self.a),))
        list(scrub(ScrubRequest(only, accepted=parse_globs([self.new])), Silent()))


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    with quiet(tmp_path) as place, threads():
        yield place


def told(events: list[Event]) -> tuple[int, list[tuple[int, bytes, str]]]:
    assert isinstance(events[-1], Summary)
    troubles = [event for event in events if isinstance(event, Troubled)]
    return events[-1].exit_code, [(each.replica, each.problem.path, each.problem.reason) for each in troubles]


@pytest.mark.parametrize("new", ["d/new", "e/new", "d/other", "a"])
def test_it_stays_what_it_was_for_the_others(folder: Path, new: str) -> None:
    found = Renamed(folder, new)
    before = texts(found.b)
    assert told(list(diff(DiffRequest(found.common), Silent())))[0] == 1
    for _ in range(3):
        assert told(found.agree()) == (1, [(0, new.encode(), SUSPECT)])
    assert texts(found.b) == before
    only = found.common._replace(locations=(str(found.a),))
    for _ in range(2):
        assert told(list(scrub(ScrubRequest(only), Silent()))) == (1, [(0, new.encode(), SUSPECT)])
    assert told(found.agree()) == (1, [(0, new.encode(), SUSPECT)])
    assert texts(found.b) == before


def test_what_is_taken_for_an_edit_is_renamed_everywhere(folder: Path) -> None:
    found = Renamed(folder, "e/new")
    assert told(found.agree())[0] == 1
    found.accept()
    for _ in range(2):
        assert told(found.agree()) == (0, [])
    assert (
        texts(found.b)
        == texts(found.a)
        == {"d/": "", "d/other": "other", "e/": "", "e/in": "in", "e/new": found.rotten}
    )


def test_a_healthy_copy_in_its_place_settles_it(folder: Path) -> None:
    found = Renamed(folder, "e/new")
    assert told(found.agree())[0] == 1
    os.unlink(found.a / "e/new")
    shutil.copy2(found.b / "d/old", found.a / "e/new")
    for _ in range(2):
        assert told(found.agree()) == (0, [])
    assert texts(found.b) == texts(found.a) == {"d/": "", "d/other": "other", "e/": "", "e/in": "in", "e/new": HEALTHY}


def test_a_directory_in_its_place_is_one(folder: Path) -> None:
    found = Renamed(folder, "d/new")
    assert told(found.agree())[0] == 1
    os.unlink(found.a / "d/new")
    tree(found.a, {"d/new/in": "in"})
    for _ in range(2):
        assert told(found.agree()) == (0, [])
    assert texts(found.b) == texts(found.a)


def test_a_later_file_that_was_given_the_inode_is_another_one(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = Renamed(folder, "e/new")
    monkeypatch.setattr(LocalSight, "born_ns", lambda _, path: os.stat(found.a / os.fsdecode(path)).st_ctime_ns)
    assert told(found.agree()) == (0, [])
    assert texts(found.b)["e/new"] == found.rotten


def agree_linked(a: Path, b: Path) -> tuple[int, list[tuple[int, bytes, str]]]:
    common = Request((str(a), str(b)), aspects=PLAIN._replace(links=True))
    return told(list(repair(RepairRequest(common, policies=Policies()), Silent())))


@pytest.mark.parametrize("is_there_again", [False, True])
def test_where_no_directory_is_renamed_what_the_receiver_had_fills_the_new_one(
    folder: Path, is_there_again: bool
) -> None:
    a, b = folder / "a", folder / "b"
    tree(a, {"d/f": HEALTHY, "d/g": "other"})
    mapped = Mapped(a / "d/f")
    agree_linked(a, b)
    mapped.flip()
    settle(a)
    os.rename(a / "d", a / "e")
    tree(b, {"d/new": "new"} if is_there_again else {})
    for _ in range(2):
        assert agree_linked(a, b) == (0, [])
    assert texts(b)["e/f"] == HEALTHY
    assert not (b / "d/f").exists()


def test_a_damaged_file_gets_no_further_name(folder: Path) -> None:
    a, b = folder / "a", folder / "b"
    tree(a, {"f": HEALTHY, "g": "other"})
    os.link(a / "f", a / "h")
    mapped = Mapped(a / "f")
    assert agree_linked(a, b)[0] == 0
    mapped.flip()
    settle(a)
    os.link(b / "f", b / "new")
    agree_linked(a, b)
    for _ in range(2):
        assert agree_linked(a, b) == (1, [(0, b"f", ROT)])
    assert texts(b)["f"] == texts(a)["new"] == texts(b)["new"] == HEALTHY
