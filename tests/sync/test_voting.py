"""`scrub` of files of which no record survives: most of three or more holders decide."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from aefsync.core.policy import Policies
from aefsync.core.problem import ROT
from aefsync.core.silent import Silent
from aefsync.core.verdict import Why
from aefsync.sync.events import Acted, Event, Summary, Troubled
from aefsync.sync.repair import repair
from aefsync.sync.request import RepairRequest, Request
from aefsync.sync.scrub import ScrubRequest, scrub
from tests.disk.ground import pass_the_step
from tests.sync.joined import threads

FILES = {"x": b"as it was", "d/y": b"12345", "d/z": b"longer, and healthy"}


class Crowd:
    """Replicas with the same files and times, of which nobody has a record."""

    def __init__(self, folder: Path, names: str) -> None:
        self.roots = {name: folder / name for name in names}
        for name in names:
            for path, data in FILES.items():
                self.write(name, path, data)

    def write(self, name: str, path: str, data: bytes, mtime_ns: int = 10**18) -> None:
        place = self.roots[name] / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
        os.utime(place, ns=(mtime_ns, mtime_ns))

    def read(self, name: str) -> dict[str, bytes]:
        return {path: (self.roots[name] / path).read_bytes() for path in FILES}

    def scrub(self, roots: str, peers: str = "", *, dry_run: bool = False) -> list[Event]:
        pass_the_step()
        request = Request(tuple(str(self.roots[name]) for name in roots))
        named = tuple(str(self.roots[name]) for name in peers)
        return list(scrub(ScrubRequest(request, named, dry_run=dry_run), Silent()))


@pytest.fixture
def crowd(tmp_path: Path) -> Iterator[Crowd]:
    with threads():
        yield Crowd(tmp_path, "abc")


def mended(events: list[Event]) -> list[tuple[str, tuple[int, ...]]]:
    return [(str(each.path), each.to) for each in events if isinstance(each, Acted) and each.action == "repair_rot"]


def told(events: list[Event]) -> list[tuple[int, bytes, str]]:
    return [(each.replica, each.problem.path, each.problem.reason) for each in events if isinstance(each, Troubled)]


def end(events: list[Event]) -> Summary:
    assert isinstance(events[-1], Summary)
    return events[-1]


def test_whoever_is_outvoted_is_mended(crowd: Crowd) -> None:
    crowd.write("a", "d/y", b"1!345")
    rehearsed = crowd.scrub("a", "bc", dry_run=True)
    assert told(rehearsed) == [(0, b"d/y", ROT)]
    events = crowd.scrub("a", "bc")
    assert (mended(events), told(events)) == ([("d/y", (0,))], [])
    assert (end(events).exit_code, end(events).causes, end(events).rot) == (1, ("rot",), 0)
    assert crowd.read("a") == FILES
    (kept,) = [each for each in (crowd.roots["a"] / ".aefsync" / "quarantine").rglob("*") if each.is_file()]
    assert kept.read_bytes() == b"1!345"
    again = crowd.scrub("a", "bc")
    assert (mended(again), told(again), end(again).exit_code) == ([], [], 0)


def test_each_root_of_a_run_is_judged_by_the_others(crowd: Crowd) -> None:
    crowd.write("b", "x", b"as it is!")
    crowd.write("c", "d/y", b"1!345")
    events = crowd.scrub("abc")
    assert mended(events) == [("x", (1,)), ("d/y", (2,))]
    assert [crowd.read(name) for name in "abc"] == [FILES] * 3


@pytest.mark.parametrize("policies", [Policies(), None])
def test_a_repair_of_all_of_them_goes_by_most_too(crowd: Crowd, policies: Policies | None) -> None:
    crowd.write("b", "x", b"as it is!")
    common = Request(tuple(map(str, crowd.roots.values())))
    events = list(repair(RepairRequest(common, policies=policies), Silent()))
    assert [(each.action, str(each.path), each.reason) for each in events if isinstance(each, Acted)] == [
        ("copy", "x", "majority")
    ]
    assert [crowd.read(name) for name in "abc"] == [FILES] * 3
    trash = crowd.roots["b"] / ".aefsync" / "trash"
    assert [each.read_bytes() for each in trash.rglob("x") if each.is_file()] == [b"as it is!"]


def test_two_are_too_few_and_others_of_another_time_do_not_count(crowd: Crowd) -> None:
    crowd.write("a", "x", b"as it is!")
    crowd.write("c", "x", b"as it was", mtime_ns=10**18 + 1)
    assert end(crowd.scrub("a", "bb")).exit_code == 0
    crowd.write("a", "x", b"as it is!", mtime_ns=10**18 + 2)
    assert end(crowd.scrub("a", "bc")).exit_code == 0
    assert crowd.read("a") == {**FILES, "x": b"as it is!"}


def test_where_all_differ_it_is_told(crowd: Crowd) -> None:
    crowd.write("a", "x", b"as it is!")
    crowd.write("b", "x", b"as it is?")
    events = crowd.scrub("a", "bc")
    assert told(events) == [(0, b"x", Why.SUSPECT)]
    assert (end(events).exit_code, end(events).causes) == (1, ("suspects",))


def test_what_was_outvoted_stays_known_where_nobody_is_there_to_mend_it(
    crowd: Crowd, monkeypatch: pytest.MonkeyPatch
) -> None:
    crowd.write("a", "x", b"as it is!")
    with monkeypatch.context() as patched:
        patched.setattr("aefsync.sync.scrub.mend", lambda *_: iter(()))
        assert end(crowd.scrub("a", "bc")).rot == 1
    assert told(crowd.scrub("a")) == [(0, b"x", f"{ROT}; nobody reached has it as it was recorded")]
    assert mended(crowd.scrub("a", "bc")) == [("x", (0,))]
    assert crowd.read("a") == FILES
