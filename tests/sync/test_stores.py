"""Roots that store less than others: compared by the coarser view, told once, and never bouncing."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from types import SimpleNamespace
from zlib import crc32

import pytest

from aefsync.core.policy import Policies
from aefsync.core.silent import Silent
from aefsync.core.stores import SECOND_NS, Folding, Stores
from aefsync.core.verdict import Why
from aefsync.disk import moving, opening
from aefsync.disk.confined import ConfinedRoot
from aefsync.sync.diff import diff
from aefsync.sync.events import Acted, Conflicted, Event, Notice, Summary, Troubled
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
        patch.setattr(
            opening, "stores_of", lambda fd, _, **__: self.stores if os.fstat(fd).st_ino == inode else Stores()
        )

    def repair(self, *, mirror: bool = False, versions: bool = False) -> list[Event]:
        common = Request((str(self.a), str(self.b)))
        policies = Policies() if versions else None
        with threads():
            return list(
                repair(RepairRequest(common, mirror=mirror, allow_unrelated_roots=True, policies=policies), Silent())
            )

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


@pytest.mark.parametrize("versions", [True, False])
def test_a_directory_stands_against_a_symlink_that_cannot_be_stored(pair: Pair, *, versions: bool) -> None:
    """The link is left alone, and nothing can be brought below it; neither is a difference to be shown."""
    tree(pair.a, {"g": "1"})
    link(pair.a / "d", b"elsewhere")
    tree(pair.b, {"d/e/x": "2"})
    for _ in range(2):
        events = pair.repair(versions=versions)
        left = {bytes(each.path): each.reason for each in events if isinstance(each, Conflicted)}
        assert left == {b"d": Why.LINKED, b"d/e": Why.BELOW, b"d/e/x": Why.BELOW}
        assert (summary(events).exit_code, summary(events).problems) == (1, 0)
        assert os.readlink(pair.a / "d") == "elsewhere" and (pair.b / "g").exists()
    (pair.a / "d").unlink()
    assert summary(pair.repair(versions=versions)).exit_code == 0
    assert (pair.a / "d/e/x").read_text() == "2"


def test_a_directory_that_goes_stays_for_a_symlink_that_cannot_be_stored(pair: Pair) -> None:
    for root in (pair.a, pair.b):
        tree(root, {"d/x": "1", "g": "2"})
    link(pair.a / "d/l", b"x")
    assert summary(pair.repair(versions=True)).exit_code == 0
    shutil.rmtree(pair.b / "d")
    for _ in range(2):
        assert summary(pair.repair(versions=True)).exit_code == 0
        assert (os.listdir(pair.a / "d"), (pair.b / "d").exists()) == (["l"], False)
    write(pair.b / "d", b"a file now")
    events = pair.repair(versions=True)
    assert [(bytes(each.path), each.reason) for each in events if isinstance(each, Conflicted)] == [
        (b"d", Why.FILTERED)
    ]
    assert (summary(events).exit_code, summary(events).problems) == (1, 0)


def test_two_names_that_are_one_on_a_target_are_not_written(pair: Pair) -> None:
    tree(pair.a, {"Readme": "1", "README": "2", "D/x": "3", "d/y": "4", "plain": "5"})
    events = pair.repair()
    told = [event.problem.path for event in events if isinstance(event, Troubled)]
    assert told == [b"D", b"README", b"Readme", b"d"]
    assert (summary(events).exit_code, summary(events).causes) == (1, ("left standing",))
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


def test_a_directory_that_lives_on_beside_a_name_that_is_one_with_its_own(pair: Pair) -> None:
    tree(pair.a, {"D/x": "1", "other": "2"})
    assert summary(pair.repair(versions=True)).exit_code == 0
    shutil.rmtree(pair.b / "D")
    write(pair.b / "d", b"a file")
    write(pair.a / "D/x", b"edited", mtime_ns=BASE_NS + 4 * SECOND_NS)
    events = pair.repair(versions=True)
    left = {bytes(event.path): event.reason for event in events if isinstance(event, Conflicted)}
    assert left == {b"D": Why.FOLDED, b"D/x": Why.BELOW, b"d": Why.FOLDED}
    assert (summary(events).exit_code, summary(events).problems) == (1, 0)
    assert set(os.listdir(pair.b)) == {"d", "other", ".aefsync"}


@pytest.fixture(params=["inodes", "an inode for each spelling"])
def renamed(pair: Pair, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Pair:
    """Two that agree, and of which the second takes names for one that differ in case only; one has a name for that."""
    tree(pair.a, {"README": "1", "Docs/d": "2", "other": "3"})
    assert summary(pair.repair(versions=True)).exit_code == 0
    inode, lstat, stats, rename_new = os.stat(pair.b).st_ino, ConfinedRoot.lstat, ConfinedRoot.stats, moving.rename_new

    def spelt(root: ConfinedRoot, path: bytes) -> bytes:
        """The path as its names are spelt, where names fold."""
        at = b""
        for name in path.split(b"/") if path and os.fstat(root.fd).st_ino == inode else ():
            listed = os.listdir(os.fsencode(pair.b) + b"/" + at)
            at += next((each for each in listed if each.lower() == name.lower()), name) + b"/"
        return at[:-1] or path

    def folding(old_fd: int, old: bytes, new_fd: int, new: bytes) -> None:
        if os.fstat(new_fd).st_ino == inode and new.lower() in map(bytes.lower, map(os.fsencode, os.listdir(new_fd))):
            raise FileExistsError
        rename_new(old_fd, old, new_fd, new)

    def looks(root: ConfinedRoot, path: bytes, names: list[bytes]) -> list[SimpleNamespace | os.stat_result | None]:
        spellings = [spelt(root, path + b"/" * bool(path) + each).rpartition(b"/")[2] for each in names]
        found = stats(root, path, spellings)
        if request.param == "inodes":
            return [*found]
        shown = ("st_mode", "st_size", "st_mtime_ns", "st_ctime_ns")
        return [
            look and SimpleNamespace(st_ino=crc32(name), **{each: getattr(look, each) for each in shown})
            for name, look in zip(names, found, strict=True)
        ]

    monkeypatch.setattr(ConfinedRoot, "lstat", lambda root, path: lstat(root, spelt(root, path)))
    monkeypatch.setattr(ConfinedRoot, "stats", looks)
    monkeypatch.setattr(moving, "rename_new", folding)
    return pair


@pytest.mark.parametrize("where", ["a", "b"])
@pytest.mark.parametrize("mirror", [False, True])
def test_a_name_that_is_only_spelt_otherwise_is_renamed(renamed: Pair, where: str, *, mirror: bool) -> None:
    root = renamed.a if where == "a" or mirror else renamed.b
    (root / "README").rename(root / "Readme")
    (root / "Docs").rename(root / "docs")
    events = renamed.repair(versions=not mirror, mirror=mirror)
    assert [(each.action, str(each.path)) for each in events if isinstance(each, Acted)] == [
        ("move", "Readme"),
        ("move", "docs"),
    ]
    assert summary(events).exit_code == 0
    for each in (renamed.a, renamed.b):
        assert set(os.listdir(each)) == {"Readme", "docs", "other", ".aefsync"}
        assert ((each / "Readme").read_text(), (each / "docs" / "d").read_text()) == ("1", "2")
        assert not list((each / ".aefsync/trash").rglob("README"))
    again = renamed.repair(versions=not mirror, mirror=mirror)
    assert (summary(again).exit_code, [each for each in again if isinstance(each, Acted)]) == (0, [])


def test_a_name_of_one_letter_is_renamed(renamed: Pair) -> None:
    write(renamed.a / "A1", b"4")
    assert summary(renamed.repair(versions=True)).exit_code == 0
    (renamed.b / "A1").rename(renamed.b / "a1")
    events = renamed.repair(versions=True)
    assert [(each.action, str(each.path)) for each in events if isinstance(each, Acted)] == [("move", "a1")]
    assert summary(events).exit_code == 0
    assert (renamed.a / "a1").read_text() == "4" and not (renamed.a / "A1").exists()


def test_what_is_edited_under_its_old_spelling_stands(renamed: Pair) -> None:
    (renamed.a / "README").rename(renamed.a / "Readme")
    write(renamed.b / "README", b"edited", mtime_ns=BASE_NS + 4 * SECOND_NS)
    left = {bytes(each.path): each.reason for each in renamed.repair(versions=True) if isinstance(each, Conflicted)}
    assert left == {b"README": Why.FOLDED, b"Readme": Why.FOLDED}
    assert (renamed.b / "README").read_text() == "edited"
    (renamed.a / "Readme").unlink()
    assert summary(renamed.repair(versions=True)).exit_code == 0
    assert set(os.listdir(renamed.a)) == {"README", "Docs", "other", ".aefsync"}
