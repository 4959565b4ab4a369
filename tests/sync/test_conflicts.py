"""`conflicts` over real directories: what is listed, what becomes of it, and that undo takes it back."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from aefsync.core.conflict_name import conflict_name
from aefsync.core.copies import Take, Way
from aefsync.core.path import RelPath
from aefsync.core.policy import Policies
from aefsync.core.silent import Silent
from aefsync.errors import AefsyncError, UsageError
from aefsync.sync.conflicts import _LEFT_OUT, list_conflicts, prune_conflicts, resolve_conflicts
from aefsync.sync.copies import LIKELY
from aefsync.sync.events import Acted, CopyKept, Event, Notice, Summary, Troubled
from aefsync.sync.init import init
from aefsync.sync.repair import repair
from aefsync.sync.request import RepairRequest, Request
from aefsync.sync.undo import undo
from tests.support.trees import SECOND, survey, tree, write
from tests.sync.joined import Threads, threads


@pytest.fixture
def engine() -> Iterator[Threads]:
    with threads() as started:
        yield started


def copy_of(name: str, number: int = 1) -> str:
    return os.fsdecode(conflict_name(os.fsencode(name), b"", number * SECOND, bytes(32)))


X, Y, OLD, LONE = copy_of("x.txt"), copy_of("d/y"), copy_of("x.txt", 2), copy_of("lone")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    files = {"x.txt": "current", X: "other", "d/y": "same", f"d/{Y.rpartition('/')[2]}": "same", LONE: "lone"}
    return tree(tmp_path / "A", files)


def request(*roots: Path) -> Request:
    return Request(tuple(map(str, roots)))


def taken(root: Path, take: Take | str, *paths: str, dry_run: bool = False) -> list[Event]:
    meant = [RelPath(os.fsencode(path)) for path in paths]
    return list(resolve_conflicts(request(root), meant, take, Silent(), dry_run=dry_run))


def end(events: Sequence[Event]) -> Summary:
    assert isinstance(events[-1], Summary)
    return events[-1]


def acted(events: Sequence[Event]) -> list[tuple[str, str, str]]:
    return [(e.action, str(e.old or ""), str(e.path)) for e in events if isinstance(e, Acted)]


def files(root: Path) -> dict[str, str]:
    found = (path for path in root.rglob("*") if path.is_file() and ".aefsync" not in path.parts)
    return {str(path.relative_to(root)): path.read_text() for path in found}


def test_copies_are_listed_by_their_originals(engine: Threads, root: Path) -> None:
    before = survey(root, exact=True)
    events = list(list_conflicts(request(root), [], Silent()))
    listed = [(str(e.entry.path), str(e.original), e.is_alone, e.by) for e in events if isinstance(e, CopyKept)]
    assert listed == [(Y, "d/y", False, ""), (LONE, "lone", True, ""), (X, "x.txt", False, "")]
    assert (end(events).exit_code, end(events).conflicts) == (0, 3)
    some = list(list_conflicts(request(root), [RelPath(b"d")], Silent()))
    assert [str(e.entry.path) for e in some if isinstance(e, CopyKept)] == [Y]
    assert survey(root, exact=True) == before


def test_a_copy_takes_its_place_and_undo_takes_that_back(engine: Threads, root: Path) -> None:
    before = files(root)
    assert acted(taken(root, Take(Way.COPY), "x.txt", dry_run=True)) == [("move", X, "x.txt"), ("delete", "", X)]
    assert files(root) == before
    events = taken(root, Take(Way.COPY), "x.txt")
    assert acted(events) == [("move", X, "x.txt"), ("delete", "", X)]
    assert files(root) == {"x.txt": "other", **{name: before[name] for name in ("d/y", Y, LONE)}}
    assert (end(events).exit_code, end(events).moved, end(events).deleted) == (0, 1, 1)
    list(undo(request(root), end(events).run, Silent(), dry_run=False))
    assert files(root) == before


def test_all_at_once_and_what_is_not_clear_stays(engine: Threads, root: Path) -> None:
    write(root / OLD, b"older")
    (root / "dir").mkdir()
    write(root / copy_of("dir"), b"a file once")
    events = taken(root, Take(Way.COPY))
    assert set(files(root)) == {"x.txt", X, OLD, "d/y", "lone", copy_of("dir")}
    told = [(e.problem.path, e.problem.reason) for e in events if isinstance(e, Troubled)]
    assert [path for path, _ in told] == [b"dir", b"x.txt"]
    assert told[1][1] == "has 2 conflict copies: name the one to take"
    assert (end(events).exit_code, end(events).causes, end(events).skipped) == (1, ("conflicts",), 2)


@pytest.mark.parametrize("rule", ["/lone", "lone/"])
def test_what_is_left_out_is_not_in_the_way_of_a_copy_for_ever(engine: Threads, root: Path, rule: str) -> None:
    tree(root, {"lone/in": "unmanaged"})
    write(root / ".aefsyncignore", rule.encode())
    events = taken(root, Take(Way.COPY), LONE)
    told = [(e.problem.path, e.problem.reason) for e in events if isinstance(e, Troubled)]
    assert told == [(LONE.encode(), _LEFT_OUT)]
    assert (end(events).exit_code, end(events).causes, end(events).skipped) == (1, ("conflicts",), 1)
    assert files(root)[LONE] == "lone"


def test_plain_names_are_free_ones(engine: Threads, root: Path) -> None:
    for number in range(2, 2 + LIKELY + 1):
        write(root / f"x ({number}).txt", b"")
    write(root / OLD, b"older")
    assert acted(taken(root, Take(Way.BOTH), "x.txt")) == [
        ("move", X, f"x ({LIKELY + 3}).txt"),
        ("move", OLD, f"x ({LIKELY + 4}).txt"),
    ]


def test_what_changed_meanwhile_is_left_alone(engine: Threads, root: Path) -> None:
    engine.hooks = {(0, "apply"): lambda _: write(root / "x.txt", b"edited just now")}
    before = files(root)
    events = taken(root, Take(Way.COPY), X)
    assert acted(events) == []
    assert files(root) == {**before, "x.txt": "edited just now"}
    assert (end(events).exit_code, end(events).causes) == (4, ("problems",))


def test_copies_that_say_nothing_are_pruned(engine: Threads, root: Path) -> None:
    write(root / copy_of("d/y", 2), b"SAME")
    events = list(prune_conflicts(request(root), Silent()))
    assert acted(events) == [("delete", "", Y)]
    assert list(prune_conflicts(request(root), Silent()))[1:-1] == []


def test_a_file_that_may_be_damaged_hinders_nobody(engine: Threads, root: Path, tmp_path: Path) -> None:
    write(root / "suspect", b"12345")
    list(repair(RepairRequest(request(root, tree(tmp_path / "B", {})), policies=Policies()), Silent()))
    write(root / "suspect", b"x2345")
    for events in (list_conflicts(request(root), (), Silent()), prune_conflicts(request(root), Silent())):
        done = end(list(events))
        assert (done.exit_code, done.causes, done.problems) == (1, ("suspects",), 0)
    assert end(taken(root, Take(Way.COPY), "x.txt")).exit_code == 1
    assert files(root)["x.txt"] == "other"


def test_words_that_mean_nothing(engine: Threads, root: Path) -> None:
    for paths in (["nothing"], ["x"], ["d/y/z"]):
        with pytest.raises(AefsyncError, match="no conflict copies"):
            taken(root, Take(Way.CURRENT), *paths)
    with pytest.raises(UsageError, match="--take: no member is called 'nas'; there are none"):
        taken(root, "nas", "x.txt")
    assert not (root / ".aefsync").exists()


def test_a_replica_without_a_history_is_warned_of(engine: Threads, root: Path) -> None:
    (notice,) = (e for e in taken(root, Take(Way.CURRENT), "x.txt") if isinstance(e, Notice))
    assert "has no history" in notice.text
    list(init(request(root), [""], Silent()))
    assert [e for e in taken(root, Take(Way.CURRENT)) if isinstance(e, Notice)] == []


def test_who_has_no_name_is_called_as_elsewhere(engine: Threads, tmp_path: Path) -> None:
    roots = [tree(tmp_path / name, {"f": "both"}) for name in "AB"]
    common = request(*roots)._replace(state_dir=str(tmp_path / "state"))
    list(repair(RepairRequest(common, policies=Policies()), Silent()))
    for number, root in enumerate(roots):
        write(root / "f", b"of %d" % number, mtime_ns=(100 + number) * SECOND)
    list(repair(RepairRequest(common, policies=Policies()), Silent()))

    def called(*names: str, given: int = 2) -> list[str]:
        asked = common._replace(locations=tuple(map(str, roots[-given:])), names=names)
        listed = [each.by for each in list_conflicts(asked, [], Silent()) if isinstance(each, CopyKept)]
        assert acted(list(resolve_conflicts(asked, [], listed[0], Silent(), dry_run=True)))
        return listed

    assert called() == ["A", "A"]
    assert called("", "there") == ["A", "A"]
    assert called("here", "there") == ["here", "here"]
    assert called(given=1) == [str(roots[0])], "where it was reached"
    # What another one is called stands for that one.
    list(init(request(roots[1]), ["A"], Silent()))
    assert called() == [str(roots[0])] * 2


def test_a_version_is_taken_by_whose_it_is_and_the_next_run_spreads_it(engine: Threads, tmp_path: Path) -> None:
    roots = [tree(tmp_path / name, {"f": "both"}) for name in "AB"]
    list(init(request(*roots), ["laptop", "nas"], Silent()))
    for number, root in enumerate(roots):
        write(root / "f", b"of %d" % number, mtime_ns=(100 + number) * SECOND)
    asked = RepairRequest(request(*roots), policies=Policies())
    list(repair(asked, Silent()))
    events = list(list_conflicts(request(*roots), [], Silent()))
    assert [(e.replica, e.by) for e in events if isinstance(e, CopyKept)] == [(0, "laptop"), (1, "laptop")]
    with pytest.raises(UsageError, match="no member is called 'usb'; there are (laptop, nas|nas, laptop)"):
        list(resolve_conflicts(request(roots[1]), [], "usb", Silent()))
    assert len(acted(list(resolve_conflicts(request(*roots), [], "nas", Silent(), dry_run=True)))) == 2
    # B of these two is the nas; alone on the command line it is A, and no B is there.
    moved = [
        acted(list(resolve_conflicts(request(*roots), [], called, Silent(), dry_run=True)))
        for called in ("nas", "B", str(roots[1]))
    ]
    assert moved == [moved[0]] * 3
    with pytest.raises(UsageError, match="no member is called 'B'"):
        list(resolve_conflicts(request(roots[1]), [], "B", Silent()))
    list(resolve_conflicts(request(roots[1]), [], "laptop", Silent()))
    assert files(roots[1]) == {"f": "of 0"}
    assert end(list(repair(asked, Silent()))).exit_code == 0
    assert files(roots[0]) == {"f": "of 0"}
