"""New directories that go into place with what was staged for them, and when they do not."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Sequence

import pytest

from aefsync.core.action import Act, Action, Applied, StageFile
from aefsync.core.digest import content_digest
from aefsync.core.path import RelPath
from aefsync.disk import syscalls
from tests.disk.ground import Ground, Site, wanted_directory

NAMES = [b"a", b"b", b"c", b"d"]
Renames = list[bytes]


@pytest.fixture
def renames(monkeypatch: pytest.MonkeyPatch) -> Renames:
    """The names that things are renamed to."""
    found: Renames = []
    rename = syscalls.renameat2

    def noting(old_fd: int, old: bytes, new_fd: int, new: bytes, flags: int) -> None:
        found.append(new)
        rename(old_fd, old, new_fd, new, flags)

    monkeypatch.setattr(syscalls, "renameat2", noting)
    return found


def stage(site: Site, other: Ground, names: Sequence[bytes] = NAMES, directory: bytes = b"new") -> list[Action]:
    """Stage files of a directory; the actions that make it."""
    actions = [Action(Act.MKDIR, RelPath(directory), wanted_directory(directory, 0o750), None)]
    files = []
    for name in names:
        path = directory + b"/" + name
        other.write(path, b"content of " + name, mode=0o604)
        entry = other.entry(path)
        files.append(StageFile(entry, entry.path))
        actions.append(Action(Act.CREATE, entry.path, entry, None))
    staged = site.staging.stage(files, other.root)
    assert staged.contents == tuple(content_digest(b"content of " + name) for name in names)
    return actions


def check(site: Site, names: Sequence[bytes] = NAMES, directory: bytes = b"new") -> None:
    """All is in place, and known by its stat."""
    place = site.place(directory)
    assert stat.S_IMODE(os.stat(place).st_mode) & 0o777 == 0o750
    assert sorted(os.listdir(place)) == sorted(names)
    known = {entry.path: entry for entry in site.applier.placed}
    for name in names:
        seen = os.stat(place + b"/" + name)
        entry = known[RelPath(directory + b"/" + name)]
        assert (entry.inode, entry.ctime_ns, seen.st_mode & 0o777) == (seen.st_ino, seen.st_ctime_ns, 0o604)
        assert entry.content == content_digest(b"content of " + name)
        with open(place + b"/" + name, "rb") as file:
            assert file.read() == b"content of " + name


def test_a_new_directory_comes_by_one_rename(site: Site, other: Ground, renames: Renames) -> None:
    actions = stage(site, other)
    assert not os.path.exists(site.place(b"new"))
    assert site.applier.apply(actions) == Applied((True,) * 5, (), ())
    assert renames == [b"new"]
    check(site)
    assert os.listdir(site.staging.fd) == []
    assert site.applier.touched == {b"", b"new\0"}


def test_one_within_another(site: Site, other: Ground, renames: Renames) -> None:
    actions = stage(site, other) + stage(site, other, directory=b"new/in")
    assert all(site.applier.apply(actions).done)
    assert renames == [b"new", b"in"]
    check(site, directory=b"new/in")


def one_by_one(site: Site, actions: Sequence[Action]) -> None:
    """In two requests."""
    assert all(site.applier.apply(actions[:2]).done)
    placed = list(site.applier.placed)
    assert all(site.applier.apply(actions[2:]).done)
    site.applier.placed[:0] = placed


def test_what_only_a_later_request_creates_does_not_come_along(site: Site, other: Ground, renames: Renames) -> None:
    one_by_one(site, stage(site, other))
    assert renames == NAMES
    check(site)


def make_it(site: Site) -> None:
    os.mkdir(site.place(b"new"))


def inherit(site: Site) -> None:
    os.chmod(site.place(b""), 0o2755)


def leave_something(site: Site) -> None:
    """As if a file that was refused could not be unlinked."""
    (bed,) = os.listdir(site.staging.fd)
    with open(os.open(os.path.join(bed, "refused"), os.O_CREAT | os.O_WRONLY, dir_fd=site.staging.fd), "wb"):
        pass


@pytest.mark.parametrize("obstacle", [make_it, inherit, leave_something])
def test_otherwise_files_come_one_by_one(
    site: Site, other: Ground, renames: Renames, obstacle: Callable[[Site], None]
) -> None:
    actions = stage(site, other)
    obstacle(site)
    assert all(site.applier.apply(actions).done)
    assert renames[-4:] == NAMES
    check(site)


def test_a_group_is_inherited_as_ever(site: Site, other: Ground) -> None:
    inherit(site)
    assert all(site.applier.apply(stage(site, other)).done)
    assert os.stat(site.place(b"new")).st_mode & stat.S_ISGID


def test_a_few_files_are_not_worth_it(site: Site, other: Ground, renames: Renames) -> None:
    assert all(site.applier.apply(stage(site, other, NAMES[:3])).done)
    assert renames == NAMES[:3]
    check(site, NAMES[:3])


def test_what_is_staged_again_takes_the_place_of_what_was(site: Site, other: Ground) -> None:
    actions = stage(site, other)
    other.write(b"new/a", b"newer")
    entry = other.entry(b"new/a")
    site.staging.stage([StageFile(entry, entry.path)], other.root)
    actions[1] = Action(Act.CREATE, entry.path, entry, None)
    assert all(site.applier.apply(actions).done)
    with open(site.place(b"new/a"), "rb") as file:
        assert file.read() == b"newer"


def test_what_was_refused_does_not_come_along(site: Site, other: Ground, renames: Renames) -> None:
    for name in NAMES:
        other.write(b"new/" + name, name)
    files = [StageFile(other.entry(b"new/" + name), RelPath(b"new/" + name)) for name in NAMES]
    other.write(b"new/b", b"edited since the scan")
    assert [bool(content) for content in site.staging.stage(files, other.root).contents] == [True, False, True, True]
    actions = [Action(Act.CREATE, file.path, file.source, None) for file in files if file.path != b"new/b"]
    made = Action(Act.MKDIR, RelPath(b"new"), wanted_directory(b"new"), None)
    assert all(site.applier.apply([made, *actions]).done)
    assert renames == [b"new"]
    assert sorted(os.listdir(site.place(b"new"))) == [b"a", b"c", b"d"]
