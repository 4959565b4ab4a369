"""Spawn the process that serves a replica of this machine, and the sockets over which replicas share their roots."""

from __future__ import annotations

import contextlib
import itertools
import socket
import subprocess
from typing import NamedTuple

from aefsync.disk.spawning import spawn_entry

_END_S = 5.0


class Child(NamedTuple):
    """A running replica process and the coordinator's end of its stream."""

    process: subprocess.Popen[bytes]
    socket: socket.socket

    def end(self) -> None:
        """Close the stream, which ends the process, and wait for it; one that does not end is killed."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        try:
            self.process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Nursery:
    """Replica processes that start up while the command line is still being understood.

    `early` is a guess of how many will be wanted; a wrong one costs a little time and nothing else.
    """

    def __init__(self, early: int = 0) -> None:
        self._ready = spawn(early) if early else []

    def take(self, number: int) -> list[Child]:
        """So many replica processes, to be ended by whoever takes them."""
        if len(self._ready) < number:
            self.close()
            return spawn(number)
        taken, self._ready = self._ready[:number], self._ready[number:]
        self.close()
        return taken

    def close(self) -> None:
        """End those that nobody took."""
        for child in self._ready:
            child.end()
        self._ready = []


def spawn(number: int) -> list[Child]:
    """So many replica processes, each pair of them joined by a socket of their own for handing over descriptors."""
    pairs = {pair: socket.socketpair() for pair in itertools.combinations(range(number), 2)}
    children: list[Child] = []
    try:
        for own in range(number):
            peers = {b if a == own else a: ends[own == b] for (a, b), ends in pairs.items() if own in (a, b)}
            children.append(_spawn_one(peers))
    except BaseException:
        for child in children:
            child.end()
        raise
    finally:
        for ends in pairs.values():
            for end in ends:
                end.close()
    return children


def _spawn_one(peers: dict[int, socket.socket]) -> Child:
    ours, theirs = socket.socketpair()
    with theirs:
        words = [f"{peer}:{end.fileno()}" for peer, end in sorted(peers.items())]
        passed = [theirs.fileno(), *(end.fileno() for end in peers.values())]
        process = spawn_entry("aefsync.sync.agent", [str(theirs.fileno()), *words], passed)
    return Child(process, ours)
