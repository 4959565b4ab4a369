"""The parent of a run's replica processes: imports what they need, once for all, forks, and sees them end (`child`).

It has no threads, so that forking is safe, and does nothing else.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import socket
import sys
from typing import NoReturn

from aefsync.core.named_tuple import NamedTuple
from aefsync.sync.agent import serve_child


class Post(NamedTuple):
    """What one of the processes gets: the stream to the coordinator, and the sockets to its peers by their numbers."""

    stream: socket.socket
    peers: dict[int, socket.socket]

    @classmethod
    def of(cls, word: str) -> Post:
        """From `STREAM,PEER:DESCRIPTOR,...`."""
        stream, *peers = word.split(",")
        pairs = [peer.split(":") for peer in peers]
        return cls(socket.socket(fileno=int(stream)), {int(peer): socket.socket(fileno=int(fd)) for peer, fd in pairs})

    def close(self) -> None:
        for each in (self.stream, *self.peers.values()):
            each.close()


def main() -> NoReturn:
    """A process for each of the words, which are posts; ends when the last of them has."""
    # Signals may go to the whole process group; it is the coordinator that decides when a replica ends.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    gc.freeze()
    posts = [Post.of(word) for word in sys.argv[1:]]
    pids: list[int] = []
    with contextlib.suppress(OSError):
        for post in posts:
            pids.append(_fork(post, posts))  # noqa: PERF401  those that were started must be known
    # Each stream is held by its process alone: where one cannot be started, the coordinator sees that at once.
    for post in posts:
        post.close()
    for pid in pids:
        os.waitpid(pid, 0)
    os._exit(0)


def _fork(post: Post, posts: list[Post]) -> int:
    """Start the process of a post, which never comes back from here; its number."""
    if pid := os.fork():
        return pid
    try:
        for other in posts:
            if other is not post:
                other.close()
        serve_child(*post)
    except BaseException:  # noqa: BLE001  there is nobody above to whom it could be raised
        sys.excepthook(*sys.exc_info())
    os._exit(1)
