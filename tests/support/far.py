"""Hosts far away, in this very process: agents in threads, reached over streams that are counted and can be cut."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from aefsync.errors import AefsyncError
from aefsync.sync.agent import Pin, PinnedReplica
from aefsync.wire.login import Link, Login
from aefsync.wire.serve import Served, serve
from aefsync.wire.stream import SocketStream, Stream


@dataclass
class Line:
    """What went over the streams to one host, one after the other, and when they break.

    `turns` are round trips as the network sees them: how often something was said after something was heard.
    `cut_after` writes of the coordinator (`cut_replies`: of the agent) the stream of that time breaks; the next one
    holds, if `heals`.
    """

    dials: int = 0
    turns: int = 0
    sent_bytes: int = 0
    received_bytes: int = 0
    writes: int = 0
    replies: int = 0
    cut_after: int | None = None
    cut_replies: int | None = None
    heals: bool = True
    heard: bool = field(default=True, repr=False)


class _Ours:
    """The coordinator's end."""

    def __init__(self, inner: Stream, line: Line) -> None:
        self._inner = inner
        self._line = line

    @property
    def sent_bytes(self) -> int:
        return self._inner.sent_bytes

    @property
    def received_bytes(self) -> int:
        return self._inner.received_bytes

    def read(self, size: int) -> bytes:
        data = self._inner.read(size)
        self._line.received_bytes += len(data)
        self._line.heard = True
        return data

    def write(self, data: bytes) -> None:
        line = self._line
        line.turns += line.heard
        line.heard = False
        if line.cut_after is not None and line.writes >= line.cut_after:
            _cut(line, self._inner, self._inner)
        line.writes += 1
        line.sent_bytes += len(data)
        self._inner.write(data)

    def met(self) -> None:
        self._inner.met()

    def loss(self, said: bytes | None) -> AefsyncError:
        return self._inner.loss(said)

    def close(self) -> None:
        self._inner.close()


class _Theirs(SocketStream):
    """The agent's end."""

    def __init__(self, connection: socket.socket, line: Line) -> None:
        super().__init__(connection)
        self._line = line

    def write(self, data: bytes) -> None:
        if self._line.cut_replies is not None and self._line.replies >= self._line.cut_replies:
            _cut(self._line, self, self)
        self._line.replies += 1
        super().write(data)


def _cut(line: Line, *streams: Stream) -> None:
    if line.heals:
        line.cut_after = line.cut_replies = None
    for stream in streams:
        stream.close()
    raise ConnectionResetError("cut")


@dataclass
class Hosts:
    """The hosts, by name, and what their agents are."""

    lines: dict[str, Line] = field(default_factory=dict)
    serving: Callable[[], Served] = lambda: PinnedReplica(Pin())
    threads: list[threading.Thread] = field(default_factory=list)

    def line(self, host: str) -> Line:
        return self.lines.setdefault(host, Line())

    def dial(self, login: Login, link: Link, heard: Callable[[str], None], command: str = "") -> Stream:
        here, there = socket.socketpair()
        line = self.line(login.host)
        line.dials += 1
        line.heard = True
        thread = threading.Thread(target=serve, args=(self.serving(), _Theirs(there, line)))
        thread.start()
        self.threads.append(thread)
        return _Ours(SocketStream(here), line)


@contextlib.contextmanager
def hosts() -> Iterator[Hosts]:
    """While the context lasts every host is one of these; their agents have ended when it is left."""
    there = Hosts()
    with pytest.MonkeyPatch.context() as patch:
        for module in ("connecting", "session"):
            patch.setattr(f"aefsync.sync.{module}.dial", there.dial)
        yield there
    for thread in there.threads:
        thread.join(10)
        assert not thread.is_alive()
