"""What stops many actions is told once."""

from __future__ import annotations

import errno
import os
import shutil

import pytest

from aefsync.core.action import Act, Action
from aefsync.core.path import RelPath
from aefsync.core.problem import Problem
from aefsync.disk import placing
from aefsync.disk.looking import Refused
from aefsync.disk.troubles import Troubles
from tests.disk.ground import NOBODY, Site, unprivileged, wanted, wanted_directory


def create(site: Site, *paths: bytes) -> list[Action]:
    return [Action(Act.CREATE, RelPath(path), site.staged(path, b"new"), None) for path in paths]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_a_directory_that_may_not_be_written_is_one_problem(site: Site) -> None:
    os.mkdir(site.place(b"d"))
    os.mkdir(site.place(b"d/below"))
    actions = create(site, b"d/a", b"d/b", b"d/below/c", b"fine")
    with unprivileged(site):
        os.seteuid(0)
        for path in (b"d", b"d/below"):
            os.chown(site.place(path), NOBODY + 1, 0)
        os.seteuid(NOBODY)
        applied = site.applier.apply(actions)
        again = site.applier.apply(actions[:1])
    assert applied.done == (False, False, False, True)
    assert applied.problems == (Problem(b"d", "permission denied: nothing in it can be changed"),)
    assert again.problems == ()


def test_a_file_system_that_became_read_only_is_one_problem(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(placing, "rename_new", refuse)
    applied = site.applier.apply(create(site, b"a", b"b"))
    assert applied.problems == (Problem(b"", "read-only file system: nothing in it can be changed"),)


def test_a_root_that_was_deleted_is_one_problem(site: Site) -> None:
    actions = create(site, b"a", b"b")
    shutil.rmtree(site.path)
    applied = site.applier.apply(actions)
    assert applied.problems == (Problem(b"", "the root was deleted during the run"),)


def test_what_should_have_come_into_a_directory_that_was_not_made_is_not_told_of(site: Site) -> None:
    made = Action(Act.MKDIR, RelPath(b"d"), wanted_directory(b"d"), None)
    troubles = Troubles(site.root)
    assert troubles.of(made, Refused("appeared since the scan")) == [Problem(b"d", "appeared since the scan")]
    inside = Action(Act.CREATE, RelPath(b"d/x"), wanted(b"d/x", b""), None)
    missing = FileNotFoundError(errno.ENOENT, "No such file or directory")
    assert troubles.of(inside, missing) == []
    beside = Action(Act.CREATE, RelPath(b"e/x"), wanted(b"e/x", b""), None)
    assert troubles.of(beside, missing) == [Problem(b"e/x", "no such file or directory")]
