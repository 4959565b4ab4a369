"""The agent: the process that serves one replica, as a child over a socket or as `aefsync agent` over stdio."""

from __future__ import annotations

import contextlib
import gc
import signal
import socket
import sys

from aefsync.disk.replica import LocalReplica
from aefsync.errors import UnreachableError
from aefsync.wire.serve import serve
from aefsync.wire.stream import SocketStream


class Peers:
    """The sockets to the other replicas of one coordinator: each sends its root's descriptor to all the others."""

    def __init__(self, sockets: dict[int, socket.socket]) -> None:
        self._sockets = sockets
        self._roots: dict[int, int] = {}

    def show(self, root_fd: int) -> None:
        """Hand this replica's root to the others."""
        for peer in self._sockets.values():
            with contextlib.suppress(OSError):
                socket.send_fds(peer, [b"r"], [root_fd])

    def root(self, number: int) -> int:
        """The root of another replica, read only in use."""
        if number not in self._roots:
            peer = self._sockets.get(number)
            if peer is None:
                raise UnreachableError(f"no replica {number} on this machine")
            _, received, _, _ = socket.recv_fds(peer, 1, 1)
            if not received:
                raise UnreachableError(f"replica {number} is gone")
            self._roots[number] = received[0]
        return self._roots[number]


def main() -> None:
    """Serve a replica over the descriptor named first; the further words are `NUMBER:DESCRIPTOR` of its peers."""
    # Ctrl-C goes to the whole process group; it is the coordinator that decides when a replica ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # What a scan builds has no cycles; looking for them costs a third of its time.
    gc.freeze()
    gc.set_threshold(200_000, 20, 100)
    descriptor, *words = sys.argv[1:]
    peers = Peers({int(number): socket.socket(fileno=int(fd)) for number, _, fd in (w.partition(":") for w in words)})
    replica = LocalReplica(peer_root=peers.root, on_root=peers.show)
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        serve(replica, SocketStream(socket.socket(fileno=int(descriptor))))


def serve_stdio(root: bytes | None, read_only: bool) -> None:
    """`aefsync agent`: serve a replica over standard input and output, pinned to `root` where one is given."""
    raise NotImplementedError
