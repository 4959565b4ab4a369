"""Slots: whatever is said to be free, nothing in the trash is ever replaced."""

from __future__ import annotations

import os

import pytest

from aefsync.core.action import Act, Action
from aefsync.core.path import RelPath
from aefsync.disk import trash
from aefsync.disk.trash import DELETED, REPLACED
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
