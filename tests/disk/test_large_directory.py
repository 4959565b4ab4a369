"""What is listed of a very large directory is what is listed of any, with few of its names in memory."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from aefsync.disk import large_directory, sight, worker
from aefsync.disk.large_directory import list_large_directory
from aefsync.disk.listing import EMPTY, list_directory
from aefsync.disk.spill import Spill
from tests.disk.ground import Ground, finish


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of few names, in pages of fewer."""
    monkeypatch.setattr(large_directory, "MANY", 7)
    monkeypatch.setattr(large_directory, "_RUN", 20)


def fill(ground: Ground, count: int) -> None:
    for number in range(count):
        # In another order than they are made, and of bytes that are no text.
        ground.write(b"%d-\xff" % (number * 7919 % 10007), b"%d" % number)
    os.mkdir(ground.place(b".aefsync"))
    os.mkdir(ground.place(b"directory"))


@pytest.mark.parametrize("count", [0, 1, 17, 18, 19, 20, 39, 100, 2500])
def test_it_is_listed_as_any(ground: Ground, tmp_path: Path, count: int) -> None:
    fill(ground, count)
    listings = list_large_directory(ground.root.fd, Spill(str(tmp_path)), stable=True)
    assert list(listings) == list_directory(ground.root.fd, stable=True)


def test_one_of_which_nothing_belongs_to_the_tree(ground: Ground) -> None:
    os.mkdir(ground.place(b".aefsync"))
    assert list(list_large_directory(ground.root.fd, Spill(None), stable=True)) == [EMPTY]


def test_it_outlives_the_descriptor_and_closes_its_own(ground: Ground, tmp_path: Path) -> None:
    fill(ground, 50)
    expected = list_directory(ground.root.fd, stable=True)
    before = len(os.listdir("/proc/self/fd"))
    fd = os.open(ground.place(b"."), os.O_RDONLY)
    listings = list_large_directory(fd, Spill(str(tmp_path)), stable=True)
    os.close(fd)
    assert list(listings) == expected
    abandoned = list_large_directory(ground.root.fd, Spill(str(tmp_path)), stable=True)
    next(abandoned)
    del abandoned, listings
    assert len(os.listdir("/proc/self/fd")) == before


def test_one_that_is_never_begun_is_closed(ground: Ground) -> None:
    before = len(os.listdir("/proc/self/fd"))
    listings = list_large_directory(ground.root.fd, Spill(None), stable=True)
    assert len(os.listdir("/proc/self/fd")) == before + 1
    del listings
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_page_of_names_that_vanishes_meanwhile_is_none(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large_directory, "ROWS", 2)
    for number in range(10):
        ground.write(b"%d" % number, b"x")
    listings = list_large_directory(ground.root.fd, Spill(None), stable=True)
    for number in range(2, 6):
        os.unlink(ground.place(b"%d" % number))
    assert [each.names for each in listings] == [b"0\x001", b"6\x007", b"8\x009"]


def test_what_vanishes_meanwhile_is_left_out(ground: Ground, tmp_path: Path) -> None:
    fill(ground, 30)
    listings = list_large_directory(ground.root.fd, Spill(str(tmp_path)), stable=True)
    os.unlink(ground.place(b"0-\xff"))
    assert list(listings) == list_directory(ground.root.fd, stable=True)


def test_few_names_are_in_memory(ground: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large_directory, "ROWS", 5)
    fill(ground, 500)
    gets: list[int] = []
    get = Spill.get
    monkeypatch.setattr(Spill, "get", lambda spill, place: gets.append(place) or get(spill, place))
    listings = list_large_directory(ground.root.fd, Spill(str(tmp_path)), stable=True)
    next(listings)
    first = len(gets)
    list(listings)
    assert len(gets) > 3 * first


@pytest.mark.parametrize("full", [False, True])
def test_where_nothing_can_be_put_away_it_is_listed_all_the_same(
    ground: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, full: bool
) -> None:
    fill(ground, 100)
    if full:

        def refuse(*_: object) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(os, "pwrite", refuse)
    listings = list_large_directory(ground.root.fd, Spill(str(tmp_path) if full else None), stable=True)
    assert list(listings) == list_directory(ground.root.fd, stable=True)


def test_a_scan_does_so_by_itself_and_workers_leave_it(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(ground, 60)
    expected = finish(ground.scanner())
    for module in (sight, worker):
        monkeypatch.setattr(module, "LARGE", 0)
    asked: list[int] = []
    whole: Callable[..., object] = list_large_directory
    monkeypatch.setattr(
        sight, "list_large_directory", lambda fd, *words, **more: asked.append(fd) or whole(fd, *words, **more)
    )
    assert finish(ground.scanner()) == expected
    assert len(asked) == 2
    _, path, device, eager = worker.look_columns(b"", os.fstat(ground.root.fd).st_dev, eager=False)
    assert worker._look(ground.root, path, device, eager) == []
