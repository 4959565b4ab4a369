"""Slots: whatever is said to be free, nothing in the trash is ever replaced."""

from __future__ import annotations

import errno
import os

import pytest

from aefsync.core.action import Act, Action
from aefsync.core.path import RelPath
from aefsync.disk import placing, syscalls, trash
from aefsync.disk.trash import DELETED, REPLACED
from tests.disk.file_systems import refusing
from tests.disk.ground import Site

PATHS = [b"d/a", b"d/b", b"e/a", b"d/a", b"d/b", b"d/c", b"e/a", b"top", b"top"]
PLACES = ["d/a", "d/b", "e/a", ".1/d/a", ".1/d/b", "d/c", ".1/e/a", "top", ".1/top"]


@pytest.mark.parametrize("remembered", [1, 1 << 16])
def test_each_slot_is_another_one(site: Site, monkeypatch: pytest.MonkeyPatch, remembered: int) -> None:
    monkeypatch.setattr(trash, "_REMEMBERED", remembered)
    for why in (REPLACED, DELETED):
        for path in PATHS:
            fd, name = site.trash.slot(why, RelPath(path))
            os.close(os.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, dir_fd=fd))
        made = {place for place in map(os.fsdecode, site.contents(b".aefsync/trash/run")) if why in place}
        assert made == {f".aefsync/trash/run/{why}{place if place[0] == '.' else '/' + place}" for place in PLACES}


def test_what_a_new_directory_is_for_is_free_without_a_look(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[bytes] = []
    is_free = trash._is_free
    monkeypatch.setattr(trash, "_is_free", lambda fd, name: looks.append(name) or is_free(fd, name))
    for path in (b"d/a", b"d/b", b"e/a", b"e/b", b"d/c"):
        site.trash.slot(REPLACED, RelPath(path))
    assert looks == [b"c"]


def copy(site: Site, path: bytes, found: bytes = b"") -> Action:
    return Action(Act.COPY, RelPath(path), site.staged(path, b"new"), site.entry(found or path))


def edited_at_the_last_moment(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Just as it goes to the trash somebody edits `f`, and then no other name can be given to it."""
    exchange = syscalls.renameat2

    def edit(old_fd: int, old: bytes, new_fd: int, new: bytes, flags: int) -> None:
        if flags == syscalls.RENAME_EXCHANGE:
            site.write(b"f", b"edited")
            exchange(old_fd, old, new_fd, new, flags)
            monkeypatch.setattr(placing, "rename_new", refusing(errno.EIO))
        else:
            exchange(old_fd, old, new_fd, new, flags)

    monkeypatch.setattr(syscalls, "renameat2", edit)


def test_who_wants_no_trash_gets_it_emptied_but_for_what_is_nowhere_else(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (b"f", b"g", b"h"):
        site.write(name, b"old " + name)
    refused = copy(site, b"g", b"h")
    assert site.applier.apply([copy(site, b"h"), refused]).done == (True, False)
    site.trash.empty()
    assert site.contents(b".aefsync/trash") == {}, "nothing was taken of what was refused"
    edited_at_the_last_moment(site, monkeypatch)
    assert site.applier.apply([copy(site, b"f")]).done == (False,)
    for _ in range(2):
        site.trash.empty()
        assert set(site.contents(b".aefsync/trash").values()) == {b"edited"}


def test_an_exchange_that_was_made_though_it_is_said_to_have_failed(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.write(b"f", b"old")
    exchange = syscalls.renameat2

    def made_all_the_same(old_fd: int, old: bytes, new_fd: int, new: bytes, flags: int) -> None:
        exchange(old_fd, old, new_fd, new, flags)
        if flags == syscalls.RENAME_EXCHANGE:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(syscalls, "renameat2", made_all_the_same)
    assert site.applier.apply([copy(site, b"f")]).done == (True,)
    assert (site.read(b"f"), site.read(b".aefsync/trash/run/replaced/f")) == (b"new", b"old")


def test_what_came_to_a_slot_meanwhile_is_not_replaced(site: Site) -> None:
    site.write(b"d/a", b"old a")
    site.write(b"d/b", b"old b")
    for path in (b"d/a", b"d/b"):
        if path == b"d/b":
            site.write(b".aefsync/trash/run/replaced/d/b", b"somebody else's")
        action = Action(Act.COPY, RelPath(path), site.staged(path, b"new"), site.entry(path))
        applied = site.applier.apply([action])
        assert applied.done == (path == b"d/a",)
    assert [(each.path, each.reason) for each in applied.problems] == [(b"d/b", "exists already")]
    assert (site.read(b"d/a"), site.read(b"d/b")) == (b"new", b"old b")
    assert site.read(b".aefsync/trash/run/replaced/d/a") == b"old a"
    assert site.read(b".aefsync/trash/run/replaced/d/b") == b"somebody else's"
