"""Processes of replicas: how they start, and that they end."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from aefsync.core.action import StageFile
from aefsync.core.ports import Access, Missing, Open, Scan
from aefsync.errors import AefsyncError, UnreachableError
from aefsync.sync import child
from aefsync.sync.child import Agentless, Children, Nursery, spawn
from aefsync.wire.login import Link, Login
from aefsync.wire.remote import RemoteReplica
from aefsync.wire.stream import SocketStream
from tests.support.trees import tree
from tests.sync.joined import NONCE

LINUX = sys.platform == "linux"


def descriptors() -> list[str]:
    return sorted(os.listdir("/proc/self/fd")) if LINUX else []


def group(children: Children) -> list[int]:
    """The processes of the parent's group that run, itself first: those of the replicas are its children."""
    listed = subprocess.run(["ps", "-eo", "pid=,pgid=,stat="], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in listed.splitlines()]
    return sorted(int(pid) for pid, pgid, state in rows if int(pgid) == children.parent.pid and state[0] != "Z")


def replicas(children: Children) -> list[RemoteReplica]:
    return [RemoteReplica(SocketStream(each)) for each in children.sockets]


def opened(replica: RemoteReplica, root: Path | str = "/", access: Access = Access.READ) -> RemoteReplica:
    replica.hello(Open(os.fsencode(root), "run", NONCE, access, Missing.REFUSE, b""))
    return replica


@pytest.fixture
def children() -> Iterator[Children]:
    started = spawn(2)
    yield started
    started.end()


@pytest.mark.parametrize("number", [1, 3])
def test_a_process_for_each_replica_ends_with_its_stream(number: int) -> None:
    before = descriptors()
    started = spawn(number)
    assert len(started.sockets) == number
    for each in replicas(started):
        opened(each)
    assert len(group(started)) == number + 1
    assert started.parent.poll() is None
    started.end()
    assert started.parent.returncode == 0
    assert descriptors() == before


def test_one_may_end_before_the_others(children: Children) -> None:
    first, second = replicas(children)
    opened(first).close()
    opened(second)
    assert children.parent.poll() is None


def test_they_are_out_of_reach_of_the_terminals_signals(children: Children) -> None:
    for each in replicas(children):
        opened(each)
    assert os.getpgid(0) != os.getpgid(children.parent.pid)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.killpg(children.parent.pid, number)
    children.end()
    assert children.parent.returncode == 0


def test_they_copy_directly_from_root_to_root(children: Children, tmp_path: Path) -> None:
    tree(tmp_path / "a", {"f": "bytes"})
    tree(tmp_path / "b", {})
    a, b = (opened(each, tmp_path / name, Access.WRITE) for each, name in zip(replicas(children), "ab", strict=True))
    for replica in (a, b):
        replica.scan(Scan())
    a.read_unread((), None)
    (entry,) = a.entries([(0, 1)])
    staged = b.stage([StageFile(entry, entry.path)], 0)
    assert (staged.contents, staged.problems) == ((entry.content,), ())


def test_what_does_not_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "_END_S", 0.01)
    ours, theirs = socket.socketpair()
    life, held = socket.socketpair()
    with theirs, held:
        forever = "import os, signal\nos.fork()\nwhile True: signal.pause()"
        parent = subprocess.Popen([sys.executable, "-c", forever], pass_fds=[held.fileno()], process_group=0)
        Children([ours], parent, life).end()
    assert parent.returncode == -signal.SIGKILL
    assert ours.fileno() == life.fileno() == -1


def test_the_parent_may_be_gone_already(children: Children) -> None:
    first, second = map(opened, replicas(children))
    children.parent.kill()
    children.parent.wait()
    opened(first)
    opened(second)
    children.end()
    assert children.parent.returncode == -signal.SIGKILL
    assert not group(children)


def test_a_replica_that_is_killed_takes_no_other_along(children: Children) -> None:
    both = list(map(opened, replicas(children)))
    victim = next(pid for pid in group(children) if pid != children.parent.pid)
    os.kill(victim, signal.SIGKILL)
    lost = []
    for each in both:
        try:
            opened(each)
        except UnreachableError:
            lost.append(each)
    assert len(lost) == 1


def test_where_they_cannot_start_nothing_stays_open(monkeypatch: pytest.MonkeyPatch) -> None:
    before = descriptors()

    def fails(*_: object, **__: object) -> None:
        raise OSError("no more processes")

    monkeypatch.setattr(child, "spawn_entry", fails)
    with pytest.raises(AefsyncError, match="no more processes"):
        spawn(2)
    assert descriptors() == before


# a nursery


def test_what_cannot_start_early_is_told_of_when_it_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(child, "spawn_entry", full)
    nursery = Nursery(2)
    with pytest.raises(AefsyncError, match=r"no processes can be started .*: resource temporarily unavailable"):
        nursery.take(2)
    nursery.close()


def test_a_nursery_gives_what_it_has_ready() -> None:
    nursery = Nursery(2)
    ready = nursery._ready
    taken = nursery.take(2)
    assert taken is ready
    nursery.close()
    assert taken.parent.poll() is None  # it is the taker's
    taken.end()


@pytest.mark.parametrize("early", [0, 1, 3])
def test_a_wrong_guess_is_made_good(early: int) -> None:
    before = descriptors()
    nursery = Nursery(early)
    ready = nursery._ready
    taken = nursery.take(2)
    assert len(taken.sockets) == 2
    for each in replicas(taken):
        opened(each)
    taken.end()
    assert taken.parent.returncode == 0
    assert ready is None or ready.parent.returncode == 0
    nursery.close()
    assert descriptors() == before


def test_a_nursery_ends_those_that_nobody_took() -> None:
    nursery = Nursery(1)
    ready = nursery._ready
    nursery.close()
    nursery.close()
    assert ready is not None
    assert ready.parent.returncode == 0


def test_a_replica_that_has_not_reached_its_host_ends_at_once(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setattr(child, "_END_S", 60)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        login = Login("127.0.0.1", None, silent.getsockname()[1])
        begun = Agentless(login, Link(connect_timeout_s=30, retries=0))
        replica = RemoteReplica(SocketStream(begun.socket), label="B")
        asking = threading.Thread(target=hello, args=(replica,))
        asking.start()
        met, _ = silent.accept()
        with met:
            begun.end()
            assert begun._process.returncode == -signal.SIGTERM
        asking.join()
        replica.end()


def hello(replica: RemoteReplica) -> None:
    with pytest.raises(UnreachableError):
        replica.hello(Open(b"/r", "run", NONCE, Access.READ, Missing.REFUSE, b""))
