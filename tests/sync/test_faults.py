"""Runs whose disk fails at one call, or from then on: old files stay whole, one clear line, and the next run converges.

The long form has every call of every story fail in its turn, each time in another way; the short one a few of them.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path

import pytest

from aefsync.core.silent import Silent
from aefsync.disk import staging
from aefsync.sync.events import Summary, Troubled
from aefsync.sync.repair import repair
from aefsync.sync.request import RepairRequest, Request
from tests.support.stories import STORIES
from tests.support.touches import SHORT, Moment, Touch
from tests.support.trees import tree
from tests.support.trials import Story, grounds, moments, undisturbed
from tests.sync.joined import threads

WRITING = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EACCES)
CREATING = (*WRITING, errno.EMFILE)
READING = (errno.EIO, errno.EACCES, errno.EMFILE)
OPENING = ("open", "openat2_beneath", "scandir", "listdir")
SYNCING = (errno.EIO, errno.ENOSPC)
SQL = ("disk I/O error", "database or disk is full", "attempt to write a readonly database")
PARTIAL = ("write", "pwrite", "read", "pread")
RETRIED = AssertionError("made durable again after that failed")


class Fault:
    """Has a touch fail in one of the ways in which it can, by number, and where it `lasts` all changes after it."""

    def __init__(self, moment: Moment, way: int, *, lasts: bool) -> None:
        self._moment = moment
        self._way = way
        self._lasts = lasts
        self._failed: set[tuple[int, int]] = set()

    def __call__(self, touch: Touch) -> object:
        self._moment.pass_by()
        if touch.name == "fsync" and touch.file in self._failed:
            raise RETRIED
        lasts = self._lasts and self._moment.is_over and touch.writes and not touch.is_sql
        if not self._moment.is_now and not lasts:
            return None
        if touch.name == "fsync":
            # Held for good: once it is removed, another file could get its number.
            os.dup(touch.arguments[0])
            self._failed.add(touch.file)
        return self._fail(touch)

    def _fail(self, touch: Touch) -> object:
        if touch.is_sql:
            raise sqlite3.OperationalError(SQL[self._way % len(SQL)])
        if touch.name in PARTIAL and self._way % 4 == 0:
            return SHORT
        writing = CREATING if touch.name in OPENING else WRITING
        ways = SYNCING if touch.is_synced else writing if touch.writes else READING
        number = ways[self._way % (2 if ways is READING and touch.name not in OPENING else len(ways))]
        raise OSError(number, os.strerror(number))


def fail(folder: Path, story: Story, fault: Fault) -> None:
    """Tell a story whose run meets with a fault."""
    with grounds(folder, story) as found:
        ended = found.run(fault)
        assert not ended.trace, ended.trace
        assert "internal error" not in " ".join(ended.said), ended
        # Who cannot mend because its root cannot be opened is a peer that was not reached.
        assert ended.code in (0, 1, 3, 4) or (ended.code == 7 and story is STORIES["scrub"]), ended
        assert ended.said or ended.code in (0, 1), "not a word about it"
        found.check_whole()
        if story.goes_on:
            assert found.run().code in (0, 1)
            found.check_whole()
        # What could not be looked at is not known to be gone: it may be back.
        found.check_mended(None)


SAMPLE = [("versions, without exchange", 945, 0, True), ("growth", 2500, 1, False)]


@pytest.mark.parametrize(("name", "number", "way", "lasts"), SAMPLE)
def test_a_fault(tmp_path: Path, name: str, number: int, way: int, *, lasts: bool) -> None:
    fail(tmp_path / "it", STORIES[name], Fault(Moment(number), way, lasts=lasts))


@pytest.mark.slow
@pytest.mark.parametrize("name", STORIES)
def test_every_fault(tmp_path: Path, name: str) -> None:
    ended, _ = undisturbed(tmp_path / "whole", STORIES[name])
    for number, moment in moments(ended):
        fail(tmp_path / str(number), STORIES[name], Fault(moment, number // 3, lasts=number % 3 == 0))


@pytest.mark.parametrize("kept", [b"one", b"none"])
def test_a_disk_that_is_full_when_the_first_file_is_completed_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: bytes
) -> None:
    """Also where that one was copied from what B had already, which is no trouble in itself: it may be brought instead."""
    a, b = tree(tmp_path / "A", {"x/first": "one", "y/second": "two"}), tree(tmp_path / "B", {"kept": kept})
    tree(a, {"kept": kept})
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def fail(*_: object) -> None:
        raise full

    monkeypatch.setattr(staging, "finish_new", fail)
    asked = RepairRequest(Request((str(a), str(b)), state_dir=str(tmp_path / "state")))
    with threads():
        *told, ended = list(repair(asked, Silent()))
    assert isinstance(ended, Summary)
    assert ended.exit_code == 4
    assert [each.problem.reason for each in told if isinstance(each, Troubled)] == ["no space left on device"]


class Stuck:
    """Two names cannot be exchanged."""

    def __init__(self, *names: bytes) -> None:
        self._names = set(names)

    def __call__(self, touch: Touch) -> object:
        if touch.name == "renameat2" and {touch.arguments[1], touch.arguments[3]} == self._names:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return None


def test_what_did_not_change_places_is_not_taken_for_what_belongs_there(tmp_path: Path) -> None:
    """They have one size and one mtime: nothing but the version tells that they are to change places."""
    with grounds(tmp_path / "it", STORIES["changed places"]) as found:
        ended = found.run(Stuck(b"f0", b"f1"))
        assert ended.code == 4
        assert any("input/output error" in line for line in ended.said)
        found.check_whole()
        found.check_mended(None)
