"""What happens to people's files in sessions by versions: one story a test, on disk, the engine as it is."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from aefsync.core.identity import Allowed
from aefsync.core.metadata import PLAIN, Aspects
from aefsync.core.one_sided import FROM
from aefsync.core.path import RelPath
from aefsync.core.policy import Policies, parse_policy
from aefsync.core.silent import Silent
from aefsync.errors import AefsyncError
from aefsync.sync.events import Acted, Conflicted, Event, Notice, Summary, Troubled
from aefsync.sync.repair import repair
from aefsync.sync.request import RepairRequest, Request
from tests.support.trees import BASE_NS, SECOND, judge, texts, write
from tests.sync.joined import Threads, threads


@pytest.fixture(autouse=True)
def engine() -> Iterator[Threads]:
    with threads() as started:
        yield started


class Group:
    """Replicas side by side, and sessions between any of them."""

    def __init__(self, folder: Path, number: int) -> None:
        self._folder = folder
        self.roots = [folder / name for name in "abcde"[:number]]
        self._clock = 0
        for root in self.roots:
            root.mkdir()

    def write(self, number: int, path: str, data: str) -> None:
        """An edit, later than any before."""
        self._clock += 1
        write(self.roots[number] / path, data.encode(), mtime_ns=BASE_NS + self._clock * SECOND)

    def everywhere(self, path: str, data: str) -> None:
        self._clock += 1
        for root in self.roots:
            write(root / path, data.encode(), mtime_ns=BASE_NS + self._clock * SECOND)

    def meet(self, *numbers: int, conflicts: str = "keep-both", prefers: int = 0, **options: object) -> list[Event]:
        roots = [self.roots[number] for number in numbers or range(len(self.roots))]
        common = Request(
            tuple(map(str, roots)), state_dir=str(self._folder / "state"), allowed=Allowed(empty_root=True)
        )
        common = common._replace(
            **{name: options.pop(name) for name in ("paths", "rules", "aspects") if name in options}
        )
        policy = parse_policy(conflicts)
        options.setdefault("policies", Policies(policy))
        asked = RepairRequest(common, preferred=((policy.argument, prefers),), **options)
        return list(repair(asked, Silent()))

    def trees(self) -> list[dict[str, str]]:
        return [texts(root) for root in self.roots]

    def agreed(self) -> dict[str, str]:
        """What all have."""
        for root in self.roots[1:]:
            assert judge(self.roots[0], root) == []
        return texts(self.roots[0])


def end(events: Sequence[Event]) -> Summary:
    assert isinstance(events[-1], Summary)
    return events[-1]


def conflicts(events: Sequence[Event]) -> list[str]:
    return [str(event.path) for event in events if isinstance(event, Conflicted)]


def actions(events: Sequence[Event]) -> list[tuple[str, str]]:
    return [(event.action, str(event.path)) for event in events if isinstance(event, Acted)]


def quiet(group: Group, *numbers: int) -> None:
    """A session in which nothing happens."""
    events = group.meet(*numbers)
    assert actions(events) == [] and conflicts(events) == []
    assert (end(events).exit_code, end(events).equal) == (0, True)


def killed(_: object) -> None:
    raise AefsyncError("killed")


@pytest.fixture
def pair(tmp_path: Path) -> Group:
    group = Group(tmp_path, 2)
    group.everywhere("a.txt", "a")
    group.everywhere("d/x", "x")
    group.everywhere("d/y", "y")
    group.meet()
    return group


@pytest.fixture
def three(tmp_path: Path) -> Group:
    group = Group(tmp_path, 3)
    group.everywhere("a.txt", "a")
    group.meet()
    return group


def test_first_contact_of_equal_trees(tmp_path: Path) -> None:
    group = Group(tmp_path, 2)
    group.everywhere("a.txt", "a")
    events = group.meet()
    assert actions(events) == [] and end(events).literal_bytes == 0
    assert end(events).exit_code == 0
    quiet(group)


def test_what_is_edited_after_its_rename_was_spread_by_a_run_that_was_killed_is_no_conflict(
    pair: Group, engine: Threads
) -> None:
    (pair.roots[0] / "d" / "x").rename(pair.roots[0] / "x")
    engine.hooks = {(owner, "record"): killed for owner in (0, 1)}
    with pytest.raises(AefsyncError, match="killed"):
        pair.meet()
    engine.hooks = {}
    assert (pair.roots[1] / "x").exists()
    pair.write(0, "x", "edited")
    assert conflicts(pair.meet()) == []
    assert pair.agreed()["x"] == "edited"


@pytest.mark.parametrize("number", [3, FROM])
@pytest.mark.parametrize("others", [0, 3])
def test_what_is_edited_after_a_first_contact_that_was_killed_is_no_conflict(
    tmp_path: Path, engine: Threads, number: int, others: int
) -> None:
    group = Group(tmp_path, 2)
    for owner, count in enumerate((number, others)):
        for each in range(count):
            group.write(owner, f"{owner}/{each}", str(each))
    engine.hooks = {(owner, "record"): killed for owner in (0, 1)}
    with pytest.raises(AefsyncError, match="killed"):
        group.meet()
    engine.hooks = {}
    group.write(0, "0/0", "edited")
    if others:
        group.write(1, "1/0", "edited")
    events = group.meet()
    assert conflicts(events) == []
    tree = group.agreed()
    assert (len([name for name in tree if name[-1] != "/"]), tree["0/0"]) == (number + others, "edited")
    assert not others or tree["1/0"] == "edited"


def test_first_contact_of_one_name_with_two_contents(tmp_path: Path) -> None:
    group = Group(tmp_path, 2)
    group.write(0, "a.txt", "older")
    group.write(1, "a.txt", "newer and longer")
    events = group.meet()
    assert conflicts(events) == ["a.txt"]
    assert end(events).exit_code == 1
    tree = group.agreed()
    assert sorted(tree.values()) == ["newer and longer", "older"]
    assert tree["a.txt"] == "newer and longer"
    quiet(group)


def test_the_same_edit_on_both_sides(pair: Group) -> None:
    pair.everywhere("a.txt", "edited alike")
    events = pair.meet()
    assert actions(events) == [] and conflicts(events) == []
    quiet(pair)


def test_touching_every_file_moves_no_content(pair: Group) -> None:
    for path in pair.roots[0].rglob("*"):
        os.utime(path, ns=(BASE_NS, BASE_NS))
    events = pair.meet()
    assert {action for action, _ in actions(events)} == {"metadata"}
    assert end(events).literal_bytes == end(events).reused_bytes == 0
    quiet(pair)


def test_a_tree_deleted_here_and_edited_there(pair: Group) -> None:
    shutil.rmtree(pair.roots[0] / "d")
    pair.write(1, "d/x", "edited")
    pair.meet()
    assert pair.agreed() == {"a.txt": "a", "d/": "", "d/x": "edited"}
    quiet(pair)


def test_a_deletion_stays_one_whoever_comes(three: Group) -> None:
    (three.roots[0] / "a.txt").unlink()
    three.meet(0, 1)
    three.meet(1, 2)
    assert three.agreed() == {}
    for _ in range(2):
        quiet(three, 2, 0)
        quiet(three)


def test_a_file_becomes_a_directory_and_the_reverse(pair: Group) -> None:
    (pair.roots[0] / "a.txt").unlink()
    pair.write(0, "a.txt/inside", "1")
    shutil.rmtree(pair.roots[0] / "d")
    pair.write(0, "d", "a file now")
    events = pair.meet()
    assert conflicts(events) == []
    assert pair.agreed() == {"a.txt/": "", "a.txt/inside": "1", "d": "a file now"}
    quiet(pair)


def test_a_file_becomes_a_directory_here_and_is_edited_there(pair: Group) -> None:
    (pair.roots[0] / "a.txt").unlink()
    pair.write(0, "a.txt/inside", "1")
    pair.write(1, "a.txt", "edited there")
    assert conflicts(pair.meet()) == ["a.txt"]
    tree = pair.agreed()
    assert tree["a.txt/inside"] == "1"
    assert "edited there" in tree.values()
    quiet(pair)


def test_a_directory_becomes_a_file_here_and_lives_there(pair: Group) -> None:
    shutil.rmtree(pair.roots[0] / "d")
    pair.write(0, "d", "a file now")
    pair.write(1, "d/x", "edited")
    pair.meet()
    tree = pair.agreed()
    assert tree["d/x"] == "edited" and "d/y" not in tree
    assert "a file now" in tree.values()
    quiet(pair)


def test_a_directory_becomes_two_files_here_and_there_and_lives_elsewhere(three: Group) -> None:
    three.everywhere("d/x", "x")
    three.meet()
    for number in (0, 1):
        shutil.rmtree(three.roots[number] / "d")
        three.write(number, "d", f"file {number}")
    three.write(2, "d/x", "edited")
    assert end(three.meet()).causes == ("conflicts",)
    tree = three.agreed()
    assert tree["d/x"] == "edited"
    assert {"file 0", "file 1"} <= {*tree.values()}
    quiet(three)


@pytest.mark.parametrize("size", [20, 300_000])
def test_one_name_of_a_file_is_put_aside_and_the_other_one_travels(pair: Group, size: int) -> None:
    """To rename one name of a file moves the ctime of all: that is no change since the scan."""
    data = "newer" * (size // 5)
    pair.write(0, "a.txt", data)
    os.link(pair.roots[0] / "a.txt", pair.roots[0] / "other.txt")
    (pair.roots[1] / "a.txt").unlink()
    pair.write(1, "a.txt/inside", "edited")
    ended = end(pair.meet())
    assert (ended.exit_code, ended.problems) == (1, 0)
    found = pair.agreed()
    assert found["other.txt"] == data
    assert found["a.txt/inside"] == "edited"
    assert [each for name, each in found.items() if name.startswith("a.conflict-")] == [data]
    quiet(pair)


def test_both_rename_one_file_differently(pair: Group) -> None:
    (pair.roots[0] / "a.txt").rename(pair.roots[0] / "b.txt")
    (pair.roots[1] / "a.txt").rename(pair.roots[1] / "c.txt")
    pair.meet()
    assert pair.agreed() == {"b.txt": "a", "c.txt": "a", "d/": "", "d/x": "x", "d/y": "y"}
    quiet(pair)


def test_a_rename_here_and_an_edit_there(pair: Group) -> None:
    (pair.roots[0] / "a.txt").rename(pair.roots[0] / "b.txt")
    pair.write(1, "a.txt", "edited")
    pair.meet()
    assert pair.agreed() == {"a.txt": "edited", "b.txt": "a", "d/": "", "d/x": "x", "d/y": "y"}
    quiet(pair)


def test_names_are_swapped(pair: Group) -> None:
    root = pair.roots[0] / "d"
    (root / "x").rename(root / "z")
    (root / "y").rename(root / "x")
    (root / "z").rename(root / "y")
    events = pair.meet()
    assert pair.agreed() == {"a.txt": "a", "d/": "", "d/x": "y", "d/y": "x"}
    assert end(events).literal_bytes == 0
    quiet(pair)


def test_a_directory_moves_into_its_sibling(pair: Group) -> None:
    pair.write(0, "e/other", "other")
    pair.meet()
    (pair.roots[0] / "d").rename(pair.roots[0] / "e" / "d")
    events = pair.meet()
    assert pair.agreed() == {"a.txt": "a", "e/": "", "e/d/": "", "e/d/x": "x", "e/d/y": "y", "e/other": "other"}
    assert actions(events) == [("move", "e/d")]
    assert [(each.source, each.to) for each in events if isinstance(each, Acted)] == [(0, (1,))]
    quiet(pair)


def test_nothing_is_done_below_a_clash_that_is_skipped(three: Group) -> None:
    three.write(0, "p/inside", "data")
    three.write(1, "p", "a file")
    for _ in range(2):
        events = three.meet(conflicts="skip")
        assert (end(events).exit_code, end(events).causes, end(events).problems) == (1, ("left standing",), 0)
        assert [("p" in tree, "p/inside" in tree) for tree in three.trees()] == [
            (False, True),
            (True, False),
            (False, False),
        ]
    assert "p/inside" in (three.meet(), three.agreed())[1]


@pytest.mark.parametrize("beside", ["", "old/stays", "elsewhere/inside"])
def test_a_directory_is_renamed_to_where_there_is_a_file_by_now(three: Group, beside: str) -> None:
    """The file has to go out of the way first, and the third one has nothing there yet."""
    three.write(0, "old/inside", "data")
    three.write(0, "elsewhere/inside", "other data")
    three.write(0, "old/stays", "still other data")
    three.meet()
    (three.roots[0] / "new").mkdir()
    names = {"old/inside", beside} - {""}
    for name in names:
        (three.roots[0] / name).rename(three.roots[0] / "new" / name.replace("/", "-"))
    three.write(1, "new", "a file")
    assert end(three.meet()).causes == ("conflicts",)
    found = three.agreed()
    assert {name for name in found if "new/" in name} == {"new/", *(f"new/{name.replace('/', '-')}" for name in names)}
    assert not names & found.keys()
    assert sum(text == "a file" for text in found.values()) == 1
    quiet(three)


def test_what_is_deleted_after_its_directory_was_renamed_does_not_come_along(three: Group) -> None:
    for name in ("x", "y", "z"):
        three.everywhere(f"d/s/{name}", name)
    three.meet()
    (three.roots[0] / "d").rename(three.roots[0] / "e")
    three.meet(0, 2)
    (three.roots[0] / "e" / "s" / "x").unlink()
    events = three.meet(0, 1)
    assert ("move", "e") in actions(events) and ("delete", "e/s/x") in actions(events)
    assert end(events).exit_code == 0
    three.meet()
    assert sorted(three.agreed()) == ["a.txt", "e/", "e/s/", "e/s/y", "e/s/z"]


def test_a_directory_of_several_versions_is_renamed(pair: Group) -> None:
    """What is known of it by its seal alone has to be known by name when it is somewhere else."""
    pair.write(0, "d/x", "newer")
    pair.meet()
    pair.meet()
    (pair.roots[0] / "d").rename(pair.roots[0] / "e")
    events = pair.meet()
    assert (end(events).exit_code, actions(events)) == (0, [("move", "e")])
    assert pair.agreed() == {"a.txt": "a", "e/": "", "e/x": "newer", "e/y": "y"}
    assert actions(pair.meet()) == []


def test_more_than_half_renamed_are_no_deletions(tmp_path: Path) -> None:
    group = Group(tmp_path, 2)
    for number in range(30):
        group.everywhere(f"f{number}", f"content {number}")
    group.meet()
    for number in range(25):
        (group.roots[0] / f"f{number}").rename(group.roots[0] / f"g{number}")
    assert end(group.meet()).deleted == 0
    assert len(group.agreed()) == 30
    quiet(group)


def test_the_sidecar_of_one_side_is_damaged(pair: Group) -> None:
    """That is told, and nothing to do with whether the trees agree."""
    for extra in pair.roots[0].glob(".aefsync/sidecar.db-*"):
        extra.unlink()
    (pair.roots[0] / ".aefsync" / "sidecar.db").write_bytes(b"garbage")
    pair.write(1, "a.txt", "edited since")
    events = pair.meet()
    (told,) = [(each.replica, bytes(each.problem.path)) for each in events if isinstance(each, Troubled)]
    assert told == (0, b".aefsync/sidecar.db")
    assert (end(events).exit_code, end(events).causes, end(events).equal) == (4, ("problems",), True)
    assert pair.agreed()["a.txt"] == "edited since"
    quiet(pair)


def test_the_sidecar_of_one_side_is_deleted(pair: Group) -> None:
    (pair.roots[0] / ".aefsync" / "sidecar.db").unlink()
    for extra in pair.roots[0].glob(".aefsync/sidecar.db-*"):
        extra.unlink()
    pair.write(1, "a.txt", "edited since")
    events = pair.meet()
    told = [each.text for each in events if isinstance(each, Notice)]
    gone = "its history is gone (.aefsync/sidecar.db): it joins as a new replica"
    assert told == [f"{pair.roots[0]}: {gone}, and nothing tells any more what was edited or deleted there"]
    assert conflicts(events) == []  # what it still has is what the edit was made of
    assert pair.agreed()["a.txt"] == "edited since"
    quiet(pair)


def test_a_replica_is_restored_from_last_week(pair: Group, tmp_path: Path) -> None:
    shutil.copytree(pair.roots[0], tmp_path / "backup", symlinks=True)
    pair.write(0, "a.txt", "of this week")
    pair.meet()
    for each in pair.roots[0].iterdir():
        shutil.rmtree(each) if each.is_dir() else each.unlink()
    shutil.copytree(tmp_path / "backup", pair.roots[0], dirs_exist_ok=True)
    pair.meet()
    assert pair.agreed()["a.txt"] == "of this week"
    quiet(pair)


def test_a_restored_replica_edits_on(pair: Group, tmp_path: Path) -> None:
    pair.write(0, "new.txt", "1")
    pair.meet()
    shutil.copytree(pair.roots[0], tmp_path / "backup")
    pair.write(0, "new.txt", "2: lost with the disk")
    pair.meet()
    for each in pair.roots[0].iterdir():
        shutil.rmtree(each) if each.is_dir() else each.unlink()
    shutil.copytree(tmp_path / "backup", pair.roots[0], dirs_exist_ok=True)
    pair.write(0, "new.txt", "3: edited after the restore")
    pair.meet()
    assert {"2: lost with the disk", "3: edited after the restore"} <= set(pair.agreed().values())
    quiet(pair)


def test_a_copied_replica_is_one_of_its_own(pair: Group, tmp_path: Path) -> None:
    shutil.copytree(pair.roots[0], tmp_path / "c")
    pair.roots.append(tmp_path / "c")
    pair.write(2, "a.txt", "by the copy")
    pair.write(0, "d/x", "by the original")
    events = pair.meet()
    assert conflicts(events) == []
    assert any(isinstance(event, Notice) and "a copy of" in event.text for event in events)
    assert pair.agreed() == {"a.txt": "by the copy", "d/": "", "d/x": "by the original", "d/y": "y"}
    pair.meet(0, 2)
    quiet(pair)


def test_an_empty_disk_joins(pair: Group, tmp_path: Path) -> None:
    (tmp_path / "c").mkdir()
    pair.roots.append(tmp_path / "c")
    pair.meet(0, 2)
    assert len(pair.agreed()) == 4
    quiet(pair)


@pytest.mark.parametrize("order", ["ring", "star", "random"])
def test_five_replicas_come_to_agree(tmp_path: Path, order: str) -> None:
    group = Group(tmp_path, 5)
    group.everywhere("shared", "shared")
    group.meet()
    for number in range(5):
        group.write(number, f"own{number}", f"of {number}")
    group.write(0, "shared", "edited by the first")
    pairs = {
        "ring": [(i % 5, (i + 1) % 5) for i in range(9)],
        "star": [(0, i % 4 + 1) for i in range(8)],
        "random": [(3, 1), (4, 0), (2, 3), (0, 3), (1, 4), (2, 0), (3, 4), (1, 2), (0, 1), (4, 2), (3, 0), (1, 0)],
    }[order]
    for each in pairs:
        assert conflicts(group.meet(*each)) == []
    tree = group.agreed()
    assert tree["shared"] == "edited by the first" and len(tree) == 6


def test_one_file_in_conflict_on_three(three: Group) -> None:
    for number in range(3):
        three.write(number, "a.txt", f"edit of number {'x' * number}")
    assert conflicts(three.meet()) == ["a.txt", "a.txt"]
    assert sorted(three.agreed().values()) == sorted(f"edit of number {'x' * number}" for number in range(3))
    quiet(three)


def test_a_conflict_settled_apart_in_two_ways(tmp_path: Path) -> None:
    group = Group(tmp_path, 4)
    group.everywhere("a.txt", "a")
    group.meet()
    group.write(0, "a.txt", "first edit")
    group.write(1, "a.txt", "second, longer edit")
    group.meet(0, 2, conflicts="newest")
    group.meet(1, 3, conflicts="newest")
    group.meet(0, 1, conflicts="newest")
    group.meet(2, 3, conflicts="prefer:A", prefers=0)
    for each in ((0, 2), (1, 3), (0, 3), (1, 2), (0, 1)):
        group.meet(*each)
    assert set(group.agreed()) >= {"a.txt"}
    quiet(group)


def test_a_conflict_is_edited_again_on_both_sides_before_it_is_resolved(pair: Group) -> None:
    pair.write(0, "a.txt", "one")
    pair.write(1, "a.txt", "two, longer")
    pair.meet()
    pair.write(0, "a.txt", "one again....")
    pair.write(1, "a.txt", "two again, longer still")
    pair.meet()
    contents = set(pair.agreed().values())
    assert contents >= {"one", "one again....", "two again, longer still"}
    quiet(pair)


def test_a_filter_is_no_deletion(pair: Group) -> None:
    pair.meet(rules=("a.txt",))
    (pair.roots[0] / "a.txt").unlink()
    pair.write(1, "d/x", "edited")
    pair.meet(rules=("a.txt",))
    assert (pair.roots[1] / "a.txt").exists()
    pair.meet()
    # What went while nobody was to look is gone when somebody is.
    assert pair.agreed() == {"d/": "", "d/x": "edited", "d/y": "y"}
    quiet(pair)


@pytest.mark.parametrize("rules", [("x",), ("d/",), ("d", "!d/")])
def test_what_filters_leave_out_is_in_the_place_of_a_file(three: Group, rules: tuple[str, ...]) -> None:
    """A directory that is not empty without it, that is left out itself, or a file that is, where a directory is to come."""
    three.write(0, "d/x", "1")
    three.write(0, "d/y", "2")
    if rules == ("x",):
        three.meet()
        shutil.rmtree(three.roots[1] / "d")
    three.write(1, "d", "a file now")
    for _ in range(2):
        events = three.meet(rules=rules)
        assert (end(events).causes, end(events).problems) == (("left standing",), 0)
        assert conflicts(events) == ["d"]
        trees = three.trees()
        assert (trees[0]["d/x"], trees[1]["d"]) == ("1", "a file now")
    assert end(events).literal_bytes == 0 or rules != ("x",)
    three.meet()
    found = three.agreed()
    assert "a file now" in found.values() and ("d/x" in found) == (rules != ("x",))
    quiet(three)


def test_a_directory_that_goes_stays_for_a_pipe_in_it(pair: Group) -> None:
    """No replica has pipes, and none raises an exit code; what was deleted around it does not come back for it."""
    os.mkfifo(pair.roots[0] / "d" / "pipe")
    shutil.rmtree(pair.roots[1] / "d")
    for _ in range(3):
        events = pair.meet()
        assert (end(events).exit_code, end(events).problems) == (0, 0)
        assert {path.name for path in (pair.roots[0] / "d").iterdir()} == {"pipe"}
        assert texts(pair.roots[1]) == {"a.txt": "a"}
    pair.write(1, "d", "a file now")
    events = pair.meet()
    assert (end(events).causes, end(events).problems, conflicts(events)) == (("left standing",), 0, ["d"])
    (pair.roots[0] / "d" / "pipe").unlink()
    pair.meet()
    assert pair.agreed() == {"a.txt": "a", "d": "a file now"}
    quiet(pair)


def test_what_is_moved_finds_what_filters_leave_out_in_its_place(pair: Group) -> None:
    shutil.rmtree(pair.roots[1] / "d")
    (pair.roots[1] / "a.txt").rename(pair.roots[1] / "d")
    for _ in range(2):
        events = pair.meet(rules=("x",))
        assert (end(events).causes, end(events).problems, conflicts(events)) == (("left standing",), 0, ["d"])
        assert pair.trees()[0]["d/x"] == "x"
    pair.meet()
    assert pair.agreed() == {"d": "a"}
    quiet(pair)


def test_what_is_kept_from_deletion_goes_with_the_next_run(three: Group) -> None:
    (three.roots[0] / "a.txt").unlink()
    for _ in range(2):
        events = three.meet(no_delete=True)
        assert actions(events) == [] and end(events).exit_code == 0
    three.meet(1, 2)
    assert three.trees() == [{}, {"a.txt": "a"}, {"a.txt": "a"}]
    events = three.meet()
    assert actions(events) == [("delete", "a.txt")] and three.agreed() == {}
    quiet(three)


def test_a_directory_is_kept_from_deletion_with_what_is_in_it(pair: Group) -> None:
    shutil.rmtree(pair.roots[0] / "d")
    for _ in range(2):
        events = pair.meet(no_delete=True)
        assert actions(events) == [] and conflicts(events) == [] and end(events).exit_code == 0


def test_what_is_new_in_a_directory_kept_from_deletion_goes_everywhere(pair: Group) -> None:
    shutil.rmtree(pair.roots[0] / "d")
    pair.write(1, "d/new", "n")
    events = pair.meet(no_delete=True)
    assert actions(events) == [("mkdir", "d"), ("create", "d/new")] and end(events).exit_code == 0
    assert pair.trees()[0] == {"a.txt": "a", "d/": "", "d/new": "n"}
    assert pair.trees()[1] == {"a.txt": "a", "d/": "", "d/new": "n", "d/x": "x", "d/y": "y"}
    pair.meet()
    assert pair.agreed() == {"a.txt": "a", "d/": "", "d/new": "n"}
    quiet(pair)


def test_a_file_in_the_place_of_a_directory_kept_from_deletion_is_kept_beside_it(pair: Group) -> None:
    shutil.rmtree(pair.roots[0] / "d")
    pair.write(0, "d", "a file")
    events = pair.meet(no_delete=True)
    assert len(conflicts(events)) == 1 and end(events).exit_code == 1
    here, there = pair.trees()
    assert there["d/x"] == "x" and "d/" in here
    assert "a file" in here.values() and "a file" in there.values()
    events = pair.meet()
    assert "a file" in pair.agreed().values()
    quiet(pair)


def test_a_partial_run_loses_and_resurrects_nothing(pair: Group) -> None:
    (pair.roots[0] / "a.txt").unlink()
    pair.write(1, "d/x", "edited")
    pair.meet(paths=(RelPath(b"d"),))
    assert pair.trees()[1]["a.txt"] == "a" and pair.trees()[0]["d/x"] == "edited"
    pair.meet()
    assert pair.agreed() == {"d/": "", "d/x": "edited", "d/y": "y"}
    quiet(pair)


def test_a_sub_tree_is_chosen_that_lies_in_another_one(pair: Group) -> None:
    """What is above the inner one is chosen, too."""
    (pair.roots[0] / "d" / "e").mkdir()
    pair.write(0, "d/e/f/x", "1")
    pair.meet()
    shutil.rmtree(pair.roots[1] / "d" / "e")
    pair.write(1, "d/e", "a file now")
    events = pair.meet(paths=(RelPath(b"d/e/f"), RelPath(b"d")))
    assert (end(events).exit_code, end(events).equal) == (0, True)
    assert pair.agreed()["d/e"] == "a file now"


@pytest.mark.parametrize("aspects", [PLAIN, PLAIN._replace(links=True)])
def test_what_is_above_the_chosen_may_differ(pair: Group, aspects: Aspects) -> None:
    (pair.roots[1] / "d").chmod(0o700)
    pair.write(1, "d/x", "edited")
    events = pair.meet(paths=(RelPath(b"d/x"),), aspects=aspects)
    assert (end(events).exit_code, end(events).equal, actions(events)) == (0, True, [("copy", "d/x")])
    assert (pair.roots[0] / "d").stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("options", [{}, {"policies": None}, {"policies": None, "mirror": True}])
def test_what_was_chosen_lies_below_a_file_elsewhere(pair: Group, options: dict[str, object]) -> None:
    """Only what is below was chosen: nothing is done about the file, nor can anything be made below it."""
    shutil.rmtree(pair.roots[1] / "d")
    pair.write(1, "d", "a file now")
    pair.write(0, "d/x", "edited")
    before = pair.trees()
    for _ in range(2):
        events = pair.meet(paths=(RelPath(b"d/x"),), **options)
        assert (end(events).causes, end(events).problems, actions(events)) == (("left standing",), 0, [])
        assert conflicts(events) == ["d", "d/x"]
    assert pair.trees() == before
    pair.meet()
    tree = pair.agreed()
    assert tree["d/x"] == "edited" and "a file now" in tree.values() and "d/y" not in tree
    quiet(pair)


def test_a_chosen_directory_that_lives_on_lies_below_a_file_elsewhere(pair: Group) -> None:
    """It lives on for what was edited in it; but that it can only where it is."""
    pair.write(0, "d/e/x", "x")
    pair.meet()
    shutil.rmtree(pair.roots[1] / "d")
    pair.write(1, "d", "a file now")
    pair.write(0, "d/e/x", "edited")
    before = pair.trees()
    for _ in range(2):
        events = pair.meet(paths=(RelPath(b"d/e"),))
        assert (end(events).causes, end(events).problems, actions(events)) == (("left standing",), 0, [])
        assert conflicts(events) == ["d", "d/e", "d/e/x"]
    assert pair.trees() == before
    pair.meet()
    tree = pair.agreed()
    assert tree["d/e/x"] == "edited" and "a file now" in tree.values()
    quiet(pair)


def test_a_command_merges_what_it_can(pair: Group) -> None:
    pair.write(0, "a.txt", "of the first\n")
    pair.write(1, "a.txt", "of the second\n")
    events = pair.meet(conflicts="merge:sh -c 'cat \"$@\" >{out}' merge {b} {base} {a}")
    assert ("merge", "a.txt") in actions(events) and conflicts(events) == []
    assert end(events).exit_code == 0
    assert pair.agreed()["a.txt"] == "of the first\nof the second\n"
    quiet(pair)


def test_what_else_there_is_to_do_is_done_where_something_was_merged(pair: Group) -> None:
    for number, text in enumerate(("of the first\n", "of the second\n")):
        pair.write(number, "a.txt", text)
        pair.write(number, f"new/of {number}", text)
        pair.write(number, ("d/x", "d/y")[number], text)
    events = pair.meet(conflicts="merge:sh -c 'cat \"$@\" >{out}' merge {b} {base} {a}")
    assert (end(events).exit_code, end(events).problems) == (0, 0)
    tree = pair.agreed()
    assert [tree[path] for path in ("d/x", "d/y", "new/of 0", "new/of 1")] == ["of the first\n", "of the second\n"] * 2
    quiet(pair)
    assert not [left for root in pair.roots for left in (root / ".aefsync" / "tmp").iterdir()]


@pytest.mark.parametrize("command", ["false", "true", "/no/such/command"])
def test_a_command_that_does_not_merge_leaves_both(pair: Group, command: str) -> None:
    pair.write(0, "a.txt", "of the first")
    pair.write(1, "a.txt", "of the second")
    events = pair.meet(conflicts=f"merge:{command}")
    assert conflicts(events) == ["a.txt"]
    assert {"of the first", "of the second"} <= set(pair.agreed().values())
    quiet(pair)
