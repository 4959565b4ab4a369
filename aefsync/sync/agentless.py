"""The process that serves a replica which no agent serves: it speaks SFTP to the far side, and messages to us."""

from __future__ import annotations

import contextlib
import gc
import getpass
import json
import os
import signal
import socket
import sys
from collections.abc import Callable
from functools import partial

from aefsync.disk.far.replica import FarReplica
from aefsync.sync.reconnecting import Patience, persistently
from aefsync.wire.login import Link, Login, Transport
from aefsync.wire.serve import serve
from aefsync.wire.sftp.client import SftpFiles
from aefsync.wire.stream import SocketStream, Stream
from aefsync.wire.throttle import ThrottledStream


def main() -> None:
    """Serve a replica over the descriptor named first; the other words are a login and a link, as JSON."""
    # It is the coordinator that decides when a replica ends.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    gc.freeze()
    descriptor, told, how = sys.argv[1:]
    login, link = Login(*json.loads(told)), Link(*json.loads(how))
    link = link._replace(transport=Transport(link.transport))
    replica = FarReplica(partial(_connected, login, link), name_of(login, link))
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        serve(replica, SocketStream(socket.socket(fileno=int(descriptor))))
    os._exit(0)


def _connected(login: Login, link: Link) -> SftpFiles:
    """Log in, as often as it takes.  So long nothing is held over there, and SIGTERM ends the process at once."""
    before = signal.signal(signal.SIGTERM, signal.SIG_DFL)
    try:
        return persistently(lambda _: connect(login, link, _ask), Patience(link.retries))
    finally:
        signal.signal(signal.SIGTERM, before)


def name_of(login: Login, link: Link) -> bytes:
    """What the index of a root knows its host by."""
    return f"{login} {login.port or link.port or ''}".encode("utf-8", "surrogateescape")


def connect(login: Login, link: Link, ask: Callable[[str], str] | None) -> SftpFiles:
    """Log in, and find an SFTP server; raises `AefsyncError`.  `ask` asks for a password (`None`: nobody is asked)."""
    from aefsync.wire import paramiko

    stream: Stream = paramiko.connect(login, link, "sftp", lambda line: None, ask, is_subsystem=True)
    if link.bytes_per_s is not None:
        stream = ThrottledStream(stream, link.bytes_per_s)
    try:
        return SftpFiles(stream)
    except BaseException:
        stream.close()
        raise


def _ask(question: str) -> str:
    """Ask on the terminal; whoever is tired of it may press Ctrl-C, and gets the terminal back as it was."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(number, signal.default_int_handler) for number in numbers]
    try:
        return getpass.getpass(question)
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
