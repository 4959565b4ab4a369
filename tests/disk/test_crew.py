from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from aefsync.core.digest import content_digest
from aefsync.core.entry import UNKNOWN, Entry
from aefsync.core.ports import Access, Missing, Open, Scan, Scanned
from aefsync.disk import crew as crews
from aefsync.disk import spreading
from aefsync.disk.crew import Crew, Task
from aefsync.disk.filesystem import LOCAL
from aefsync.disk.hashing import SMALL, Seen
from aefsync.disk.index import Index
from aefsync.disk.replica import LocalReplica
from aefsync.disk.scan import Scanner
from aefsync.disk.sight import LocalSight
from aefsync.disk.summing import sum_up
from aefsync.disk.worker import contents_read, look_columns, looked, read_columns
from tests.disk.ground import ALL, Ground, finish, later, unprivileged


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crews, "ENTRIES", 1)
    monkeypatch.setattr(spreading, "_RUN_BYTES", 20_000)


@pytest.fixture
def forest(ground: Ground) -> Ground:
    """A tree with some of everything that a worker meets, and must leave to the replica."""
    for number in range(120):
        ground.write(b"%d/%d/file \xff%d" % (number % 3, number % 7, number), b"content %d" % (number % 10) * number)
    ground.write(b"1/large", bytes(range(256)) * (SMALL // 128))
    ground.write(b"2/empty")
    os.symlink(b"../nowhere", ground.place(b"2/3/link"))
    os.mkfifo(ground.place(b"2/3/fifo"))
    os.mkdir(ground.place(b"0/nothing in here"))
    return ground


def taken(ground: Ground, parallel: int, *, eager: bool = False) -> tuple[Scanned, Scanned, dict[bytes, Entry]]:
    """A scan, everything read, and all entries, where so many processes may be used."""
    crew = Crew(ground.root.fd, parallel)
    try:
        limits = ALL._replace(eager=eager)
        scanner = Scanner(LocalSight(ground.root, LOCAL, limits, crew=crew, clock_ns=later), Index(None), limits)
        scanner.scan()
        scanned = sum_up(scanner, complete=False)
        entries = finish(scanner)
        return scanned, sum_up(scanner, complete=True), entries
    finally:
        crew.close()


def test_a_replica_uses_as_many_as_it_may(forest: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    start, started = crews.spawn_entry, []

    def counted(*arguments: Any) -> subprocess.Popen[bytes]:
        started.append(start(*arguments))
        return started[-1]

    monkeypatch.setattr(crews, "spawn_entry", counted)
    replica = LocalReplica()
    try:
        replica.hello(Open(os.fsencode(forest.path), "", bytes(32), Access.READ, Missing.REFUSE, b"", 3))
        replica.scan(Scan())
        assert [process.poll() for process in started] == [None] * 3
    finally:
        replica.close()
    assert None not in [process.returncode for process in started]


@pytest.mark.parametrize("eager", [False, True])
def test_any_number_of_processes_finds_the_same(forest: Ground, eager: bool) -> None:
    alone = taken(forest, 1, eager=eager)
    assert alone[1].entries == 148
    for parallel in (2, 4):
        assert taken(forest, parallel, eager=eager) == alone


def test_a_directory_of_many_files_is_read_in_runs(ground: Ground) -> None:
    for number in range(40):
        ground.write(b"many/%03d" % number, b"x" * 1000 * number)
    assert taken(ground, 3) == taken(ground, 1)


def test_what_cannot_be_read_is_a_problem_as_without_workers(forest: Ground) -> None:
    os.chmod(forest.place(b"0/1"), 0)
    os.chmod(next(iter(Path(os.fsdecode(forest.place(b"1/2"))).iterdir())), 0)
    with unprivileged(forest):
        alone = taken(forest, 1)
        assert [problem.reason for problem in alone[1].problems] == ["permission denied"] * 2
        assert taken(forest, 2) == alone


def test_work_of_workers_that_die_is_done_all_the_same(forest: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    alone = taken(forest, 1)
    started: list[subprocess.Popen[bytes]] = []
    start = crews.spawn_entry

    def doomed(*arguments: Any) -> subprocess.Popen[bytes]:
        process = start(*arguments)
        started.append(process)
        os.kill(process.pid, signal.SIGKILL)
        return process

    monkeypatch.setattr(crews, "spawn_entry", doomed)
    assert taken(forest, 2) == alone
    assert [process.returncode for process in started] == [-signal.SIGKILL] * 2


def test_one_of_two_workers_may_die_with_work_in_hand(forest: Ground) -> None:
    paths = [b"%d/%d" % (a, b) for a in range(3) for b in range(7)]
    crew = Crew(forest.root.fd, 2)
    device = os.fstat(forest.root.fd).st_dev
    tasks = iter([Task(path, look_columns(path, device, eager=False)) for path in paths])
    found, left = {}, []
    try:
        for task, columns in crew.work(lambda: next(tasks, None)):
            if columns is None:
                left.append(task.what)
            else:
                found[task.what] = looked(columns)[0][0].names
            if len(found) == 1 and not left:
                assert crew._workers is not None
                crew._workers[0].process.kill()
                crew._workers[0].process.wait()
        assert sorted([*found, *left]) == paths
        assert len(crew._workers or ()) == 1
    finally:
        crew.close()


def test_workers_start_with_the_first_work_that_pays(forest: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*arguments: object) -> None:
        raise AssertionError("a worker was started")

    monkeypatch.setattr(crews, "ENTRIES", 149)
    monkeypatch.setattr(crews, "spawn_entry", never)
    assert taken(forest, 4)[1].entries == 148


def test_files_are_looked_at_below_the_root_only(ground: Ground, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_bytes(b"secret")
    os.symlink(tmp_path / "outside", ground.place(b"link"))
    crew = Crew(ground.root.fd, 2)
    try:
        device = os.fstat(ground.root.fd).st_dev
        tasks = iter([Task(path, look_columns(path, device, eager=True)) for path in (b"link", b"../outside", b"gone")])
        assert [columns for _, columns in crew.work(lambda: next(tasks, None))] == [None, None, None]
    finally:
        crew.close()


def test_a_file_in_any_trouble_is_left_to_the_replica(forest: Ground) -> None:
    names = [b"empty", b"gone", b"3"]
    seen = [Seen(0, 0, 0, 0)._replace(mtime_ns=os.lstat(forest.place(b"2/empty")).st_mtime_ns)] * 3
    crew = Crew(forest.root.fd, 2)
    try:
        tasks = iter([Task(None, read_columns(b"2", names, seen))])
        ((_, columns),) = crew.work(lambda: next(tasks, None))
        assert columns is not None
        assert contents_read(columns) == [content_digest(b""), UNKNOWN, UNKNOWN]
    finally:
        crew.close()


def test_work_given_up_midway_is_not_answered_later(forest: Ground) -> None:
    device = os.fstat(forest.root.fd).st_dev
    crew = Crew(forest.root.fd, 2)
    try:
        tasks = iter([Task(n, look_columns(b"%d" % n, device, eager=False)) for n in (0, 1, 2)])
        for _ in crew.work(lambda: next(tasks, None)):
            break
        tasks = iter([Task(b"2/3", look_columns(b"2/3", device, eager=False))])
        ((task, columns),) = crew.work(lambda: next(tasks, None))
        assert task.what == b"2/3"
        assert columns is None or b"link" in looked(columns)[0][0].names.split(b"\0")
    finally:
        crew.close()


def test_another_file_system_is_left_to_the_replica(ground: Ground) -> None:
    crew = Crew(ground.root.fd, 2)
    try:
        tasks = iter([Task(None, look_columns(b"", 0, eager=False))])
        assert [columns for _, columns in crew.work(lambda: next(tasks, None))] == [None]
    finally:
        crew.close()


ORPHANED = """
import os, signal, sys
from aefsync.disk.crew import Crew, Task
from aefsync.disk.worker import look_columns
root = os.open(sys.argv[1], os.O_RDONLY)
crew = Crew(root, 2)
tasks = iter([Task(None, look_columns(b"", os.fstat(root).st_dev, eager=False))])
list(crew.work(lambda: next(tasks, None)))
print(*(worker.process.pid for worker in crew._workers), flush=True)
sys.stdin.read(1)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_workers_end_when_the_replica_is_killed(ground: Ground) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", ORPHANED, os.fsencode(ground.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert process.stdout is not None
    watched = [os.pidfd_open(int(pid)) for pid in process.stdout.readline().split()]
    process.communicate(b"\n")
    assert process.returncode == -signal.SIGKILL
    assert len(watched) == 2
    for descriptor in watched:
        assert select.select([descriptor], [], [], 30)[0], "a worker outlived its replica"
        os.close(descriptor)
