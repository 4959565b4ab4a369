"""What systemd is told, over a socket of the test's own."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from aefsync.cli.supervisor import TICK_S, Supervisor


class Listener:
    """Hears datagrams at a path."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.setblocking(False)

    def heard(self) -> list[str]:
        found = []
        while True:
            try:
                found.append(self._socket.recv(100).decode())
            except BlockingIOError:
                return found

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Listener]:
    listener = Listener(tmp_path / "notify")
    yield listener
    listener.close()


def test_it_is_told_once_that_we_are_ready_and_that_we_stop(systemd: Listener) -> None:
    supervisor = Supervisor({"NOTIFY_SOCKET": str(systemd.path)})
    supervisor.ready()
    supervisor.ready()
    supervisor.alive()
    supervisor.stopping()
    assert systemd.heard() == ["READY=1", "STOPPING=1"]
    assert supervisor.tick_s == TICK_S


def test_it_is_told_that_we_live_as_often_as_it_wants(systemd: Listener) -> None:
    times = iter((0.0, 0.0, 1.0, 4.9, 5.0, 9.0, 10.0))
    environ = {"NOTIFY_SOCKET": str(systemd.path), "WATCHDOG_USEC": "20000000", "WATCHDOG_PID": str(os.getpid())}
    supervisor = Supervisor(environ, lambda: next(times))
    assert supervisor.tick_s == 10
    for _ in range(6):
        supervisor.alive()
    assert systemd.heard() == ["WATCHDOG=1"] * 3


@pytest.mark.parametrize("more", [{"WATCHDOG_PID": "1"}, {"WATCHDOG_USEC": "soon"}, {"WATCHDOG_USEC": "0"}])
def test_what_is_meant_for_another_process_is_left_alone(systemd: Listener, more: dict[str, str]) -> None:
    supervisor = Supervisor({"NOTIFY_SOCKET": str(systemd.path), "WATCHDOG_USEC": "1000000", **more})
    supervisor.alive()
    assert systemd.heard() == []


def test_without_anybody_there_nothing_is_said(tmp_path: Path) -> None:
    Supervisor({}).ready()
    Supervisor({"NOTIFY_SOCKET": str(tmp_path / "nobody")}).stopping()
