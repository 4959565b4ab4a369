"""Hosts far away, in this very process: agents in threads, reached over streams that are counted and can be cut."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from aefsync.errors import AefsyncError, UnreachableError
from aefsync.sync.agent import Pin, PinnedReplica
from aefsync.wire.login import Link, Login
from aefsync.wire.serve import Served, serve
from aefsync.wire.stream import Copying, SocketStream, Stream


@dataclass
class Line:
    """What goes over the streams to one host, one after the other, and when they break.

    `turns` are round trips as the network sees them: how often something was said after something was heard.
    """

    dials: int = 0
    turns: int = 0
    sent_bytes: int = 0
    received_bytes: int = 0
    writes: int = 0
    replies: int = 0
    was_cut: bool = False
    _heard: bool = field(default=True, repr=False)
    _limits: dict[str, int] = field(default_factory=dict, repr=False)
    _heals: bool = field(default=True, repr=False)

    def begin(
        self,
        writes: int | None = None,
        replies: int | None = None,
        *,
        cut_sent: int | None = None,
        cut_received: int | None = None,
        heals: bool = True,
    ) -> None:
        """Count anew, and cut the stream after so many messages or bytes; if it `heals`, only once."""
        self.dials = self.turns = self.sent_bytes = self.received_bytes = self.writes = self.replies = 0
        self.was_cut, self._heals = False, heals
        limits = {"writes": writes, "replies": replies, "sent_bytes": cut_sent, "received_bytes": cut_received}
        self._limits = {name: limit for name, limit in limits.items() if limit is not None}

    def said(self, data: bytes) -> None:
        self.turns += self._heard
        self._heard = False
        self.writes += 1
        self.sent_bytes += len(data)

    def heard(self, data: bytes) -> None:
        self._heard = True
        self.received_bytes += len(data)

    def look(self, stream: Stream, *names: str) -> None:
        """Cut the stream if it is time to."""
        if any(getattr(self, name) >= self._limits.get(name, 1 << 60) for name in names):
            self.was_cut = True
            if self._heals:
                self._limits = {}
            stream.close()
            raise ConnectionResetError("cut")


class _Ours(Copying):
    """The coordinator's end."""

    def __init__(self, inner: Stream, line: Line) -> None:
        self._inner = inner
        self._line = line
        self.met, self.close = inner.met, inner.close

    @property
    def sent_bytes(self) -> int:
        return self._inner.sent_bytes

    @property
    def received_bytes(self) -> int:
        return self._inner.received_bytes

    def read(self, size: int) -> bytes:
        self._line.look(self._inner, "received_bytes")
        try:
            data = self._inner.read(size)
        except OSError as error:  # the other half of a cut
            raise ConnectionResetError from error
        self._line.heard(data)
        return data

    def write(self, *parts: bytes | memoryview) -> None:
        self._line.look(self._inner, "writes", "sent_bytes")
        self._line.said(b"".join(parts))
        self._inner.write(*parts)

    def loss(self, said: bytes | None) -> AefsyncError:
        return UnreachableError("connection lost", transient=True)


class _Theirs(SocketStream):
    """The agent's end."""

    def __init__(self, connection: socket.socket, line: Line) -> None:
        super().__init__(connection)
        self._line = line

    def write(self, *parts: bytes | memoryview) -> None:
        self._line.look(self, "replies")
        self._line.replies += 1
        super().write(*parts)


@dataclass
class Hosts:
    """The hosts, by name, and what their agents are; `in_turn`: one has ended before the next is started on that host.
    `pins` are what agents of some hosts are started for."""

    lines: dict[str, Line] = field(default_factory=dict)
    in_turn: bool = False
    serving: Callable[[], Served] = lambda: PinnedReplica(Pin())
    pins: dict[str, Pin] = field(default_factory=dict)
    threads: dict[str, list[threading.Thread]] = field(default_factory=dict)

    def line(self, host: str) -> Line:
        return self.lines.setdefault(host, Line())

    def dial(self, login: Login, link: Link, heard: Callable[[str], None], command: str = "") -> Stream:
        if self.in_turn:
            self.rest(login.host)
        here, there = socket.socketpair()
        line = self.line(login.host)
        line.dials += 1
        pin = self.pins.get(login.host)
        serving = self.serving() if pin is None else PinnedReplica(pin)
        thread = threading.Thread(target=serve, args=(serving, _Theirs(there, line)))
        thread.start()
        self.threads.setdefault(login.host, []).append(thread)
        return _Ours(SocketStream(here), line)

    def rest(self, *hosts: str) -> None:
        """Wait until the agents (of these hosts) have ended that nobody is connected to any more: they hold their roots
        until then."""
        for host in hosts or tuple(self.threads):
            for thread in self.threads.pop(host, ()):
                thread.join(30)
                assert not thread.is_alive()


@contextlib.contextmanager
def hosts() -> Iterator[Hosts]:
    """While the context lasts every host is one of these; their agents have ended when it is left."""
    there = Hosts()
    with pytest.MonkeyPatch.context() as patch:
        for module in ("connecting", "session"):
            patch.setattr(f"aefsync.sync.{module}.dial", there.dial)
        yield there
    there.rest()
