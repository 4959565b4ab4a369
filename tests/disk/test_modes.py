"""Directories that have another mode for a while: whatever ends the run meanwhile, they get the one that is theirs."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from aefsync.core.action import Act, Action
from aefsync.core.path import RelPath
from aefsync.core.writing import Durability
from aefsync.disk.directories import OpenDirectories
from aefsync.disk.durability import Durable
from aefsync.disk.intents import settle
from aefsync.disk.modes import PassingMode, PassingModes, finish, of_new
from tests.disk.ground import Site, unprivileged, wanted_directory

NOTES = b".aefsync/modes"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path / "root")
    yield site
    os.chmod(site.path, 0o755)
    site.close()


def made(site: Site, path: bytes, mode: int) -> None:
    """What the end of a batch leaves that makes a directory."""
    assert site.applier.apply([Action(Act.MKDIR, RelPath(path), wanted_directory(path, mode), None)]).done == (True,)


def test_a_new_directory_that_was_not_closed_yet(site: Site) -> None:
    made(site, b"d", 0o550)
    made(site, b"usual", 0o755)
    assert (site.mode(b"d"), site.mode(b"usual")) == (0o750, 0o755)
    assert settle(site.root, site.home) == []
    assert (site.mode(b"d"), site.mode(b"usual")) == (0o550, 0o755)
    assert site.contents(NOTES) == {}


def test_a_new_directory_that_was_just_made(site: Site) -> None:
    site.intents.modes.declare([of_new(b"d", 0o755)])
    os.mkdir(site.place(b"d"), 0o700)
    finish(site.root, site.home)
    assert site.mode(b"d") == 0o755


def test_what_is_over_is_forgotten(site: Site) -> None:
    made(site, b"d", 0o550)
    site.intents.clear(site.root)
    assert (site.mode(b"d"), site.contents(NOTES)) == (0o550, {})


def test_a_mode_that_its_owner_has_set_since_stays(site: Site) -> None:
    made(site, b"d", 0o550)
    os.chmod(site.place(b"d"), 0o770)
    finish(site.root, site.home)
    assert site.mode(b"d") == 0o770


@pytest.mark.parametrize("instead", ["nothing", "a file", "a link"])
def test_what_stands_there_instead_is_left_alone(site: Site, instead: str) -> None:
    os.mkdir(site.place(b"elsewhere"), 0o700)
    site.intents.modes.declare([of_new(b"d", 0o550), of_new(b"e", 0o500)])
    os.mkdir(site.place(b"e"), 0o700)
    if instead == "a file":
        site.write(b"d", mode=0o700)
    elif instead == "a link":
        os.symlink(b"elsewhere", site.place(b"d"))
    finish(site.root, site.home)
    assert (site.mode(b"elsewhere"), site.mode(b"e")) == (0o700, 0o500)
    assert stat.S_IMODE(os.lstat(site.place(b"d")).st_mode) in (0o700, 0o777) if site.exists(b"d") else True
    assert site.contents(NOTES) == {}


def test_half_a_word_counts_for_nothing(site: Site) -> None:
    site.intents.modes.declare([of_new(b"d", 0o550), of_new(b"e", 0o550)])
    for name in (b"d", b"e"):
        os.mkdir(site.place(name), 0o700)
    note = site.place(NOTES + b"/run")
    os.truncate(note, os.stat(note).st_size - 1)
    finish(site.root, site.home)
    assert (site.mode(b"d"), site.mode(b"e")) == (0o550, 0o700)


def test_a_directory_that_its_owner_may_not_write_to(site: Site) -> None:
    os.mkdir(site.place(b"d"), 0o500)
    with unprivileged(site), OpenDirectories(site.root, site.intents.modes) as parents:
        fd = parents.get(b"d")
        assert stat.S_IMODE(os.fstat(fd).st_mode) == 0o700
        finish(site.root, site.home)
        assert stat.S_IMODE(os.fstat(fd).st_mode) == 0o500


def test_only_what_lasts_is_made_durable(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    modes = PassingModes(site.home, "other", Durable(Durability.BATCH))
    modes.declare([of_new(b"d", 0o755)])
    modes.declare([PassingMode(b"e", 0o500, (0o700,))], briefly=True)
    assert synced == []
    modes.declare([of_new(b"f", 0o500)])
    assert len(synced) == 3, "what is written, and its name"
    modes.declare([of_new(b"g", 0o500)])
    assert len(synced) == 4
    modes.close()


@pytest.mark.parametrize("tail", [bytes(9), b"55", b"9 7\0e\0", b"7777777777777777777\0e\0", b"-1 0\0e\0"])
def test_what_makes_no_sense_ends_what_is_to_be_put_right(site: Site, tail: bytes) -> None:
    """As a machine may leave it that lost its power: what stands before that is put right, and no run is stopped by it."""
    made(site, b"d", 0o550)
    os.mkdir(site.place(b"e"), 0o700)
    with open(site.place(NOTES + b"/run"), "ab") as file:
        file.write(tail)
    assert settle(site.root, site.home) == []
    assert (site.mode(b"d"), site.mode(b"e"), site.contents(NOTES)) == (0o550, 0o700, {})
