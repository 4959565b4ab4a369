"""Which names are one file, as the disk tells it."""

from __future__ import annotations

import errno
import os
from typing import Any

import pytest

from aefsync.core.entry import UNKNOWN
from aefsync.core.problem import Problem
from aefsync.core.snapshot import Snapshot
from aefsync.disk import linking
from aefsync.disk.blocks import assemble
from aefsync.disk.filesystem import LOCAL, FileSystem
from aefsync.disk.linking import linked
from aefsync.disk.recording import unread_among
from tests.disk.ground import Ground


def unheard(prefix: bytes, problem: Problem) -> None:
    raise AssertionError(problem)


def leaders(ground: Ground, file_system: FileSystem = LOCAL) -> dict[bytes, bytes]:
    blocks = linked(ground.root, assemble(ground.scanner(file_system=file_system).pages), unheard)
    return {bytes(entry.path): entry.leader for entry in Snapshot(blocks).entries()}


def several(ground: Ground) -> None:
    ground.write(b"d/x", b"1")
    os.link(ground.place(b"d/x"), ground.place(b"a"))
    ground.write(b"alone", b"2")
    os.symlink(b"a", ground.place(b"link"))
    os.link(ground.place(b"link"), ground.place(b"link too"), follow_symlinks=False)


def test_only_files_with_several_names_in_the_tree_have_a_leader(ground: Ground, other: Ground) -> None:
    several(ground)
    os.link(ground.place(b"alone"), other.place(b"outside"))
    assert leaders(ground) == {b"a": b"a", b"alone": b"", b"d": b"", b"d/x": b"a", b"link": b"", b"link too": b""}
    assert leaders(ground, LOCAL._replace(stable=False)) == leaders(ground)


def test_files_of_two_file_systems_are_never_one(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    several(ground)
    real, devices = os.stat, iter((1, 2))

    class Elsewhere:
        def __init__(self, seen: os.stat_result) -> None:
            self.st_nlink, self.st_ino, self.st_dev = seen.st_nlink, seen.st_ino, next(devices)

    scanned = assemble(ground.scanner().pages)
    monkeypatch.setattr(linking.os, "stat", lambda *args, **kwargs: Elsewhere(real(*args, **kwargs)))
    blocks = linked(ground.root, scanned, unheard)
    assert not any(entry.leader for entry in Snapshot(blocks).entries())


def test_what_is_read_of_one_name_is_known_of_the_others(ground: Ground) -> None:
    several(ground)
    blocks = assemble(ground.scanner().pages)
    assert all(entry.content == UNKNOWN for entry in linked(ground.root, blocks, unheard)[0].entries(0, 1))
    known = [block._replace(contents=block.contents[:-32] + b"k" * 32) if block.prefix else block for block in blocks]
    found = {bytes(entry.path): entry.content for entry in Snapshot(linked(ground.root, known, unheard)).entries()}
    assert found[b"a"] == found[b"d/x"] == b"k" * 32
    assert found[b"alone"] == UNKNOWN


def test_names_that_are_unread_are_found_when_their_file_was_changed_under_another(ground: Ground) -> None:
    several(ground)
    pages = ground.scanner().pages
    inode = os.stat(ground.place(b"a")).st_ino
    assert unread_among(pages, {inode}) == {b"", b"d\0"}
    assert unread_among(pages, {os.stat(ground.place(b"d")).st_ino}) == set()
    assert unread_among(pages, ()) == set()


@pytest.mark.parametrize(("number", "told"), [(errno.EMFILE, True), (errno.EIO, True), (errno.ENOENT, False)])
def test_what_cannot_be_looked_at_is_a_problem_unless_it_is_gone(
    ground: Ground, monkeypatch: pytest.MonkeyPatch, number: int, *, told: bool
) -> None:
    several(ground)
    blocks, real = assemble(ground.scanner().pages), os.stat

    def failing(name: bytes, **how: Any) -> os.stat_result:
        if name == b"x":
            raise OSError(number, os.strerror(number))
        return real(name, **how)

    monkeypatch.setattr(linking.os, "stat", failing)
    reported: list[tuple[bytes, Problem]] = []
    linked(ground.root, blocks, lambda prefix, problem: reported.append((prefix, problem)))
    problem = Problem(b"d/x", os.strerror(number).lower(), subtree=True)
    assert reported == ([(b"d\0", problem)] if told else [])
