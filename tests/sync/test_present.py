"""Replicas that cannot be reached as a run begins: the others are done, and told of by the numbers the user knows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from aefsync.core.copies import Take, Way
from aefsync.core.past import TrashItem, TrashQuery
from aefsync.core.path import RelPath
from aefsync.core.policy import Policies
from aefsync.core.problem import Problem
from aefsync.core.silent import Silent
from aefsync.errors import AefsyncError, IncompatibleError, UnreachableError
from aefsync.sync.conflicts import list_conflicts, prune_conflicts, resolve_conflicts
from aefsync.sync.events import (
    Acted,
    Begun,
    Conflicted,
    CopyKept,
    Event,
    LeftUndone,
    Notice,
    Started,
    Summary,
    Trashed,
    Troubled,
)
from aefsync.sync.init import init
from aefsync.sync.present import AbsentError, Present, chosen, of_all
from aefsync.sync.repair import repair
from aefsync.sync.request import RepairRequest, Request
from aefsync.sync.scrub import ScrubRequest, scrub
from aefsync.sync.standing import Enrolled, Stood
from aefsync.sync.status import status
from aefsync.sync.trash import list_trash, purge_trash, restore_trash
from aefsync.sync.undo import LAST, undo
from aefsync.wire.login import Link
from tests.support.trees import tree, write
from tests.sync.joined import Threads
from tests.sync.test_company import engine

__all__ = ["engine"]

GONE = UnreachableError("h:/p: gone", hint="look there")
PATH = RelPath(b"x")


def raising(error: Exception) -> object:
    raise error


def test_all_are_tried_and_the_first_speaks_for_all() -> None:
    second = UnreachableError("second", hint="look", transient=True)
    with pytest.raises(AbsentError) as caught:
        of_all([lambda: 1, lambda: raising(second), lambda: raising(GONE)])
    assert (caught.value.message, caught.value.hint, caught.value.transient) == ("second", "look", True)
    assert (dict(caught.value.absent), caught.value.cause) == ({1: second, 2: GONE}, "unreachable")
    assert of_all([lambda: 1, lambda: 2]) == [1, 2]
    with pytest.raises(IncompatibleError):
        of_all([lambda: raising(GONE), lambda: raising(IncompatibleError("no agent"))])


def test_what_is_said_of_those_left_is_said_with_the_numbers_of_all() -> None:
    left = Present((0, 1, 2)).without(AbsentError({0: GONE}))
    item = TrashItem("run", "deleted", PATH, False, 3)
    pairs: list[tuple[Event, Event]] = [
        (Acted("copy", PATH, 0, (1,), 3, ""), Acted("copy", PATH, 1, (2,), 3, "")),
        (Acted("delete", PATH, None, (0, 1), 3, ""), Acted("delete", PATH, None, (1, 2), 3, "")),
        (LeftUndone("copy", PATH, (0,)), LeftUndone("copy", PATH, (1,))),
        (Begun((0, 1)), Begun((1, 2))),
        (Conflicted(PATH, "newest", 0, None, ""), Conflicted(PATH, "newest", 1, None, "")),
        (Conflicted(PATH, "skip", None, None, ""), Conflicted(PATH, "skip", None, None, "")),
        (Troubled(1, Problem(b"x", "bad")), Troubled(2, Problem(b"x", "bad"))),
        (Trashed(0, item), Trashed(1, item)),
        (Notice("A"), Notice("A")),
    ]
    assert [left.told(said) for said, _ in pairs] == [meant for _, meant in pairs]
    assert all(Present((0, 1)).told(said) is said for said, _ in pairs)
    assert left.without(AbsentError({1: GONE})).numbers == (1,)
    for names, kept in ((("far", "", "here"), ("", "here")), ((), ())):
        common = chosen(Request(("h:/p", "/a", "/b"), names=names), (1, 2))
        assert (common.locations, common.names) == (("/a", "/b"), kept)


@pytest.mark.parametrize(("code", "sum_"), [(0, 7), (1, 7), (4, 7), (5, 5)])
def test_the_first_code_that_applies_is_the_sum_of_all(code: int, sum_: int) -> None:
    there = Present((1, 2), {0: GONE})
    ended = Summary(code, ("x",), "", False, True, (b"1", b"2"), (1, 2), caveats=((1, "slow"),))
    said = there.summed_up(ended)
    assert (said.exit_code, said.causes, said.equal, said.absent) == (sum_, ("unreachable", "x"), False, (0,))
    assert (said.roots, said.entries, said.caveats) == ((b"", b"1", b"2"), (None, 1, 2), ((2, "slow"),))
    assert there.summed_up(ended._replace(roots=(), entries=())).entries == ()
    assert [each.text for each in there.notices()] == ["h:/p: gone; the others are done", "look there"]
    assert Present((0, 1)).summed_up(ended) is ended


# commands that deal with each replica by itself


@pytest.fixture
def roots(engine: Threads, tmp_path: Path) -> list[Path]:
    """Two replicas with a conflict copy, the run that made it, and something in the trash."""
    a, b = tree(tmp_path / "a", {"f": "one"}), tree(tmp_path / "b", {"f": "other"})
    list(repair(RepairRequest(request(tmp_path, a, b), policies=Policies()), Silent()))
    return [a, b]


def request(tmp_path: Path, *locations: Path | str) -> Request:
    return Request(tuple(map(str, locations)), state_dir=str(tmp_path / "state"), link=Link(retries=0))


def numbers(events: Sequence[Event]) -> set[int]:
    """The replicas that anything is said of."""
    listed = {each.replica for each in events if isinstance(each, Trashed | CopyKept | Enrolled | Stood | Troubled)}
    return listed | {number for each in events if isinstance(each, Acted) for number in each.to}


Command = Callable[[Request], Iterator[Event]]
COMMANDS: dict[str, tuple[Command, set[int], int]] = {
    "conflicts list": (lambda common: list_conflicts(common, [], Silent()), {1, 2}, 7),
    "conflicts prune": (lambda common: prune_conflicts(common, Silent()), set(), 7),
    "conflicts resolve": (lambda common: resolve_conflicts(common, [], Take(Way.CURRENT), Silent()), {1, 2}, 7),
    "status": (lambda common: status(common, Silent()), {1, 2}, 2),
    "init": (lambda common: init(common, ["far", *("ab" if len(common.locations) > 1 else "")], Silent()), {1, 2}, 7),
    "scrub": (lambda common: scrub(ScrubRequest(common), Silent()), set(), 7),
    "trash purge": (lambda common: purge_trash(common, 86_400, Silent()), set(), 7),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_the_others_are_done(roots: list[Path], tmp_path: Path, name: str) -> None:
    command, said, code = COMMANDS[name]
    events = list(command(request(tmp_path, "host:/p", *roots)))
    end, begun = events[-1], [each for each in events if isinstance(each, Started)]
    assert [each.locations[0] for each in begun] == ["host:/p"]
    assert isinstance(end, Summary)
    assert (end.exit_code, end.causes[0], end.absent) == (code, "unreachable", (0,))
    assert numbers(events) == said
    told = [each.text for each in events if isinstance(each, Notice) and each.text.startswith("host:/p")]
    assert len(told) == 1
    assert told[0].endswith("; the others are done")
    with pytest.raises(UnreachableError):
        list(command(request(tmp_path, "host:/p")))


def test_an_undo_of_a_run_and_its_trash(roots: list[Path], tmp_path: Path) -> None:
    common = request(tmp_path, "host:/p", *roots)
    write(roots[0] / "g", b"new")
    ended = list(repair(RepairRequest(request(tmp_path, *roots), policies=Policies()), Silent()))[-1]
    assert isinstance(ended, Summary)
    with pytest.raises(UnreachableError) as caught:
        list(undo(common, LAST, Silent(), dry_run=False))
    assert (caught.value.hint or "").startswith("the last run may be known only there")
    assert (roots[1] / "g").exists()
    events = list(undo(common, ended.run, Silent(), dry_run=False))
    assert (numbers(events), (roots[1] / "g").exists()) == ({2}, False)
    assert not any("was not given" in each.text for each in events if isinstance(each, Notice))
    listed = list(list_trash(common, TrashQuery(b"g"), Silent()))
    assert numbers(listed) == {2}
    restored = list(restore_trash(common, TrashQuery(b"g"), None, Silent(), at=False))
    assert (numbers(restored), (roots[1] / "g").read_bytes()) == ({2}, b"new")
    end = restored[-1]
    assert isinstance(end, Summary)
    assert (end.exit_code, end.copied_files) == (7, 1)


def test_what_the_others_do_not_have_is_not_known_to_be_nowhere(roots: list[Path], tmp_path: Path) -> None:
    events: list[Event] = []
    with pytest.raises(AefsyncError, match="not in the trash") as caught:
        events.extend(restore_trash(request(tmp_path, "host:/p", *roots), TrashQuery(b"no"), None, Silent(), at=False))
    assert caught.value.beside == ("unreachable",)
