"""Somebody else at work in a replica while a run is: edited, replaced, renamed and deleted files, directories that become
links, at each call in turn.  No byte of theirs is lost, nothing outside the roots is touched, and replicas agree in the end.

The long form disturbs every story at every call, and a few in a tight loop as well; the short one at one call.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aefsync.core.policy import Policies
from aefsync.core.silent import Silent
from aefsync.disk import judging
from aefsync.disk.doubtful import Doubtful
from aefsync.sync.repair import repair
from aefsync.sync.request import RepairRequest, Request
from tests.support.stories import STORIES
from tests.support.touches import Moment, Touch
from tests.support.trees import judge, tree
from tests.support.trials import Story, grounds, moments, undisturbed
from tests.sync.joined import threads

EDITED = b"edited by somebody else at that very moment"
PATHS = (
    "d/f0",
    "d/f2",
    "both",
    "big",
    "deep/er/x",
    "go/one",
    "deeper/er/x",
    "from B",
    "tree/1/n1",
    "trunk/0/n0",
    "one",
)


def edit(path: Path, _: Path) -> None:
    with path.open("r+b", buffering=0) as file:
        file.write(EDITED)
        file.truncate(len(EDITED))


def replace(path: Path, _: Path) -> None:
    aside = path.with_name("aside")
    aside.write_bytes(EDITED)
    aside.rename(path)


def remove(path: Path, _: Path) -> None:
    path.unlink()


def rename(path: Path, _: Path) -> None:
    path.rename(path.with_name("renamed by somebody"))


def lead_astray(path: Path, outside: Path) -> None:
    """A link outside in the place of a file."""
    path.unlink()
    path.symlink_to(outside / "keep")


def lead_all_astray(path: Path, outside: Path) -> None:
    """A link outside in the place of a directory, which is now elsewhere."""
    path.parent.rename(path.parent.with_name("was here"))
    path.parent.symlink_to(outside / "d")


def make_directory(path: Path, _: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "inside").write_bytes(EDITED)


WRITING = (edit, replace, make_directory)
HOW = (edit, replace, remove, rename, lead_astray, lead_all_astray, make_directory)


class Somebody:
    """Does something to a file below a root just before a touch; `note` has what that destroys."""

    def __init__(self, moment: Moment, how: Callable[[Path, Path], None], path: Path, root: Path, folder: Path) -> None:
        self._moment = moment
        self._how = how
        self._path = path
        self._root = root
        self._outside = folder / "outside"
        self._note = folder / "destroyed"

    def __call__(self, _: Touch) -> None:
        self._moment.pass_by()
        path = self._path
        # No further than the tree reaches: somebody may have led it astray, too.
        if (
            not self._moment.is_now
            or not path.is_file()
            or path.is_symlink()
            or self._root not in path.resolve().parents
        ):
            return
        if self._how is lead_all_astray and path.parent == self._root:
            return
        self._note.write_bytes(path.read_bytes())
        self._how(path, self._outside)


def disturb(folder: Path, story: Story, number: int, moment: Moment) -> None:
    """Tell a story in which somebody does something at that moment; what, and where, is told by a number."""
    with grounds(folder, story) as found:
        root = found.roots[number % 2]
        path = root / PATHS[number // 2 % len(PATHS)]
        how = HOW[number // 3 % len(HOW)]
        ended = found.run(Somebody(moment, how, path, root, folder))
        assert not ended.trace, ended.trace
        assert "internal error" not in " ".join(ended.said), ended
        assert ended.code in (0, 1, 3, 4), ended
        if (folder / "destroyed").exists():
            destroyed = (folder / "destroyed").read_bytes()
            found.known_bytes -= {destroyed} - found.bytes_here()
            found.known_bytes |= {EDITED} if how in WRITING else set()
        found.check_whole()
        if story.goes_on:
            assert found.run().code in (0, 1, 3)
        for _ in range(3):
            assert found.meet().code in (0, 1)
            found.check_whole()
        assert judge(*found.roots) == []


@pytest.mark.parametrize(("name", "number"), [("mirror, without exchange", 433), ("hard links", 461)])
def test_somebody_at_work(tmp_path: Path, name: str, number: int) -> None:
    disturb(tmp_path / "it", STORIES[name], number, Moment(number))


@pytest.mark.slow
@pytest.mark.parametrize("name", STORIES)
def test_somebody_at_work_at_every_call(tmp_path: Path, name: str) -> None:
    ended, _ = undisturbed(tmp_path / "whole", STORIES[name])
    for number, moment in moments(ended):
        disturb(tmp_path / str(number), STORIES[name], number, moment)


def test_what_is_deleted_before_it_is_read_does_not_come_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    roots = [tree(tmp_path / name, {"d/a": "1", "d/b": "2"}) for name in "ab"]
    asked = RepairRequest(Request(tuple(map(str, roots))), policies=Policies())
    monkeypatch.setattr("aefsync.disk.replica.FEW_FILES", 0)
    monkeypatch.setattr("aefsync.disk.doubtful.SMALL", 0)
    with threads():
        list(repair(asked, Silent()))
    for name in "ab":
        (roots[0] / "d" / name).write_text(f"{name}, edited")
    place = roots[0] / "d" / "b"
    with threads({(0, "read_unread"): lambda _: place.unlink(missing_ok=True)}):
        list(repair(asked, Silent()))
        assert not place.exists()
        assert (roots[1] / "d" / "b").read_text() == "2"
        list(repair(asked, Silent()))
    assert judge(*roots) == []
    assert not place.exists()


@pytest.mark.parametrize("how", ["deleted", "unmounted"])
def test_what_vanishes_as_it_is_read_is_not_deleted_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, how: str
) -> None:
    """Small edits are read as a scan is judged.  The next run tells what became of them."""
    a, b = tree(tmp_path / "a", {"top": "top", "m/": None}), tree(tmp_path / "b", {})
    unmount = ["umount", "-l", a / "m"]
    if how == "unmounted":
        if subprocess.run(["mount", "-t", "tmpfs", "none", a / "m"], check=False, capture_output=True).returncode:
            pytest.skip("mounting is for root")
        request.addfinalizer(lambda: subprocess.run(unmount, check=False, capture_output=True))
    tree(a, {"m/x": "x", "m/y": "y"})
    asked = RepairRequest(Request((str(a), str(b)), state_dir=str(tmp_path / "state")), policies=Policies())
    whole, done = judging.to_be_read, list[str]()

    def then_it_vanishes(*words: Any) -> Doubtful:
        found = whole(*words)
        if found.wanted and not done:
            done.append(how)
            (a / "m" / "x").unlink() if how == "deleted" else subprocess.run(unmount, check=True)
        return found

    with threads():
        list(repair(asked, Silent()))
        (a / "m" / "x").write_text("x, edited")
        monkeypatch.setattr(judging, "to_be_read", then_it_vanishes)
        list(repair(asked, Silent()))
        assert done
        assert {name: (b / "m" / name).read_text() for name in "xy"} == {"x": "x", "y": "y"}
        if how == "deleted":
            list(repair(asked, Silent()))
            assert judge(a, b) == []
            assert sorted(os.listdir(b / "m")) == ["y"]


LOOP = """
import os, random, sys
root, outside = sys.argv[1:]
chance = random.Random(1)
while True:
    for directory, directories, names in os.walk(root):
        if ".aefsync" in directories:
            directories.remove(".aefsync")
        for name in names:
            # Where the program has put a link back that it had taken out, it is not to be written through here either.
            try:
                at = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            except OSError:
                continue
            try:
                choice = chance.randrange(5)
                if choice < 2:
                    place = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o644, dir_fd=at)
                    os.write(place, b"more") if choice else os.truncate(place, 1)
                    os.close(place)
                elif choice == 2:
                    os.rename(name, name + "~", src_dir_fd=at, dst_dir_fd=at)
                elif choice == 3:
                    os.unlink(name, dir_fd=at)
                elif directory != root:
                    os.rename(directory, directory + "-")
                    os.symlink(outside, directory)
                    os.unlink(directory)
                    os.rename(directory + "-", directory)
            except OSError:
                pass
            os.close(at)
        open(os.path.join(root, "new%d" % chance.randrange(50)), "wb").write(b"n" * chance.randrange(9999))
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["versions", "mirror", "last write wins", "growth", "undo", "restore", "scrub"])
def test_a_tight_loop(tmp_path: Path, name: str) -> None:
    with grounds(tmp_path / "it", STORIES[name]) as found:
        for _ in range(20):
            with subprocess.Popen([sys.executable, "-c", LOOP, found.b, found.outside / "d"]) as somebody:
                try:
                    ended = found.run()
                finally:
                    somebody.kill()
            assert not ended.trace, ended.trace
            assert "internal error" not in " ".join(ended.said), ended
            found.check_outside()
        assert found.meet().code in (0, 1)
        assert found.meet().code in (0, 1)
        assert judge(*found.roots) == []
