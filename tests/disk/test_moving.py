"""Moves on disk: what is moved is what the plan saw, nothing is replaced, and whatever goes wrong is put back."""

from __future__ import annotations

import errno
import os

import pytest

from aefsync.core.action import Act, Action
from aefsync.core.entry import Entry
from aefsync.core.path import RelPath
from aefsync.disk import moving, renaming, syscalls
from tests.disk.ground import Site, unprivileged


def move(found: Entry, path: bytes, displaced: Entry | None = None) -> Action:
    return Action(Act.MOVE, RelPath(path), found._replace(path=RelPath(path)), found, found.path, displaced)


def problems(site: Site, *actions: Action) -> list[tuple[bytes, str]]:
    return [problem[:2] for problem in site.applier.apply(actions).problems]


def trash(site: Site) -> set[bytes]:
    return {path.partition(b"trash/run/")[2] for path in site.contents(b".aefsync/trash")}


def test_a_directory_is_one_rename(site: Site) -> None:
    site.write(b"old/s/f", b"x")
    inode = os.stat(site.place(b"old/s/f")).st_ino
    assert problems(site, move(site.entry(b"old"), b"new")) == []
    assert site.names() == {b"new", b"new/s", b"new/s/f"}
    assert os.stat(site.place(b"new/s/f")).st_ino == inode
    assert trash(site) == set()


def test_a_directory_that_another_took_the_place_of_stays(site: Site) -> None:
    site.write(b"old/f", b"x")
    found = site.entry(b"old")
    os.rename(site.place(b"old"), site.place(b"elsewhere"))
    site.write(b"old/f", b"y")
    assert problems(site, move(found, b"new")) == [(b"old", "changed since the scan")]
    assert site.names() == {b"old", b"old/f", b"elsewhere", b"elsewhere/f"}


def test_a_directory_is_never_moved_onto_another(site: Site) -> None:
    os.mkdir(site.place(b"new"))
    site.write(b"old/f", b"x")
    assert problems(site, move(site.entry(b"old"), b"new")) == [(b"old", "its new name appeared since the scan")]
    assert site.names() == {b"old", b"old/f", b"new"}


def test_what_takes_the_place_at_the_very_moment_goes_back(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.write(b"a", b"seen", mtime_ns=1)
    found = site.entry(b"a")
    real = renaming.rename_new

    def raced(old_fd: int, old: bytes, new_fd: int, new: bytes) -> None:
        site.write(b"a", b"edited")
        monkeypatch.setattr(moving, "rename_new", real)
        real(old_fd, old, new_fd, new)

    monkeypatch.setattr(moving, "rename_new", raced)
    assert problems(site, move(found, b"b")) == [(b"a", "changed since the scan")]
    assert site.contents()[b"a"] == b"edited"
    assert not site.exists(b"b")


def test_a_path_that_now_leads_elsewhere_is_opened_anew(site: Site) -> None:
    site.write(b"old/f", b"x")
    found = site.entry(b"old/f")
    actions = [
        Action(Act.METADATA, found.path, found._replace(mode=0o600), found),
        move(site.entry(b"old"), b"new"),
        Action(Act.MKDIR, RelPath(b"old"), site.entry(b"old")._replace(mode=0o755), None),
        Action(Act.CREATE, RelPath(b"old/g"), site.staged(b"old/g", b"y"), None),
    ]
    assert problems(site, *actions) == []
    assert site.names() == {b"new", b"new/f", b"old", b"old/g"}


def test_a_directory_that_its_owner_may_not_write(site: Site) -> None:
    site.write(b"p/old/f", b"x")
    os.mkdir(site.place(b"q"))
    for path, mode in ((b"p/old", 0o111), (b"p", 0o555), (b"q", 0o555)):
        os.chmod(site.place(path), mode)
    found = site.entry(b"p/old")
    with unprivileged(site):
        assert problems(site, move(found, b"q/new")) == []
    assert [site.mode(path) for path in (b"q/new", b"p", b"q")] == [0o111, 0o555, 0o555]


@pytest.fixture(params=["exchange", "no exchange"])
def exchange(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "no exchange":
        real = syscalls.renameat2

        def refuse(old_fd: int, old: bytes, new_fd: int, new: bytes, flags: int) -> None:
            if flags == syscalls.RENAME_EXCHANGE:
                raise OSError(errno.EINVAL, "no such flag")
            real(old_fd, old, new_fd, new, flags)

        monkeypatch.setattr(syscalls, "renameat2", refuse)
    return str(request.param)


@pytest.mark.usefixtures("exchange")
def test_two_files_change_places(site: Site) -> None:
    site.write(b"a", b"x")
    site.write(b"d/b", b"y")
    assert problems(site, move(site.entry(b"a"), b"d/b", site.entry(b"d/b"))) == []
    assert (site.read(b"a"), site.read(b"d/b")) == (b"y", b"x")
    assert trash(site) == set()


@pytest.mark.usefixtures("exchange")
def test_three_turn_in_a_circle_and_get_their_metadata(site: Site) -> None:
    for name in (b"a", b"b", b"c"):
        site.write(name, name)
    a, b, c = (site.entry(name) for name in (b"a", b"b", b"c"))
    at_a = RelPath(b"a")
    wanted = c._replace(path=at_a, mode=0o600, mtime_ns=5)
    actions = [
        move(a, b"b", b),
        move(b._replace(path=at_a), b"c", c),
        Action(Act.METADATA, at_a, wanted, c._replace(path=at_a)),
    ]
    assert problems(site, *actions) == []
    assert [site.read(name) for name in (b"a", b"b", b"c")] == [b"c", b"a", b"b"]
    assert (site.mode(b"a"), os.stat(site.place(b"a")).st_mtime_ns) == (0o600, 5)


def test_what_changed_since_keeps_its_place(site: Site) -> None:
    site.write(b"a", b"x")
    site.write(b"b", b"y")
    a, b = site.entry(b"a"), site.entry(b"b")
    site.write(b"b", b"edited")
    assert problems(site, move(a, b"b", b)) == [(b"a", "changed since the scan")]
    assert (site.read(b"a"), site.read(b"b")) == (b"x", b"edited")


def test_a_file_goes_to_another_mount_as_a_verified_copy(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.write(b"a", b"x" * 200_000, mtime_ns=7, mode=0o640)
    monkeypatch.setattr(moving, "rename_new", _exdev)
    assert problems(site, move(site.entry(b"a"), b"b")) == []
    assert site.names() == {b"b"}
    assert (site.mode(b"b"), os.stat(site.place(b"b")).st_mtime_ns) == (0o640, 7)
    assert trash(site) == {b"deleted/a"}


def test_a_directory_goes_to_another_mount_in_pieces(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.write(b"old/f", b"x")
    monkeypatch.setattr(moving, "rename_new", _exdev)
    assert problems(site, move(site.entry(b"old"), b"new")) == []
    assert (site.read(b"new/f"), site.exists(b"old")) == (b"x", False)


def _exdev(*_: object) -> None:
    raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
