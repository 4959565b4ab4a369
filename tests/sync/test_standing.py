"""`init`, `members` and `status` over real directories: names, who takes part, and what needs a look."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from aefsync.core.conflict_name import conflict_name
from aefsync.core.members import State
from aefsync.core.path import RelPath
from aefsync.core.policy import Policies, Policy, PolicyKind
from aefsync.core.silent import Silent
from aefsync.errors import AefsyncError, UsageError
from aefsync.sync.events import Event, Notice, Summary
from aefsync.sync.init import init
from aefsync.sync.members import add_member, forget, leave, list_members
from aefsync.sync.repair import repair
from aefsync.sync.request import RepairRequest, Request
from aefsync.sync.standing import Enrolled, Stood
from aefsync.sync.status import status
from tests.support.trees import survey, tree, write
from tests.sync.joined import Threads, threads


@pytest.fixture
def engine() -> Iterator[Threads]:
    with threads() as started:
        yield started


@pytest.fixture
def roots(tmp_path: Path) -> list[Path]:
    return [tree(tmp_path / name, {"f": "same"}) for name in "AB"]


@pytest.fixture
def state(tmp_path: Path) -> str:
    return str(tmp_path / "state")


def request(state: str, *roots: Path) -> Request:
    return Request(tuple(map(str, roots)), state_dir=state)


def members(events: Sequence[Event]) -> list[tuple[str, str, State, bool]]:
    return [(e.member.name, e.location, e.member.state, e.is_self) for e in events if isinstance(e, Enrolled)]


def stood(events: Sequence[Event]) -> list[Stood]:
    return [each for each in events if isinstance(each, Stood)]


def end(events: Sequence[Event]) -> Summary:
    assert isinstance(events[-1], Summary)
    return events[-1]


def agree(state: str, *roots: Path) -> None:
    assert end(list(repair(RepairRequest(request(state, *roots), policies=Policies()), Silent()))).exit_code == 0


def test_a_group_from_its_beginning_to_its_end(engine: Threads, roots: list[Path], state: str) -> None:
    a, b = roots
    (notice,) = (e for e in init(request(state, a), ["laptop"], Silent()) if isinstance(e, Notice))
    assert notice.text == f"{a}: history starts"
    assert members(list(init(request(state, *roots), ["", ""], Silent()))) == [
        ("laptop", "", State.ACTIVE, True),
        ("", "", State.ACTIVE, True),
    ]
    assert members(list(add_member(request(state, a), "nas", str(b), Silent()))) == [
        ("nas", str(b), State.ACTIVE, False)
    ]
    copied = shutil.copytree(a, a.with_name("copied"))
    with pytest.raises(UsageError, match="the same replica, or a copy of it"):
        list(add_member(request(state, a), "self", str(copied), Silent()))
    agree(state, a, b)
    both = [("nas", "", State.ACTIVE, True), ("laptop", str(a), State.ACTIVE, False)]
    assert members(list(list_members(request(state, b), Silent()))) == both
    with pytest.raises(UsageError, match="another member is called 'laptop'"):
        list(init(request(state, b), ["laptop"], Silent()))
    assert members(list(add_member(request(state, a), "nas", None, Silent()))) == [("nas", "", State.ACTIVE, False)]
    assert members(list(leave(request(state, b), Silent()))) == [("nas", "", State.LEFT, True)]
    agree(state, a, b)
    assert members(list(list_members(request(state, a), Silent())))[1] == ("nas", "", State.LEFT, False)
    assert members(list(forget(request(state, a), "nas", Silent()))) == [("nas", "", State.FORGOTTEN, False)]
    with pytest.raises(UsageError, match="no member is called 'nas'"):
        list(forget(request(state, a), "nas", Silent()))
    with pytest.raises(UsageError, match="was forgotten: it can join only as a new one"):
        list(add_member(request(state, a), "nas", str(b), Silent()))
    with pytest.raises(UsageError, match="is this replica itself"):
        list(forget(request(state, a), "laptop", Silent()))


def test_who_has_no_history_has_no_members(engine: Threads, roots: list[Path], state: str) -> None:
    before = survey(roots[0], exact=True)
    for act in (list_members, leave):
        with pytest.raises(AefsyncError, match="has no history yet"):
            list(act(request(state, roots[0]), Silent()))
    assert survey(roots[0], exact=True) == before


def test_what_a_status_says(engine: Threads, roots: list[Path], state: str) -> None:
    before = [survey(root, exact=True) for root in roots]
    events = list(status(request(state, *roots), Silent()))
    assert [(each.remembers, each.last_s, each.conflicts) for each in stood(events)] == [(False, 0, 0)] * 2
    assert (end(events).exit_code, members(events)) == (0, [])
    assert [survey(root, exact=True) for root in roots] == before
    list(init(request(state, roots[0]), ["laptop"], Silent()))
    agree(state, *roots)
    first = stood(list(status(request(state, roots[0]), Silent())))[0]
    assert (first.name, first.remembers, first.last_s > 0, len(first.identity)) == ("laptop", True, True, 32)


def test_what_needs_a_look(engine: Threads, roots: list[Path], state: str) -> None:
    agree(state, *roots)
    last_s = stood(list(status(request(state, *roots), Silent())))[0].last_s
    for age_s, exit_code in ((60, 0), (61, 1)):
        events = list(status(request(state, *roots), Silent(), max_age_s=60, now_s=last_s + age_s))
        assert [each.age_s for each in stood(events)] == [age_s] * 2
        assert end(events).exit_code == exit_code
        assert len([each for each in events if isinstance(each, Notice)]) == 2 * exit_code
    assert end(list(status(request(state, *roots), Silent(), live=True))).exit_code == 0
    write(roots[1] / "f", b"changed")
    assert end(list(status(request(state, *roots), Silent()))).exit_code == 0
    live = end(list(status(request(state, *roots), Silent(), live=True)))
    assert (live.exit_code, live.causes, live.differences, live.equal) == (1, ("different",), 1, False)
    copy = conflict_name(b"f", b"", 0, bytes(32)).decode()
    write(roots[0] / copy, b"of f")
    events = list(status(request(state, *roots), Silent()))
    assert [each.conflicts for each in stood(events)] == [1, 0]
    assert (end(events).exit_code, end(events).causes, end(events).conflicts) == (1, ("conflicts",), 1)


def test_never_is_too_long_ago(engine: Threads, roots: list[Path], state: str) -> None:
    events = list(status(request(state, roots[0]), Silent(), max_age_s=60))
    assert (end(events).exit_code, end(events).causes) == (1, ("late",))
    with pytest.raises(UsageError, match="at least two"):
        list(status(request(state, roots[0]), Silent(), live=True))


@pytest.mark.parametrize("damage", [b"no sidecar at all", b"", None], ids=["garbage", "empty", "cut"])
def test_a_damaged_history_is_told_of(engine: Threads, roots: list[Path], state: str, damage: bytes | None) -> None:
    agree(state, *roots)
    place = roots[0] / ".aefsync" / "sidecar.db"
    place.write_bytes(place.read_bytes()[:9000] if damage is None else damage)
    before = survey(roots[0], exact=True)
    events = list(status(request(state, *roots), Silent()))
    assert [each.unreadable.startswith(".aefsync/sidecar.db is damaged (") for each in stood(events)] == [True, False]
    assert (end(events).exit_code, end(events).causes) == (1, ("unreadable history",))
    with pytest.raises(AefsyncError, match="sidecar.db is damaged"):
        list(list_members(request(state, roots[0]), Silent()))
    assert survey(roots[0], exact=True) == before


def test_a_history_of_a_newer_program_is_told_of(engine: Threads, roots: list[Path], state: str) -> None:
    agree(state, *roots)
    with contextlib.closing(sqlite3.connect(roots[0] / ".aefsync" / "sidecar.db")) as database:
        database.execute("PRAGMA user_version = 99")
    events = list(status(request(state, *roots), Silent()))
    assert "written by a newer aefsync" in stood(events)[0].unreadable
    assert end(events).exit_code == 1


def test_what_a_run_left_standing_needs_a_look_until_one_finds_it_settled(
    engine: Threads, roots: list[Path], state: str
) -> None:
    a, b = roots
    agree(state, a, b)
    for root, content in zip(roots, (b"one", b"other"), strict=True):
        write(root / "f", content)
        write(root / "s", content[:3])
        os.utime(root / "s", (1, 1))
    skip = Policies(Policy(PolicyKind.SKIP))

    def said(policies: Policies, *places: Path, **more: Any) -> list[tuple[int, int]]:
        """A session, and what each replica then says of what stands."""
        wanted = request(state, *places)._replace(**more)
        left = end(list(repair(RepairRequest(wanted, policies=policies, gauged=True), Silent())))
        events = list(status(request(state, *roots), Silent()))
        found = [(each.left_standing, each.suspects) for each in stood(events)]
        assert end(events).exit_code == (1 if any(map(sum, found)) else 0)
        assert (end(events).conflicts, end(events).suspects) == max(found)
        assert left.gauges is not None
        assert left.gauges.left_standing == sum(max(found))
        return found

    assert said(skip, *roots) == [(1, 1)] * 2
    before = [survey(root, exact=True) for root in roots]
    assert said(skip, *roots) == [(1, 1)] * 2
    assert [survey(root, exact=True) for root in roots] == before
    assert said(skip, *roots, rules=("f",)) == [(1, 1)] * 2
    assert said(Policies(Policy(PolicyKind.NEWEST)), *roots, paths=(RelPath(b"f"),)) == [(0, 1)] * 2
    (a / "s").unlink()
    assert said(Policies(), *roots) == [(0, 0)] * 2


def test_a_run_that_did_what_was_asked_is_a_success_whatever_it_left_out(
    engine: Threads, roots: list[Path], state: str
) -> None:
    write(roots[0] / "x.o", b"not for the others")
    common = request(state, *roots)
    asked = RepairRequest(common._replace(rules=("*.o",)), policies=Policies())
    assert end(list(repair(asked, Silent()))).exit_code == 0
    first, second = stood(list(status(common, Silent())))
    assert first.last_s and second.last_s
    # Of a sub-tree alone nothing can be said.
    other = tree(roots[0].with_name("C"), {"d/f": "1"})
    common = request(state, other, tree(other.with_name("D"), {}))
    list(repair(RepairRequest(common._replace(paths=(RelPath(b"d"),)), policies=Policies()), Silent()))
    assert not any(each.last_s for each in stood(list(status(common, Silent()))))
