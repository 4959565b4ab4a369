"""After a rename of a directory nothing in it is read again; after anything less certain, it is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from aefsync.disk import adopting
from aefsync.disk.building import Limits
from aefsync.disk.filesystem import REMOTE
from aefsync.disk.filter import Filter
from aefsync.disk.index import Index
from tests.disk.ground import Ground, Opens, finish, later, pass_the_step


@pytest.fixture(params=["one by one", "by listing"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "by listing":
        monkeypatch.setattr(adopting, "MANY", 0)
    return str(request.param)


def furnish(ground: Ground, index: Index) -> None:
    for number in range(5):
        ground.write(b"old/f%d" % number, b"%d" % number)
        ground.write(b"old/deep/er/g%d" % number, b"g%d" % number)
    os.symlink(b"f1", ground.place(b"old/link"))
    ground.look(index, clock_ns=later)


@pytest.mark.usefixtures("way")
def test_a_renamed_directory_is_not_read(ground: Ground, index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    furnish(ground, index)
    os.rename(ground.place(b"old"), ground.place(b"new"))
    opens = Opens(monkeypatch)
    found = ground.look(index, clock_ns=later)
    assert opens.names == []
    monkeypatch.undo()
    assert found == ground.look()
    assert index.vanished({b"", b"new\0", b"new\0deep\0", b"new\0deep\0er\0"}) == []


def test_what_was_changed_in_it_is_read(ground: Ground, index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    furnish(ground, index)
    seen = os.stat(ground.place(b"old/f1"))
    os.rename(ground.place(b"old"), ground.place(b"new"))
    ground.write(b"new/f1", b"X", mtime_ns=seen.st_mtime_ns)
    ground.write(b"new/h", b"added")
    os.rename(ground.place(b"new/f2"), ground.place(b"new/f2 renamed"))
    opens = Opens(monkeypatch)
    found = ground.look(index, clock_ns=later)
    assert opens.names == [b"f1", b"f2 renamed", b"h"]
    monkeypatch.undo()
    assert found == ground.look()


@pytest.mark.usefixtures("way")
def test_what_was_racy_is_read(ground: Ground, index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    ground.write(b"old/f", b"x")
    ground.look(index, clock_ns=lambda: 0)
    os.rename(ground.place(b"old"), ground.place(b"new"))
    opens = Opens(monkeypatch)
    ground.look(index, clock_ns=later)
    assert opens.names == [b"f"]


@pytest.mark.usefixtures("way")
def test_without_stable_inodes_all_is_read(ground: Ground, index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    ground.write(b"old/f", b"x")
    ground.look(index, file_system=REMOTE, clock_ns=later)
    os.rename(ground.place(b"old"), ground.place(b"new"))
    opens = Opens(monkeypatch)
    ground.look(index, file_system=REMOTE, clock_ns=later)
    assert opens.names == [b"f"]


def test_checksum_believes_nothing(ground: Ground, index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    ground.write(b"old/f", b"x")
    ground.look(index, clock_ns=later)
    os.rename(ground.place(b"old"), ground.place(b"new"))
    opens = Opens(monkeypatch)
    ground.look(index, Limits(Filter(()), ignore_index=True), clock_ns=later)
    assert opens.names == [b"f"]


def test_a_directory_moved_by_the_run_is_not_read(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    ground.write(b"old/f", b"x")
    ground.write(b"old/deep/g", b"y")
    pass_the_step()
    scanner = ground.scanner()
    before = finish(scanner)
    os.mkdir(ground.place(b"into"))
    os.rename(ground.place(b"old"), ground.place(b"into/new"))
    opens = Opens(monkeypatch)
    assert scanner.rescan([b""]) == {b"", b"into\0", b"into\0new\0", b"into\0new\0deep\0"}
    found = finish(scanner)
    assert opens.names == []
    assert found[b"into/new/deep/g"].content == before[b"old/deep/g"].content


def test_from_an_index_that_is_only_fallen_back_on(
    ground: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    local = os.fspath(tmp_path / "local.db")
    first = Index(local)
    furnish(ground, first)
    first.close()
    os.rename(ground.place(b"old"), ground.place(b"new"))
    index = Index(os.fspath(tmp_path / "cache.db"), fallback=local)
    opens = Opens(monkeypatch)
    ground.look(index, clock_ns=later)
    index.close()
    assert opens.names == []
