"""A run that settled a conflict is taken back on some of its replicas: no content is lost, and the next run converges."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

import pytest

from aefsync.core.path import RelPath
from aefsync.core.silent import Silent
from aefsync.errors import AefsyncError
from aefsync.sync.events import Event, Notice
from aefsync.sync.request import Request
from aefsync.sync.undo import undo
from tests.sync.joined import threads
from tests.sync.test_scenarios import Group, conflicts, quiet

HERE, THERE = "edited here", "edited there, at length"


@pytest.fixture
def settled(tmp_path: Path) -> Iterator[Group]:
    """A pair that had a conflict: A's edit is kept beside B's."""
    group = Group(tmp_path, 2)
    group.everywhere("a.txt", "a")
    with threads():
        group.meet()
        group.write(0, "a.txt", HERE)
        group.write(1, "a.txt", THERE)
        assert conflicts(group.meet()) == ["a.txt"]
        yield group


def take_back(group: Group, *numbers: int) -> list[Event]:
    return list(undo(Request(tuple(str(group.roots[n]) for n in numbers)), "last", Silent(), dry_run=False))


def kept(group: Group) -> set[str]:
    """All that is at a path or in the trash of any replica."""
    trash = (file for root in group.roots for file in (root / ".aefsync" / "trash").rglob("*") if file.is_file())
    return {*(file.read_text() for file in trash), *(text for tree in group.trees() for text in tree.values())}


@pytest.mark.parametrize(("who", "then"), [((0,), HERE), ((1,), THERE)])
def test_what_is_taken_back_spreads_and_loses_nothing(settled: Group, who: tuple[int, ...], then: str) -> None:
    """Whoever takes it back has the last word, be it by the copy that is gone there: an undo is an edit."""
    events = take_back(settled, *who)
    others = [event.text for event in events if isinstance(event, Notice) and "was not given" in event.text]
    assert len(others) == (len(who) == 1)
    assert kept(settled) >= {HERE, THERE}
    assert conflicts(settled.meet()) == []
    assert settled.agreed() == {"a.txt": then}
    assert kept(settled) >= {HERE, THERE}
    quiet(settled)


def test_what_is_taken_back_everywhere_is_in_conflict_again(settled: Group) -> None:
    take_back(settled, 0, 1)
    assert settled.trees() == [{"a.txt": HERE}, {"a.txt": THERE}]
    assert conflicts(settled.meet()) == ["a.txt"]
    assert sorted(settled.agreed().values()) == sorted([HERE, THERE])
    quiet(settled)


def test_so_is_what_is_taken_back_on_one_after_the_other(settled: Group) -> None:
    """The other way round, too, and each undo is one of the run that settled it."""
    (run,) = runs_of(settled, 0) & runs_of(settled, 1)
    for number in (1, 0):
        list(undo(Request((str(settled.roots[number]),)), run, Silent(), dry_run=False))
    assert conflicts(settled.meet()) == ["a.txt"]
    assert sorted(settled.agreed().values()) == sorted([HERE, THERE])
    quiet(settled)


def test_so_is_what_was_taken_back_by_an_undo_that_was_cut_short_and_begun_anew(
    settled: Group, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between taking the copy away and having the winner count as edited."""
    (run,) = runs_of(settled, 0) & runs_of(settled, 1)

    def cut(_: object, __: object, ___: int, paths: Collection[RelPath]) -> None:
        if paths:
            raise AefsyncError("cut short")

    with monkeypatch.context() as patch:
        patch.setattr("aefsync.sync.undo.reopen", cut)
        with pytest.raises(AefsyncError):
            take_back(settled, 0, 1)
    assert settled.trees() == [{"a.txt": HERE}, {"a.txt": THERE}]
    list(undo(Request(tuple(map(str, settled.roots))), run, Silent(), dry_run=False))
    assert conflicts(settled.meet()) == ["a.txt"]
    assert sorted(settled.agreed().values()) == sorted([HERE, THERE])
    quiet(settled)


def runs_of(group: Group, number: int) -> set[str]:
    return {file.name for file in (group.roots[number] / ".aefsync" / "runs").iterdir()}
