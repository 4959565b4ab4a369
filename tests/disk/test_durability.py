from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from aefsync.core.action import Act, Action, StageFile
from aefsync.core.entry import Entry, Kind
from aefsync.core.path import RelPath
from aefsync.core.ports import Access, Missing, Open, Piece, Scan
from aefsync.core.writing import Durability, Writing
from aefsync.disk import syscalls
from aefsync.disk.durability import FEW, Durable
from aefsync.disk.replica import LocalReplica
from aefsync.disk.sparse import BLOCK
from tests.disk.file_systems import Mounted
from tests.disk.ground import Ground, Site, wanted


class Calls:
    """What is forced to the disk, by name: the directory or file at a descriptor, `*` for a whole file system."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.made: list[str] = []
        self.failing: set[str] = set()
        self.error = errno.EIO
        monkeypatch.setattr(os, "fsync", self._fsync)
        monkeypatch.setattr(syscalls, "syncfs", self._syncfs)
        self.whole: list[str] = []
        """The directories at whose descriptors a whole file system was."""

    def _fsync(self, fd: int) -> None:
        self._note(os.path.basename(os.readlink(f"/proc/self/fd/{fd}")))

    def _syncfs(self, fd: int) -> None:
        self.whole.append(os.readlink(f"/proc/self/fd/{fd}"))
        self._note("*")

    def _note(self, name: str) -> None:
        self.made.append(name)
        if name in self.failing:
            raise OSError(self.error, os.strerror(self.error))


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    return Calls(monkeypatch)


@pytest.fixture(params=Durability)
def level(request: pytest.FixtureRequest) -> Durability:
    level: Durability = request.param
    return level


@pytest.fixture
def levelled(tmp_path: Path, level: Durability) -> Iterator[Site]:
    site = Site(tmp_path / "site", durability=level)
    yield site
    site.close()


def test_each_or_all_together(ground: Ground, calls: Calls, level: Durability) -> None:
    durable = Durable(level)
    each = [durable.is_each(count) for count in (1, FEW, FEW + 1)]
    assert each == {Durability.FULL: [True] * 3, Durability.BATCH: [True, True, False]}.get(level, [False] * 3)
    for count in (FEW, FEW + 1):
        durable.files(ground.root.fd, count)
    assert calls.made == (["*"] if level is Durability.BATCH else [])


def test_a_new_file(levelled: Site, calls: Calls, level: Durability) -> None:
    entry = levelled.staged(b"f", b"new")
    assert levelled.applier.apply([Action(Act.CREATE, entry.path, entry, None)]).done == (True,)
    full = ["00000001", "site"]
    assert calls.made == {Durability.FULL: full, Durability.BATCH: full[:1]}.get(level, [])


@pytest.mark.parametrize("act", [Act.COPY, Act.DELETE])
def test_what_goes_to_the_trash(levelled: Site, calls: Calls, level: Durability, act: Act) -> None:
    levelled.write(b"d/f", b"old")
    found = levelled.entry(b"d/f")
    entry = levelled.staged(b"d/f", b"new") if act is Act.COPY else None
    calls.made.clear()
    assert levelled.applier.apply([Action(act, found.path, entry, found)]).done == (True,)
    assert calls.made == (["d", "d"] if level is Durability.FULL else [])


def test_directories(ground: Ground, calls: Calls, level: Durability) -> None:
    names = [b"%d" % number for number in range(FEW + 1)]
    for name in names:
        os.mkdir(ground.place(name))
    durable = Durable(level)
    directories = [(ground.root, name) for name in [*names[1:], b"gone"]]
    assert durable.directories(directories[1:], [ground.root.fd]) == {}
    assert calls.made == ([name.decode() for name in names[2:]] if level is Durability.BATCH else [])
    calls.made.clear()
    assert durable.directories([(ground.root, name) for name in names], [ground.root.fd] * 2) == {}
    assert calls.made == (["*", "*"] if level is Durability.BATCH else [])


@pytest.mark.parametrize("number", [errno.EINVAL, errno.EIO])
@pytest.mark.parametrize("count", [2, FEW + 1])
def test_directories_that_could_not_be_made_durable(ground: Ground, calls: Calls, number: int, count: int) -> None:
    names = [b"%d" % number for number in range(count)]
    for name in names:
        os.mkdir(ground.place(name))
    calls.failing, calls.error = {"1", "*"}, number
    directories = [(ground.root, name) for name in names]
    failed = Durable().directories(directories, [ground.root.fd])
    if count > FEW:
        assert failed == dict.fromkeys(directories, os.strerror(number).lower())
    else:
        assert failed == ({directories[1]: "input/output error"} if number == errno.EIO else {})
    assert len(calls.made) == (count if count <= FEW else 1), "nothing is tried twice"


def test_a_directory_that_could_not_be_made_durable_is_never_asked_again(ground: Ground, calls: Calls) -> None:
    os.mkdir(ground.place(b"d"))
    durable = Durable(Durability.FULL)
    calls.failing = {"d"}
    with ground.root.directory(b"d") as fd, ground.root.directory(b"") as top:
        for _ in range(2):
            with pytest.raises(OSError, match=os.strerror(errno.EIO)):
                durable.step(fd)
            calls.failing = set()
        durable.step(top)
    assert calls.made.count("d") == 1


def test_a_directory_that_is_not_durable_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And what was placed there is not taken for known."""
    ground = Ground(tmp_path / "root")
    os.mkdir(ground.place(b"bad"))
    replica = LocalReplica()
    replica.hello(Open(os.fsencode(ground.path), "run", bytes(32), Access.WRITE, Missing.REFUSE, b""))
    replica.scan(Scan())
    entries = [wanted(path, path) for path in (b"good", b"bad/file")]
    replica.write([Piece(entry.path, 0, entry.size, bytes(entry.path)) for entry in entries])
    replica.stage([StageFile(entry, entry.path) for entry in entries], None)
    assert replica.apply([Action(Act.CREATE, entry.path, entry, None) for entry in entries]).done == (True, True)
    calls = Calls(monkeypatch)
    calls.failing = {"bad"}
    scanned = replica.record()
    assert [(problem.path, problem.reason) for problem in scanned.problems] == [
        (b"bad", "not durable: input/output error")
    ]
    assert (scanned.entries, scanned.unread_files) == (3, 0)
    replica.close()
    ground.close()


