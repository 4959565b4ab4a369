"""The dialogue of `deploy`, with far sides of every kind."""

from __future__ import annotations

import json

import pytest

from aefsync.errors import AefsyncError, IncompatibleError, ProtocolError, UnreachableError
from aefsync.wire.deploying import COMMAND, MAX_TALK, deploy
from aefsync.wire.installing import MARK, facts
from aefsync.wire.stream import Copying


class Host(Copying):
    """A stream to a far side that says these things, whatever it is told."""

    def __init__(self, *lines: bytes) -> None:
        self.said = b"".join(lines)
        self.told = b""
        self.sent_bytes = self.received_bytes = 0
        self.closed = False

    def read(self, size: int) -> bytes:
        size = 7 if len(self.said) < 10_000 else size
        data, self.said = self.said[:size], self.said[size:]
        return data

    def write(self, *parts: bytes | memoryview) -> None:
        self.told += b"".join(parts)

    def met(self) -> None: ...

    def loss(self, said: bytes | None) -> AefsyncError:
        return UnreachableError("lost")

    def close(self) -> None:
        self.closed = True


def line(value: object) -> bytes:
    return f"{MARK}{json.dumps(value)}\n".encode()


def test_a_talkative_host_is_given_what_fits_it() -> None:
    host = Host(b"Welcome\n" * 100, line(facts()), b"more\n", line("/cache/agents/1"))
    assert deploy(host) == "/cache/agents/1"
    size, _, rest = host.told.partition(b"\n")
    text, rest = rest[: int(size)], rest[int(size) :]
    compile(text, "sent", "exec")
    size, _, archive = rest.partition(b"\n")
    assert len(archive) == int(size) > 100_000
    assert host.closed


@pytest.mark.parametrize(
    ("lines", "kind", "words"),
    [
        ((line(0),), IncompatibleError, "no Python"),
        ((line(1),), IncompatibleError, "too old"),
        ((line({"python": [3, 11]}),), ProtocolError, "cannot be understood"),
        ((line([1, 2]),), ProtocolError, "cannot be understood"),
        ((MARK.encode() + b"{\n",), ProtocolError, "cannot be understood"),
        ((b"x" * (MAX_TALK + 10),), ProtocolError, "does not come to the point"),
        ((b"no such shell\n",), UnreachableError, "lost"),
        ((line(facts()),), UnreachableError, "lost"),
    ],
)
def test_hosts_that_cannot_be_deployed_to(lines: tuple[bytes, ...], kind: type[AefsyncError], words: str) -> None:
    host = Host(*lines)
    with pytest.raises(kind, match=words):
        deploy(host)
    assert host.closed


def test_the_far_command_is_plain_enough_for_any_shell() -> None:
    assert COMMAND.count("'") == 2
    assert not set("\\!\n") & set(COMMAND)
