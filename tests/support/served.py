"""A replica behind the wire: a socket pair, a serve loop in a thread, and a `RemoteReplica` in front."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

from aefsync.wire.calling import OnProgress
from aefsync.wire.remote import RemoteReplica
from aefsync.wire.serve import Served, serve
from aefsync.wire.stream import SocketStream


@contextlib.contextmanager
def served(replica: Served, monitor: OnProgress | None = None) -> Iterator[RemoteReplica]:
    """Serve `replica` while the context lasts; the loop has ended when it is left."""
    here, there = socket.socketpair()
    thread = threading.Thread(target=serve, args=(replica, SocketStream(there)))
    thread.start()
    remote = RemoteReplica(SocketStream(here), monitor, label="B")
    try:
        yield remote
    finally:
        remote.close()
        thread.join()