def test_many_directories_on_a_mount_below_the_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where nothing but directories was made there, so that it has no annex."""
    ground = Ground(tmp_path / "root")
    parents = [b"mnt/%d" % number for number in range(FEW + 1)]
    for parent in parents:
        os.makedirs(ground.place(parent))
    Mounted(monkeypatch, ground.place(b"mnt"), os.fsencode(ground.path))
    replica = LocalReplica()
    replica.hello(Open(os.fsencode(ground.path), "run", bytes(32), Access.WRITE, Missing.REFUSE, b""))
    replica.scan(Scan())
    made = [Entry(RelPath(parent + b"/new"), Kind.DIRECTORY, 0o755, 0, 0, 1, 1, b"") for parent in parents]
    assert all(replica.apply([Action(Act.MKDIR, entry.path, entry, None) for entry in made]).done)
    calls = Calls(monkeypatch)
    replica.record()
    assert calls.whole == [str(ground.path / ".aefsync"), str(ground.path / "mnt")]
    replica.close()
    ground.close()


def test_writing_in_a_session_goes_by_its_level(tmp_path: Path, calls: Calls, level: Durability) -> None:
    ground = Ground(tmp_path / "root")
    replica = LocalReplica()
    terms = Writing(level)
    replica.hello(Open(os.fsencode(ground.path), "run", bytes(32), Access.WRITE, Missing.REFUSE, b"", writing=terms))
    replica.scan(Scan())
    entry = wanted(b"f", b"new")
    replica.write([Piece(entry.path, 0, 3, b"new")])
    replica.stage([StageFile(entry, RelPath(b"f"))], None)
    replica.apply([Action(Act.CREATE, entry.path, entry, None)])
    replica.record()
    replica.close()
    ground.close()
    assert [name for name in calls.made if name in ("00000001", "root")] == (
        [] if level is Durability.NONE else ["00000001", "root"]
    )


@pytest.mark.parametrize("level", Durability)
def test_the_disk_begins_early_with_a_large_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, level: Durability
) -> None:
    begun: list[tuple[int, int]] = []
    monkeypatch.setattr(syscalls, "begin_writing", lambda fd, offset, length: begun.append((offset, length)))
    site, other = Site(tmp_path / "site", durability=level), Ground(tmp_path / "other")
    size = BLOCK + 1
    for name in (b"small", b"large"):
        other.write(name, b"x" * (size if name == b"large" else 5))
        file = StageFile(other.entry(name), RelPath(name))
        assert site.staging.stage([file], other.root).problems == ()
    assert begun == ([] if level is Durability.NONE else [(0, BLOCK)])
    site.close()
    other.close()
