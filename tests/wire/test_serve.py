"""`serve` against clients that leave and break the protocol, and replicas that fail."""

from __future__ import annotations

import itertools
import socket
from collections.abc import Sequence

import pytest

from aefsync.core.action import Applied
from aefsync.core.ports import Access, Missing, Open, Phase, Scan, Scanned
from aefsync.errors import AefsyncError, IncompatibleError, ProtocolError, RootError, UnreachableError, UsageError
from aefsync.wire.codec import NEED_DATA, Connection, Role, State
from aefsync.wire.dialogue import Call, Failed, Message, Method, Progress, Reply
from aefsync.wire.serve import PROGRESS_INTERVAL, serve
from aefsync.wire.stream import Copying, SocketStream
from tests.support.memory import MemoryReplica, MemoryTree
from tests.support.served import served

OPEN = Open(b"/r", "run", bytes(32), Access.WRITE, Missing.REFUSE, b"")
HELLO, SCAN = Call(Method.HELLO, (OPEN,)), Call(Method.SCAN, (Scan(),))


class Inbox(Copying):
    """A stream with everything that the client will say; what the server says is collected."""

    def __init__(self, incoming: bytes = b"", *, deaf: bool = False) -> None:
        self.sent_bytes = self.received_bytes = 0
        self.outgoing = b""
        self.closed = False
        self._incoming = incoming
        self._deaf = deaf

    def read(self, size: int) -> bytes:
        data, self._incoming = self._incoming[:size], self._incoming[size:]
        return data

    def write(self, *parts: bytes | memoryview) -> None:
        if self._deaf and self.outgoing:
            raise BrokenPipeError(32, "Broken pipe")
        self.outgoing += b"".join(parts)

    def close(self) -> None:
        self.closed = True

    def messages(self, *calls: Call) -> list[Message]:
        """What a client that made these calls hears."""
        client = Connection(Role.CLIENT)
        found: list[Message] = []
        client.receive_data(self.outgoing)
        for call in calls:
            client.send(call)
            while client.state is State.BUSY and (event := client.next_event()) is not NEED_DATA:
                found.append(event)
        return found


def said(*calls: Call) -> bytes:
    """The bytes of a client that makes these calls, each answered."""
    client = Connection(Role.CLIENT)
    data = b""
    for call in calls:
        data += client.send(call)
        client.receive_data(Connection(Role.SERVER).greet() if client.peer_version is None else b"")
        client.next_event()
        client.state = State.IDLE
        client._due.clear()
    return data


def run(replica: MemoryReplica, *calls: Call) -> list[Message]:
    stream = Inbox(said(*calls))
    serve(replica, stream)
    assert stream.closed
    return stream.messages(*calls)


def closed(replica: MemoryReplica) -> bool:
    try:
        replica.entries(())
    except AefsyncError:
        return True
    return False


def test_a_client_that_closes_its_end_ends_the_session() -> None:
    replica = MemoryReplica(MemoryTree())
    found = run(replica, HELLO, SCAN)
    assert [type(message) for message in found] == [Reply, Progress, Reply]
    assert closed(replica)


def test_close_ends_the_session_with_an_answer() -> None:
    assert run(MemoryReplica(MemoryTree()), HELLO, Call(Method.CLOSE))[-1] == Reply(Method.CLOSE, None)


@pytest.mark.parametrize("cut", range(0, len(said(HELLO, SCAN)), 3))
def test_a_client_cut_off_anywhere_ends_the_session(cut: int) -> None:
    replica = MemoryReplica(MemoryTree())
    stream = Inbox(said(HELLO, SCAN)[:cut])
    serve(replica, stream)
    assert stream.closed
    assert closed(replica)


class Failing(MemoryReplica):
    def __init__(self, error: Exception) -> None:
        super().__init__(MemoryTree())
        self._error = error

    def scan(self, request: Scan) -> Scanned:
        raise self._error


class OwnError(RootError):
    """Of a class that the other side does not know."""


@pytest.mark.parametrize(
    ("error", "failed"),
    [
        (RootError("no such directory"), Failed("RootError", "no such directory")),
        (UsageError("odd", hint="even"), Failed("UsageError", "odd", "even")),
        (OwnError("gone"), Failed("RootError", "gone")),
    ],
)
def test_errors_are_told_and_the_session_goes_on(error: AefsyncError, failed: Failed) -> None:
    assert run(Failing(error), HELLO, SCAN, SCAN)[1:] == [failed, failed]


def test_a_replica_that_has_lost_its_machine_says_so_and_ends() -> None:
    lost = Failed("UnreachableError", "C: connection lost")
    assert run(Failing(UnreachableError("C: connection lost")), HELLO, SCAN, SCAN)[1:] == [lost]


def test_what_was_not_expected_is_one_line_and_the_end() -> None:
    replica = Failing(KeyError("two\nlines"))
    found = run(replica, HELLO, SCAN, SCAN)
    assert len(found) == 2
    assert isinstance(found[-1], Failed)
    assert found[-1].kind == "AefsyncError"
    assert found[-1].message.startswith("internal error: KeyError: ")
    assert "test_serve.py:" in found[-1].message
    assert "\n" not in found[-1].message
    assert closed(replica)


