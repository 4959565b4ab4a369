"""Only what a replica told of may move along with a directory."""

from __future__ import annotations

import os
import subprocess

import pytest

from aefsync.core.path import RelPath
from aefsync.core.renamed import Rename
from aefsync.disk.building import Limits
from aefsync.disk.filter import Filter
from aefsync.disk.movable import are_movable
from tests.disk.ground import ALL, Ground


def movable(ground: Ground, old: bytes = b"old", new: bytes = b"new", limits: Limits = ALL) -> bool:
    scanner = ground.scanner(limits=limits)
    scanner.materialise()
    (told,) = are_movable(ground.root, scanner, [Rename(RelPath(old), RelPath(new))])
    return told


@pytest.fixture(autouse=True)
def furnish(ground: Ground) -> None:
    ground.write(b"old/f", b"x")
    ground.write(b"old/deep/g", b"y")
    ground.write(b"old-not/below.tmp", b"z")


def test_a_plain_directory(ground: Ground) -> None:
    assert movable(ground, limits=Limits(Filter(("*.tmp",))))


def test_into_directories_yet_to_be_made(ground: Ground) -> None:
    assert movable(ground, new=b"some/where/new")


def test_with_something_filtered_below(ground: Ground) -> None:
    ground.write(b"old/deep/x.tmp")
    assert movable(ground)
    assert not movable(ground, limits=Limits(Filter(("*.tmp",))))


def test_with_a_device_below(ground: Ground) -> None:
    os.mkfifo(ground.place(b"old/deep/fifo"))
    assert not movable(ground)


def test_with_a_name_that_no_replica_may_hold(ground: Ground) -> None:
    ground.write(b"old/deep/.AEFSYNC")
    assert not movable(ground)


def test_with_another_root_below(ground: Ground) -> None:
    os.mkdir(ground.place(b"old/deep/.aefsync"))
    assert not movable(ground)


def test_one_that_vanished(ground: Ground) -> None:
    scanner = ground.scanner()
    scanner.materialise()
    os.rename(ground.place(b"old"), ground.place(b"gone"))
    assert are_movable(ground.root, scanner, [Rename(RelPath(b"old"), RelPath(b"new"))]) == [False]


@pytest.mark.parametrize(("mounted", "new"), [(b"old/deep", b"new"), (b"into", b"into/new"), (b"old", b"new")])
def test_across_mounts(ground: Ground, mounted: bytes, new: bytes) -> None:
    """A bind mount has the device number of what it shows, so that tells nothing."""
    os.mkdir(ground.place(b"into"))
    place = ground.place(mounted)
    if subprocess.run(["mount", "--bind", place, place], check=False, capture_output=True).returncode:
        pytest.skip("mounting is for root")
    try:
        assert not movable(ground, new=new)
    finally:
        subprocess.run(["umount", place], check=True)
    assert movable(ground, new=new)
