"""Start the processes that serve the replicas of this machine, and end them.

What such a process needs is imported once, by their **parent** (`sync/parent`), a small process without threads, which
then forks; it stays to see them end.  Each has a stream to the coordinator, and a socket to each of the others over
which they share their roots.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import socket
import subprocess
from collections.abc import Sequence

from aefsync.core.problem import reason_of
from aefsync.disk.spawning import spawn_entry
from aefsync.errors import AefsyncError
from aefsync.wire.login import Link, Login

_END_S = 5.0
_LIGHTLY = ("sys.modules['typing_extensions'] = None", "import msgspec", "del sys.modules['typing_extensions']")
"""msgspec needs nothing, but where there are typing_extensions it imports them, and so `inspect`: a sixth of all imports."""


class Children:
    """Replica processes that run, and the coordinator's ends of their streams.

    `life` is the end of a socket whose other end they and `parent` have open: its stream ends with the last of them.
    """

    def __init__(self, sockets: Sequence[socket.socket], parent: subprocess.Popen[bytes], life: socket.socket) -> None:
        self.sockets = tuple(sockets)
        self.parent = parent
        self._life = life

    def end(self) -> None:
        """Close the streams, which ends the processes, and wait for that; those that do not end are killed."""
        for each in self.sockets:
            _close(each)
        try:
            self._life.settimeout(_END_S)
            self._life.recv(1)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.parent.pid, signal.SIGKILL)
        except OSError:  # ended before
            pass
        self._life.close()
        self.parent.wait()

    def first(self, number: int) -> None:
        """Keep only so many."""
        for each in self.sockets[number:]:
            _close(each)
        self.sockets = self.sockets[:number]


def _close(stream: socket.socket) -> None:
    with contextlib.suppress(OSError):
        stream.shutdown(socket.SHUT_RDWR)
    stream.close()


class Nursery:
    """Replica processes that start up while the command line is still being understood.

    `early` is a guess of how many will be wanted; a wrong one costs a little time and nothing else.
    """

    def __init__(self, early: int = 0) -> None:
        self._ready: Children | None = None
        # What cannot be started yet is tried again, and told of, when it is wanted.
        with contextlib.suppress(AefsyncError):
            self._ready = spawn(early) if early else None

    def take(self, number: int) -> Children:
        """So many replica processes, to be ended by whoever takes them."""
        ready = self._ready
        if ready is None or len(ready.sockets) < number:
            self.close()
            return spawn(number)
        self._ready = None
        ready.first(number)
        return ready

    def close(self) -> None:
        """End those that nobody took."""
        if self._ready is not None:
            self._ready.end()
        self._ready = None


def spawn(number: int) -> Children:
    """So many replica processes; raises `AefsyncError` where the system has no room for them."""
    try:
        return _spawned(number)
    except OSError as error:
        reason = reason_of(error)
        raise AefsyncError(f"no processes can be started for the replicas of this machine: {reason}") from error


def _spawned(number: int) -> Children:
    """The processes, each pair of them joined by a socket of their own for handing over descriptors."""
    pairs = [socket.socketpair() for _ in range(number + 1)]
    joined = {pair: socket.socketpair() for pair in itertools.combinations(range(number), 2)}
    (life, *ours), theirs = zip(*pairs, strict=True)
    passed = [*theirs, *itertools.chain.from_iterable(joined.values())]
    words = []
    for own, stream in enumerate(theirs[1:]):
        peers = {b if a == own else a: ends[own == b] for (a, b), ends in joined.items() if own in (a, b)}
        words.append(",".join([str(stream.fileno()), *(f"{peer}:{end.fileno()}" for peer, end in peers.items())]))
    try:
        parent = spawn_entry("aefsync.sync.parent", words, [end.fileno() for end in passed], before=_LIGHTLY)
    except BaseException:
        for end in (life, *ours):
            end.close()
        raise
    finally:
        for end in passed:
            end.close()
    return Children(ours, parent, life)


class Agentless:
    """The process of a replica that it reaches by SFTP, and the coordinator's end of its stream."""

    def __init__(self, login: Login, link: Link) -> None:
        self.socket, theirs = socket.socketpair()
        with theirs:
            words = [str(theirs.fileno()), json.dumps(login), json.dumps(link)]
            self._process = spawn_entry("aefsync.sync.agentless", words, [theirs.fileno()], before=_LIGHTLY, asks=True)

    def end(self) -> None:
        """Close the stream, which ends the process, and wait for that; one that does not end is killed.

        SIGTERM is for one that has not reached its host yet: the others do not hear it.
        """
        _close(self.socket)
        self._process.terminate()
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