class Babbling(MemoryReplica):
    """Returns what the port does not allow."""

    def purge(self, runs: Sequence[str]) -> Applied:
        return "done"  # type: ignore[return-value]


def test_a_value_that_cannot_be_sent_is_an_internal_error() -> None:
    found = run(Babbling(MemoryTree()), HELLO, Call(Method.PURGE, (("r",),)), SCAN)
    assert len(found) == 2
    assert isinstance(found[-1], Failed)
    assert found[-1].message.startswith("internal error: ")


def test_a_client_that_breaks_the_protocol_is_told_and_left() -> None:
    replica = MemoryReplica(MemoryTree())
    stream = Inbox(said(HELLO) + b"\0\0\0\x04oops" + said(SCAN))
    serve(replica, stream)
    found = stream.messages(HELLO, SCAN)
    assert len(found) == 2
    assert isinstance(found[-1], Failed)
    assert found[-1].kind == "ProtocolError"
    assert closed(replica)


@pytest.mark.parametrize(
    ("start", "kind"), [(b"GET / HTTP/1.1\r\n", ProtocolError), (b"aefsync-agent/7 9.9\n", IncompatibleError)]
)
def test_a_client_that_speaks_something_else_is_left(start: bytes, kind: type[Exception]) -> None:
    replica = MemoryReplica(MemoryTree())
    stream = Inbox(start)
    assert isinstance(serve(replica, stream), kind)
    assert stream.outgoing.startswith(b"aefsync-agent/3 ")
    assert closed(replica)


class Busy(MemoryReplica):
    """Says more than anybody wants to hear."""

    def scan(self, request: Scan) -> Scanned:
        for number in range(1000):
            self.on_progress(Phase.SCAN, number, 0)
        for number in range(3):
            self.on_progress(Phase.READ, number, 2)
        for number in range(71):
            self.on_progress(Phase.COPY, number, 70)
        return super().scan(request)


def test_progress_is_limited_in_rate() -> None:
    now = 0.0

    def clock() -> float:
        nonlocal now
        now += 0.001
        return now

    stream = Inbox(said(HELLO, SCAN))
    serve(Busy(MemoryTree()), stream, clock)
    heard = [message for message in stream.messages(HELLO, SCAN) if isinstance(message, Progress)]
    assert [each.done for each in heard if each.phase is Phase.READ] == [0], "it was too short for its end to matter"
    begun, midway, ended = (each.done for each in heard if each.phase is Phase.COPY)
    assert (begun, midway // 2, ended) == (0, 25, 70)
    scans = [each.done for each in heard if each.phase is Phase.SCAN][:-1]
    pauses = [later - earlier for earlier, later in itertools.pairwise(scans)]
    assert pauses[0] == pytest.approx(1000 * PROGRESS_INTERVAL, abs=1)
    assert pauses == sorted(pauses)
    assert pauses[-1] > 2 * pauses[0]


def test_a_long_scan_says_little_of_itself() -> None:
    """An hour of looking through files, of which each takes ten milliseconds."""

    class Long(MemoryReplica):
        def scan(self, request: Scan) -> Scanned:
            for number in range(360_000):
                self.on_progress(Phase.SCAN, number, 0)
            return super().scan(request)

    times = itertools.count(step=0.01)
    stream = Inbox(said(HELLO, SCAN))
    serve(Long(MemoryTree()), stream, lambda: next(times))
    at = [message.done for message in stream.messages(HELLO, SCAN) if isinstance(message, Progress)]
    assert sum(done < 100 * 10 for done in at) <= 32, "in the first ten seconds"
    assert max(later - earlier for earlier, later in itertools.pairwise(at)) <= 101, "and never nothing for long"


def test_work_for_nobody_ends() -> None:
    class Endless(MemoryReplica):
        def scan(self, request: Scan) -> Scanned:
            while True:
                self.on_progress(Phase.SCAN, 1, 0)

    now = iter(range(1000))
    replica = Endless(MemoryTree())
    serve(replica, Inbox(said(SCAN), deaf=True), lambda: next(now))
    assert closed(replica)


def test_progress_between_calls_goes_nowhere() -> None:
    replica = MemoryReplica(MemoryTree())
    here, there = socket.socketpair()
    stream = SocketStream(there)
    here.shutdown(socket.SHUT_WR)
    serve(replica, stream)
    greeting = here.recv(1000)
    replica.on_progress(Phase.SCAN, 1, 0)
    assert greeting.endswith(b"\n")
    assert here.recv(1000) == b""
    here.close()


def test_a_call_that_no_server_would_take_is_not_sent() -> None:
    with served(MemoryReplica(MemoryTree())) as remote:
        with pytest.raises(ProtocolError, match="hello cannot be asked: .*nonce"):
            remote.hello(OPEN._replace(nonce=b"short"))
        assert remote.hello(OPEN).root == OPEN.root
