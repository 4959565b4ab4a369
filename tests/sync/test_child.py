"""Processes of replicas: how they start, and that they end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from aefsync.core.action import StageFile
from aefsync.core.ports import Access, Missing, Open, Scan
from aefsync.sync import child
from aefsync.sync.child import Child, Nursery, spawn
from aefsync.wire.remote import RemoteReplica
from aefsync.wire.stream import SocketStream
from tests.support.trees import tree
from tests.sync.joined import NONCE


def descriptors() -> list[str]:
    return sorted(os.listdir("/proc/self/fd")) if sys.platform == "linux" else []


@pytest.fixture
def children() -> Iterator[list[Child]]:
    started = spawn(2)
    yield started
    for each in started:
        each.end()


def test_a_process_for_each_replica_ends_with_its_stream() -> None:
    before = descriptors()
    started = spawn(3)
    assert len({each.process.pid for each in started}) == 3
    for each in started:
        assert each.process.poll() is None
        each.end()
    assert [each.process.returncode for each in started] == [0, 0, 0]
    assert descriptors() == before


def test_no_process_for_no_replica() -> None:
    assert spawn(0) == []


def test_a_child_is_out_of_reach_of_the_terminals_signals(children: list[Child]) -> None:
    own = os.getpgid(0)
    assert all(os.getpgid(each.process.pid) != own for each in children)
    replica = RemoteReplica(SocketStream(children[0].socket))
    replica.hello(Open(b"/", "run", NONCE, Access.READ, Missing.REFUSE, b""))
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        children[0].process.send_signal(number)
    replica.close()
    assert children[0].process.wait() == 0


def test_children_copy_directly_from_root_to_root(children: list[Child], tmp_path: Path) -> None:
    tree(tmp_path / "a", {"f": "bytes"})
    tree(tmp_path / "b", {})
    replicas = [RemoteReplica(SocketStream(each.socket)) for each in children]
    for replica, name in zip(replicas, "ab", strict=True):
        replica.hello(Open(os.fsencode(tmp_path / name), "run", NONCE, Access.WRITE, Missing.REFUSE, b""))
        replica.scan(Scan())
    replicas[0].read_unread((), None)
    (entry,) = replicas[0].entries([(0, 1)])
    staged = replicas[1].stage([StageFile(entry, entry.path)], 0)
    assert (staged.contents, staged.problems) == ((entry.content,), ())


def test_a_child_that_does_not_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "_END_S", 0.0)
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen([sys.executable, "-c", "import signal\nwhile True: signal.pause()"])
        Child(process, ours).end()
    assert process.returncode == -signal.SIGKILL
    assert ours.fileno() == -1


def test_a_child_may_be_gone_already() -> None:
    (only,) = spawn(1)
    only.process.kill()
    only.process.wait()
    only.end()
    assert only.process.returncode == -signal.SIGKILL


def test_where_one_cannot_start_the_others_end(monkeypatch: pytest.MonkeyPatch) -> None:
    before = descriptors()
    started: list[Child] = []
    original = child._spawn_one

    def second_fails(peers: dict[int, socket.socket]) -> Child:
        if started:
            raise OSError("no more processes")
        started.append(original(peers))
        return started[0]

    monkeypatch.setattr(child, "_spawn_one", second_fails)
    with pytest.raises(OSError, match="no more processes"):
        spawn(2)
    assert [each.process.returncode for each in started] == [0]
    assert descriptors() == before


# a nursery


def test_a_nursery_gives_what_it_has_ready() -> None:
    nursery = Nursery(2)
    ready = list(nursery._ready)
    taken = nursery.take(2)
    assert taken == ready
    nursery.close()
    assert [each.process.poll() for each in taken] == [None, None]  # they are the taker's
    for each in taken:
        each.end()


@pytest.mark.parametrize("early", [0, 1])
def test_a_wrong_guess_is_made_good(early: int) -> None:
    before = descriptors()
    nursery = Nursery(early)
    ready = list(nursery._ready)
    taken = nursery.take(2)
    assert len(taken) == 2
    for each in taken:
        each.end()
    assert [each.process.returncode for each in (*ready, *taken)] == [0] * (early + 2)
    nursery.close()
    assert descriptors() == before


def test_a_nursery_ends_those_that_nobody_took() -> None:
    nursery = Nursery(1)
    (only,) = nursery._ready
    nursery.close()
    nursery.close()
    assert only.process.returncode == 0
