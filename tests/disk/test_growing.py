"""New entries that come by columns: made ready in beds, planted with few renames, durable first, and never over anything."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from aefsync.core.digest import content_digest
from aefsync.core.growth import SMALL, Growth
from aefsync.core.metadata import PLAIN, Aspects
from aefsync.core.past import Title
from aefsync.core.writing import Durability
from aefsync.disk import copying, small_files, syscalls
from aefsync.disk.confined import ConfinedRoot
from aefsync.disk.crew import Task
from aefsync.disk.growing import Growing
from aefsync.disk.journal import Journal, Recorded, path_of
from aefsync.disk.lasting import LastingFile
from aefsync.disk.planting import Planting
from aefsync.disk.ready import Job
from aefsync.disk.recording import Placed
from aefsync.disk.small_files import gather
from tests.core.test_growth import growth_of
from tests.disk.ground import Ground, Site, later

Names = list[bytes]


class Garden:
    """A root that something grows on, and the one that it is copied from."""

    def __init__(self, site: Site, other: Ground, aspects: Aspects = PLAIN) -> None:
        self.site, self.other = site, other
        self.growing = Growing(site.root, site.staging, aspects)
        self.placed = Placed()
        self.touched: set[bytes] = set()
        self.journal = Journal(LastingFile(site.home, path_of("run"), site.durable), Title("repair"))

    def growth(self, *paths: bytes) -> Growth:
        return growth_of(*(self.other.entry(path, read=False) for path in paths))

    def grow(self, *paths: bytes) -> Growth:
        growth = self.growth(*paths)
        self.growing.grow(growth, b"", self.other.root)
        return growth

    def plant(self) -> bytes:
        site = self.site
        parts = (site.root, site.staging.fd, site.durable, self.journal, site.intents.modes, self.placed, self.touched)
        return Planting(*parts, stable=True).plant(*self.growing.take())


@pytest.fixture
def garden(site: Site, other: Ground) -> Garden:
    other.write(b"new/a", b"content of a", mode=0o604)
    other.write(b"new/deep/b", b"content of b", mode=0o400)
    other.write(b"new/deep/c", b"", mode=0o4755)
    os.symlink(b"a", other.place(b"new/link"))
    os.chmod(other.place(b"new"), 0o750)
    os.chmod(other.place(b"new/deep"), 0o555)
    return Garden(site, other)


ALL = (b"new", b"new/a", b"new/deep", b"new/deep/b", b"new/deep/c", b"new/link")


@pytest.fixture
def renames(monkeypatch: pytest.MonkeyPatch) -> Names:
    """The names that things are renamed to."""
    return noting(monkeypatch, "renameat2", lambda _, __, ___, new, *____: new)


def noting(monkeypatch: pytest.MonkeyPatch, call: str, what: Callable[..., bytes]) -> Names:
    found: Names = []
    real = getattr(syscalls, call)

    def noted(*arguments: object) -> object:
        found.append(what(*arguments))
        return real(*arguments)

    monkeypatch.setattr(syscalls, call, noted)
    return found


def test_a_new_sub_tree_is_one_rename(garden: Garden, renames: Names) -> None:
    garden.grow(*ALL)
    assert not garden.site.exists(b"new")
    assert garden.plant() == b"\1" * 6
    assert renames == [b"new"]
    assert garden.site.contents(b"new") == garden.other.contents(b"new")
    modes = {path: garden.site.mode(path) for path in ALL if path != b"new/link"}
    # A directory stays usable for its owner until all is in it; special bits do not count.
    assert modes == {b"new": 0o750, b"new/a": 0o604, b"new/deep": 0o755, b"new/deep/b": 0o400, b"new/deep/c": 0o755}
    assert os.readlink(garden.site.place(b"new/link")) == b"a"
    for path in (b"new/a", b"new/deep/b", b"new/link"):
        assert os.lstat(garden.site.place(path)).st_mtime_ns == os.lstat(garden.other.place(path)).st_mtime_ns
    assert garden.touched == {b""}


def test_what_is_new_in_a_directory_that_is_there_comes_thing_by_thing(garden: Garden, renames: Names) -> None:
    garden.site.write(b"new/old", b"stays")
    garden.grow(*ALL[1:])
    assert garden.plant() == b"\1" * 5
    assert renames == [b"a", b"deep", b"link"]
    assert garden.site.read(b"new/old") == b"stays"
    assert garden.touched == {b"new\0"}


def test_parts_grow_into_one(garden: Garden, renames: Names) -> None:
    for path in ALL:
        garden.grow(path)
    assert garden.plant() == b"\1" * 6
    assert renames == [b"new"]
    assert garden.plant() == b""


def test_a_root_without_its_directory_gets_nothing(garden: Garden) -> None:
    garden.grow(*ALL[1:])
    assert garden.plant() == b"\0" * 5
    assert garden.site.names() == set()


def test_nothing_is_replaced(garden: Garden) -> None:
    garden.site.write(b"new/a", b"appeared")
    garden.site.write(b"new/deep", b"appeared, too")
    garden.grow(*ALL[1:])
    assert garden.plant() == b"\0\0\0\0\1"
    assert garden.site.read(b"new/a") == b"appeared"
    assert garden.site.read(b"new/deep") == b"appeared, too"


def test_what_is_not_plain_is_left(garden: Garden) -> None:
    garden.other.write(b"new/large", b"x" * (SMALL + 1))
    paths = sorted([*ALL, b"new/large"], key=lambda path: path.replace(b"/", b"\0"))
    growth = garden.growth(*paths)
    garden.other.write(b"new/deep/b", b"content of B")
    garden.growing.grow(growth, b"", garden.other.root)
    flags = dict(zip(paths, garden.plant(), strict=True))
    assert {path for path, flag in flags.items() if not flag} == {b"new/large", b"new/deep/b"}
    assert garden.site.names() == {path for path, flag in flags.items() if flag}


@pytest.mark.skipif(os.geteuid() != 0, reason="a group of its own takes root")
def test_a_directory_that_hands_down_its_group_gets_nothing_so(garden: Garden) -> None:
    os.chmod(garden.site.path, 0o2755)
    garden.grow(*ALL)
    assert garden.plant() == b"\0" * 6


def test_what_does_not_count_is_as_of_a_new_file(site: Site, other: Ground) -> None:
    other.write(b"a", b"x", mode=0o666, mtime_ns=5)
    garden = Garden(site, other, PLAIN._replace(mode_bits=0, times=False))
    umask = os.umask(0o027)
    try:
        garden.grow(b"a")
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(umask)
    assert garden.plant() == b"\1"
    assert site.mode(b"a") == 0o640
    assert os.stat(site.place(b"a")).st_mtime_ns != 5


def test_data_is_durable_and_written_down_before_anything_is_renamed(
    garden: Garden, renames: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    monkeypatch.setattr(syscalls, "syncfs", lambda _: order.append(f"synced, {len(renames)} renamed"))
    intend = garden.journal.intend_growth

    def intending(growth: Growth) -> None:
        order.append(f"intended, {len(renames)} renamed")
        intend(growth)

    monkeypatch.setattr(garden.journal, "intend_growth", intending)
    garden.grow(*ALL)
    garden.plant()
    assert order == ["synced, 0 renamed", "intended, 0 renamed"]


@pytest.mark.parametrize("where", ["sync", "journal"])
def test_what_cannot_be_made_durable_or_written_down_is_not_planted(
    garden: Garden, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(5, "input/output error")

    monkeypatch.setattr(*((syscalls, "syncfs") if where == "sync" else (garden.journal, "intend_growth")), fail)
    garden.grow(*ALL)
    assert garden.plant() == b"\0" * 6
    assert garden.site.names() == set()


def test_a_disk_that_fails_in_the_middle_leaves_no_half_file(garden: Garden, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write

    def half(fd: int, data: memoryview) -> int:
        return write(fd, data[: len(data) // 2])

    monkeypatch.setattr(small_files.os, "write", half)
    growth = garden.growth(*ALL)
    garden.growing.grow(growth, b"", garden.other.root)
    monkeypatch.undo()
    assert garden.plant() == b"\1\0\1\0\1\1"  # half of nothing is all of it
    assert garden.site.names() == {b"new", b"new/deep", b"new/deep/c", b"new/link"}


def test_what_cannot_be_taken_away_again_spoils_all(garden: Garden, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise PermissionError(1, "no")

    growth = garden.growth(*ALL)
    monkeypatch.setattr(small_files.os, "utime", fail)
    monkeypatch.setattr(small_files.os, "unlink", fail)
    garden.growing.grow(growth, b"", garden.other.root)
    monkeypatch.undo()
    assert garden.plant() == b"\0" * 6
    assert garden.site.names() == set()


def test_a_directory_that_is_no_good_spoils_all(garden: Garden, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise PermissionError(1, "no")

    growth = garden.growth(*ALL)
    monkeypatch.setattr(os, "chmod", fail)
    assert garden.growing.grow(growth, b"", garden.other.root) == bytes(32 * 6)
    monkeypatch.undo()
    assert garden.plant() == b"\0" * 6
    assert garden.grow(*ALL).length == 6
    assert garden.plant() == b"\1" * 6


def test_nothing_of_it_is_read_again(garden: Garden) -> None:
    scanner = garden.site.scanner(clock_ns=later)
    garden.site.write(b"kept", b"x")
    garden.grow(*ALL)
    garden.plant()
    garden.site.write(b"new/a", b"edited at once")
    scanner.rescan(garden.touched, partial(garden.placed.complete, scanner, ()))
    unread = {
        prefix.replace(b"\0", b"/") + page.name_list()[index]
        for (prefix, _), page in scanner.pages.items()
        for index in page.unread()
    }
    assert unread == {b"kept", b"new/a"}


def test_the_journal_tells_of_all_of_it(garden: Garden) -> None:
    garden.site.write(b"new/a", b"in the way")
    garden.grow(*ALL[1:])
    garden.plant()
    garden.journal.close()
    recorded = Recorded(garden.site.home, "run")
    changes = recorded.batch(0)
    assert (recorded.batches, recorded.counts.created) == (1, 4)
    assert [bytes(change.path) for change in changes] == [*ALL[2:]]
    for change in changes:
        assert change.before is None
        assert change.after is not None
        seen = os.lstat(garden.site.place(change.path))
        if not stat.S_ISDIR(seen.st_mode):
            assert (change.after.ctime_ns, change.after.inode) == (seen.st_ctime_ns, seen.st_ino)
    recorded.close()


def test_a_run_that_was_killed_while_it_planted_may_have_done_so(garden: Garden) -> None:
    garden.journal.intend_growth(garden.growth(*ALL))
    recorded = Recorded(garden.site.home, "run")
    assert [bytes(change.path) for change in recorded.batch(0)] == [*ALL]
    recorded.close()


def test_without_durability_nothing_is_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site, other = Site(tmp_path / "site", durability=Durability.NONE), Ground(tmp_path / "other")
    synced = noting(monkeypatch, "syncfs", lambda *_: b"")
    other.write(b"a", b"x")
    garden = Garden(site, other)
    garden.grow(b"a")
    assert (garden.plant(), synced) == (b"\1", [])
    site.close()
    other.close()


def test_packed_bytes_are_written_and_checked(garden: Garden) -> None:
    growth = garden.growth(b"new", b"new/a")
    data = b"content of a"
    load = growth.with_contents(bytes(32) + content_digest(data))
    assert garden.growing.grow(load, data, None) == bytes(32) + content_digest(data)
    assert garden.plant() == b"\1\1"
    assert garden.site.read(b"new/a") == data


def test_bytes_that_are_not_those_that_were_read_do_not_travel(garden: Garden) -> None:
    growth = garden.growth(b"new", b"new/a", b"new/deep/b")
    rotten = growth.with_contents(bytes(32) + content_digest(b"content of x") + content_digest(b"content of b"))
    gathered = gather(garden.other.root, rotten, memoryview(bytearray(100)))
    assert gathered == (bytes(64) + content_digest(b"content of b"), b"content of b")


@pytest.mark.parametrize("room", [0, 11, 12, 23, 24])
def test_what_there_is_no_room_for_does_not_travel(garden: Garden, room: int) -> None:
    growth = garden.growth(b"new", b"new/a", b"new/deep/b")
    gathered = gather(garden.other.root, growth, memoryview(bytearray(room)))
    came = [size for size in growth.with_contents(gathered.contents).sizes_read() if size]
    assert came == [12] * (room // 12)
    assert gathered.data == b"content of acontent of b"[: room - room % 12]


@pytest.fixture
def forest(site: Site, other: Ground, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Garden, list[bytes]]]:
    """A garden worth several workers."""
    monkeypatch.setattr(copying, "MANY", 1)
    paths = [b"d"]
    for number in range(600):
        paths.append(b"d/%03d-%b" % (number, b"n" * 100))
        other.write(paths[-1], b"%d" % number, mode=0o600 + number % 0o70)
    garden = Garden(site, other)
    garden.growing = Growing(site.root, site.staging, PLAIN, parallel=2)
    yield garden, paths
    garden.growing.close()


def test_workers_copy_what_one_would(forest: tuple[Garden, list[bytes]]) -> None:
    garden, paths = forest
    garden.other.write(b"d/large", b"x" * (SMALL + 1))
    growth = garden.growth(*paths, b"d/large")
    garden.other.write(paths[7], b"edited")
    contents = garden.growing.grow(growth, b"", garden.other.root)
    assert contents[64:96] == content_digest(b"1")
    flags = garden.plant()
    assert [paths[number] for number in range(601) if not flags[number]] == [paths[7]]
    assert flags[-1] == 0
    seen = {path: data for path, data in garden.other.contents().items() if path not in (paths[7], b"d/large")}
    assert {path: data for path, data in garden.site.contents().items() if not path.startswith(b".aefsync")} == seen
    assert all(garden.site.mode(path) == garden.other.mode(path) for path in seen)


@pytest.mark.parametrize("where", ["at once", "in the middle"])
def test_what_a_worker_leaves_undone_is_done_without_it(
    forest: tuple[Garden, list[bytes]], where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    garden, paths = forest

    def work(crew: copying.Crew, following: Callable[[], Task | None]) -> Iterator[tuple[Task, None]]:
        while (task := following()) is not None:
            if where == "in the middle":
                job = task.what
                assert isinstance(job, Job)
                with ConfinedRoot(garden.site.staging.fd).directory(job.place) as fd:
                    os.close(os.open(job.files.names[0], os.O_CREAT | os.O_WRONLY, 0o600, dir_fd=fd))
            yield task, None

    monkeypatch.setattr(copying.Crew, "work", work)
    garden.grow(*paths)
    assert garden.plant() == b"\1" * 601
    assert garden.site.contents(b"d") == garden.other.contents(b"d")
