"""Those who left and those who were forgotten, in sessions with the others: on disk, the engine as it is."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from aefsync.core.members import State
from aefsync.core.path import RelPath
from aefsync.core.policy import Policies
from aefsync.core.silent import Silent
from aefsync.errors import AefsyncError
from aefsync.sync.events import Event, Notice, Summary
from aefsync.sync.init import init
from aefsync.sync.members import add_member, forget, leave, list_members
from aefsync.sync.repair import repair
from aefsync.sync.request import RepairRequest, Request
from aefsync.sync.standing import Enrolled, Stood
from aefsync.sync.status import status
from tests.support.trees import tree, write
from tests.sync.joined import threads


@pytest.fixture(autouse=True)
def engine() -> Iterator[None]:
    with threads():
        yield


class Group:
    """A, B and C, which agree on everything."""

    def __init__(self, home: Path) -> None:
        self.state = str(home / "state")
        self.roots = {
            name: tree(home / name, {"d/kept": "kept", "f": "f", "old": "here from the start"}) for name in "ABC"
        }
        self.meet("ABC")
        write(self.roots["A"] / "d" / "gone", b"gone")
        self.meet("ABC")

    def request(self, names: str) -> Request:
        return Request(tuple(str(self.roots[name]) for name in names), state_dir=self.state)

    def meet(self, names: str, *paths: bytes, dry_run: bool = False, rules: Sequence[str] = ()) -> list[Event]:
        common = self.request(names)._replace(paths=tuple(map(RelPath, paths)), rules=tuple(rules))
        return list(repair(RepairRequest(common, dry_run, policies=Policies()), Silent()))

    def id(self, name: str) -> str:
        return (self.roots[name] / ".aefsync" / "id").read_text().strip()

    def files(self, name: str) -> set[str]:
        root = self.roots[name]
        return {
            str(each.relative_to(root)) for each in root.rglob("*") if each.is_file() and ".aefsync" not in str(each)
        }

    def states(self, name: str) -> dict[str, State]:
        events = list_members(self.request(name), Silent())
        return {each.member.id: each.member.state for each in events if isinstance(each, Enrolled)}

    def forget_c(self) -> None:
        """C is forgotten, and what the others delete then is not remembered by them for long."""
        list(forget(self.request("A"), self.id("C"), Silent()))
        (self.roots["A"] / "d" / "gone").unlink()
        (self.roots["A"] / "old").unlink()
        for _ in range(3):
            self.meet("AB")

    def restore_c(self, backup: Path) -> None:
        """C is again as it was then."""
        for each in self.roots["C"].iterdir():
            shutil.rmtree(each) if each.is_dir() else each.unlink()
        shutil.copytree(backup, self.roots["C"], dirs_exist_ok=True, symlinks=True)


@pytest.fixture
def group(tmp_path: Path) -> Group:
    return Group(tmp_path)


def notices(events: Sequence[Event]) -> list[str]:
    return [each.text for each in events if isinstance(each, Notice)]


def code(events: Sequence[Event]) -> int:
    assert isinstance(events[-1], Summary)
    return events[-1].exit_code


def test_who_was_forgotten_joins_as_a_new_replica(group: Group) -> None:
    before = group.id("C")
    group.forget_c()
    write(group.roots["C"] / "d" / "fresh", b"made meanwhile")
    text = f"{group.roots['C']}: was forgotten by its group: it joins as a new replica"
    assert notices(group.meet("AC", dry_run=True))[0] == text
    assert group.id("C") == before
    events = group.meet("AC")
    told, quarantined = notices(events)
    assert (told, code(events)) == (text, 0)
    assert quarantined == (
        f"{group.roots['C']}: what it alone had of old was deleted by the others meanwhile: 2 entries went to quarantine "
        "(aefsync trash ROOT list)"
    )
    assert [each.quarantined for each in status(group.request("AC"), Silent()) if isinstance(each, Stood)] == [0, 2]
    assert group.id("C") != before
    assert group.files("A") == group.files("C") == {"d/kept", "d/fresh", "f"}
    assert [each.name for each in (group.roots["C"] / ".aefsync").rglob("old")] == ["old"]
    assert group.states("C") == {
        group.id("A"): State.ACTIVE, group.id("B"): State.ACTIVE, group.id("C"): State.ACTIVE, before: State.FORGOTTEN
    }  # fmt: skip
    again = group.meet("ABC")
    assert (notices(again), code(again)) == ([], 0)
    assert group.files("B") == {"d/kept", "d/fresh", "f"}


@pytest.mark.parametrize("method", ["hello", "scan"])
def test_who_is_given_another_id_by_a_run_that_is_killed_is_known_by_either(group: Group, method: str) -> None:
    group.forget_c()
    before, calls = group.id("C"), 0

    def killed(_: object) -> None:
        nonlocal calls
        calls += 1
        if method == "scan" or calls > 1:  # the first time it only looks
            raise AefsyncError("killed")

    with threads({(1, method): killed}), pytest.raises(AefsyncError, match="killed"):
        group.meet("AC")
    assert (group.id("C") == before) == (method == "hello")
    assert code(group.meet("AC")) == 0
    assert group.id("C") != before
    assert (notices(group.meet("ABC")), code(group.meet("ABC"))) == ([], 0)


def test_what_others_have_deleted_stays_so_where_only_a_part_was_looked_at_first(group: Group) -> None:
    group.forget_c()
    group.meet("AC", b"f")
    new = group.id("C")
    assert new not in group.states("A")
    write(group.roots["C"] / "f", b"an edit")
    group.meet("BC")
    assert group.id("C") == new
    assert group.states("B")[new] is State.ACTIVE
    assert group.files("B") == group.files("C") == {"d/kept", "f"}
    assert (group.roots["B"] / "f").read_bytes() == b"an edit"


@pytest.mark.parametrize("is_idle", [True, False])
@pytest.mark.parametrize(("first", "rules"), [(None, ()), (b"f", ()), (b"", ("gone",))])
def test_what_others_have_deleted_stays_so_where_a_replica_is_restored(
    group: Group, tmp_path: Path, is_idle: bool, first: bytes | None, rules: Sequence[str]
) -> None:
    """Also where that had done nothing since the backup that the others would remember it by."""
    shutil.copytree(group.roots["C"], tmp_path / "backup", symlinks=True)
    (group.roots["A"] / "d" / "gone").unlink()
    if not is_idle:
        write(group.roots["C"] / "later", b"made after the backup")
    for _ in range(3):
        group.meet("ABC")
    group.restore_c(tmp_path / "backup")
    if first is not None:
        group.meet("AC", *filter(None, [first]), rules=rules)
        assert "d/gone" in group.files("C")
    events = group.meet("AC")
    assert code(events) == 0
    left = {"d/kept", "f", "old"} | (set() if is_idle else {"later"})
    assert group.files("A") == group.files("C") == left
    assert any("1 entry went to quarantine" in each for each in notices(events))
    group.meet("ABC")  # B finds out for itself
    assert notices(group.meet("ABC")) == []
    assert group.files("B") == left


def test_a_word_on_members_does_not_hide_that_a_replica_was_restored(group: Group, tmp_path: Path) -> None:
    shutil.copytree(group.roots["C"], tmp_path / "backup", symlinks=True)
    (group.roots["A"] / "d" / "gone").unlink()
    for _ in range(3):
        group.meet("ABC")
    group.restore_c(tmp_path / "backup")
    list(add_member(group.request("C"), "first", str(group.roots["A"]), Silent()))
    group.meet("AC")
    assert group.files("A") == group.files("C") == {"d/kept", "f", "old"}


def test_who_left_is_a_guest_until_it_is_taken_in_again(group: Group) -> None:
    (group.roots["A"] / "d" / "gone").unlink()
    *_, end = repair(RepairRequest(group.request("AB"), policies=Policies(), gauged=True), Silent())
    assert isinstance(end, Summary)
    assert end.gauges is not None
    assert end.gauges.trash_bytes > 0
    assert sorted(name for name, last_s in end.gauges.last_seen_s if last_s) == sorted(group.id(n)[:8] for n in "ABC")
    list(leave(group.request("B"), Silent()))
    text = f"{group.roots['B']}: has left its group; aefsync init {group.roots['B']} takes it in again"
    for _ in range(2):
        assert notices(group.meet("AB")) == [text]
        assert group.states("A")[group.id("B")] is State.LEFT
    list(init(group.request("B"), [""], Silent()))
    assert notices(group.meet("AB")) == []
    assert group.states("A")[group.id("B")] is State.ACTIVE
    for name in "AB":
        list(leave(group.request(name), Silent()))
    # Whoever takes somebody in takes part.
    list(add_member(group.request("A"), "B", str(group.roots["B"]), Silent()))
    assert set(group.states("A").values()) == {State.ACTIVE}
    assert notices(group.meet("AB")) == []
