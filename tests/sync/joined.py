"""Sessions within one process: the engine as it is, its replicas served by threads and watched call by call."""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from aefsync.core.digest import KEY_SIZE
from aefsync.core.ports import Access, Missing, Open
from aefsync.disk.replica import LocalReplica
from aefsync.sync.agent import Peers
from aefsync.sync.location import Location
from aefsync.sync.session import Session
from aefsync.wire.serve import Served, serve
from aefsync.wire.stream import SocketStream
from tests.support.memory import MemoryReplica, MemoryTree
from tests.support.served import served

NONCE = bytes(KEY_SIZE)
METHODS = (
    *("hello", "scan", "read_unread", "fingerprints", "entries", "read", "write", "stage", "learn", "apply", "record"),
    *("recipes", "match", "reuse", "movable", "trash", "restore", "purge", "space", "allocated", "close"),
    *("tombstones", "mint", "remember", "search", "runs", "undo", "wait"),
    *("growth", "gather", "grow", "plant", "scrub"),
)
Hook = Callable[[Any], object]
Log = list[tuple[int, str, Any]]


class Watched:
    """A replica around another: notes every call in `log`, counts the files read, runs a hook before a call.

    `log` is shared by the replicas of a session, so that it tells the order of their calls.
    """

    def __init__(self, inner: Served, number: int = 0, log: Log | None = None) -> None:
        self._inner = inner
        self._number = number
        self.log: Log = [] if log is None else log
        self.files_read = 0
        self.hooks: dict[str, Hook] = {}
        self._unread = 0
        for name in METHODS:
            setattr(self, name, self._around(name))

    def __setattr__(self, name: str, value: Any) -> None:
        if name == "on_progress":
            self._inner.on_progress = value
        else:
            super().__setattr__(name, value)

    @property
    def stirred(self) -> threading.Event:
        return self._inner.stirred

    @property
    def calls(self) -> Counter[str]:
        return Counter(method for number, method, _ in self.log if number == self._number)

    def _around(self, name: str) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            argument = arguments[0] if arguments else None
            self.log.append((self._number, name, argument))
            if name in self.hooks:
                self.hooks[name](argument)
            value = getattr(self._inner, name)(*arguments)
            if name in ("scan", "read_unread"):
                self.files_read += self._unread - value.unread_files if name == "read_unread" else 0
                self._unread = value.unread_files
            return value

        return call


@contextlib.contextmanager
def joined(*replicas: Any, access: Access = Access.WRITE, names: str = "ABCDE") -> Iterator[Session]:
    """An open session of these replicas, located at `A`, `B`, …"""
    with contextlib.ExitStack() as stack:
        remotes = tuple(stack.enter_context(served(replica)) for replica in replicas)
        roots = [getattr(replica, "root", b"/" + name.encode()) for replica, name in zip(replicas, names, strict=False)]
        opens = [Open(root, "run", NONCE, access, Missing.REFUSE, b"") for root in roots]
        opened = tuple(remote.hello(each) for remote, each in zip(remotes, opens, strict=True))
        locations = tuple(Location(name, root) for name, root in zip(names, roots, strict=False))
        yield Session(locations, remotes, opened, "run", tuple(opens))


def in_memory(*trees: MemoryTree) -> list[Watched]:
    """A replica for each of these trees, each of which can copy from the others."""
    log: Log = []
    peers = dict(enumerate(trees))
    return [Watched(MemoryReplica(tree, peers), number, log) for number, tree in enumerate(trees)]


class Thread:
    """A replica served by a thread in place of a process."""

    def __init__(self, replica: Any, peers: Peers) -> None:
        self.socket, there = socket.socketpair()
        self._peers = peers
        self._thread = threading.Thread(target=serve, args=(replica, SocketStream(there)))
        self._thread.start()

    def end(self) -> None:
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        self._thread.join()
        for fd in self._peers._roots.values():
            socket.close(fd)
        for peer in self._peers._sockets.values():
            peer.close()


class Crowd:
    """What `spawn` gives, with threads in place of processes."""

    def __init__(self, threads: Sequence[Thread]) -> None:
        self._threads = threads
        self.sockets = tuple(thread.socket for thread in threads)

    def end(self) -> None:
        for thread in self._threads:
            thread.end()


class Threads:
    """In place of `child.spawn`: replicas of this machine in threads; `hooks` as (replica, method) → what to do first."""

    def __init__(self, hooks: dict[tuple[int, str], Hook] | None = None) -> None:
        self.hooks = hooks or {}
        self.log: Log = []
        self.replicas: list[Watched] = []

    def spawn(self, number: int) -> Crowd:
        self.replicas, self.log = [], []
        ends: list[dict[int, socket.socket]] = [{} for _ in range(number)]
        for a, b in itertools.combinations(range(number), 2):
            ends[a][b], ends[b][a] = socket.socketpair()
        return Crowd([self._start(own, Peers(sockets)) for own, sockets in enumerate(ends)])

    def _start(self, number: int, peers: Peers) -> Thread:
        replica = Watched(LocalReplica(peer_root=peers.root, on_root=peers.show), number, self.log)
        replica.hooks = {method: hook for (own, method), hook in self.hooks.items() if own == number}
        self.replicas.append(replica)
        return Thread(replica, peers)

    @property
    def methods(self) -> Sequence[tuple[int, str]]:
        return [(number, method) for number, method, _ in self.log]


@contextlib.contextmanager
def threads(hooks: dict[tuple[int, str], Hook] | None = None) -> Iterator[Threads]:
    """While the context lasts, sessions are served by threads."""
    started = Threads(hooks)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("aefsync.sync.child.spawn", started.spawn)
        yield started
