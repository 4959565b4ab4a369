"""`RemoteReplica` against servers that lie, leave, and break the protocol."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from aefsync.core.action import Act, Action, Applied, Staged, StageFile
from aefsync.core.entry import UNKNOWN, Entry, Kind
from aefsync.core.members import Encounter, Mark, Member, Memory
from aefsync.core.past import TrashItem
from aefsync.core.path import END, RelPath
from aefsync.core.ports import Access, Missing, Open, Opened, Phase, Piece, Scan, Scanned
from aefsync.core.tree import LEAVES, Answer, KeyRange, Question
from aefsync.core.unsettled import LeftStanding, Sighting, StandingPath
from aefsync.core.version import FOUND, Dot, Tombstone
from aefsync.core.view import View
from aefsync.errors import AefsyncError, IncompatibleError, LockedError, ProtocolError, RootError, UnreachableError
from aefsync.wire.codec import NEED_DATA, Connection, Role, State
from aefsync.wire.dialogue import Call, Failed, Message, Method, Progress, Reply
from aefsync.wire.messages.rows import MAX_READ
from aefsync.wire.remote import RemoteReplica
from aefsync.wire.stream import Copying

OPEN = Open(b"/r", "run", bytes(32), Access.WRITE, Missing.REFUSE, b"")
OPENED = Opened(b"/r", b"host", ((1, 2),), (), 5, created=False, seen_before=False)
WHOLE = (KeyRange(b"", END),)
TWO = (KeyRange(b"a", b"c"), KeyRange(b"c", b"e"))


def entry(path: bytes) -> Entry:
    return Entry(RelPath(path), Kind.FILE, 0o644, 3, 1, 2, 3, bytes(31) + b"x")


class Scripted(Copying):
    """A stream whose other end answers each call by `answer`; `limit` bytes of it arrive, then the end."""

    def __init__(self, answer: Callable[[Call], list[Message]], limit: int = 1 << 30) -> None:
        self.calls: list[Call] = []
        self.sent_bytes = self.received_bytes = 0
        self.closed = False
        self.has_met = False
        self._changed = threading.Condition()
        self._answer = answer
        self._server = Connection(Role.SERVER)
        self._incoming = self._server.greet()
        self._limit = limit

    def write(self, *parts: bytes | memoryview) -> None:
        data = b"".join(parts)
        if self.closed:
            raise OSError(9, "Bad file descriptor")
        self.sent_bytes += len(data)
        self._server.receive_data(data)
        while self._server.state is State.IDLE and (call := self._server.next_event()) is not NEED_DATA:
            assert isinstance(call, Call)
            self.calls.append(call)
            with self._changed:
                self._incoming += b"".join(map(self._server.send, self._answer(call)))
                self._changed.notify()

    def read(self, size: int) -> bytes:
        with self._changed:
            self._changed.wait_for(lambda: self._incoming or self.closed or self.received_bytes >= self._limit)
            size = min(size, self._limit - self.received_bytes)
            data, self._incoming = self._incoming[:size], self._incoming[size:]
            self.received_bytes += len(data)
        return data

    def met(self) -> None:
        self.has_met = True

    def loss(self, said: bytes | None) -> AefsyncError:
        return UnreachableError(f"connection lost: {said!r}")

    def close(self) -> None:
        with self._changed:
            self.closed = True
            self._changed.notify()


def remote(*values: Any) -> RemoteReplica:
    """A replica whose agent answers the calls with these values, one after the other."""
    following = iter(values)
    return RemoteReplica(Scripted(lambda call: [Reply(call.method, next(following))]), label="B")


def scanned(**changes: Any) -> Scanned:
    return Scanned(bytes(16), 5, 0, 0, 0, 0, ())._replace(**changes)


GOOD = {
    "nodes": (Question(View.FULL, TWO, 0), Answer((1, 2), bytes(16))),
    "nodes of another size": (Question(View.FULL, WHOLE, 0, 16), Answer((1,), bytes(16))),
    "leaves": (Question(View.FULL, TWO, LEAVES), Answer((1, 2), bytes(24))),
    "split": (Question(View.FULL, TWO, 3), Answer((1, 20, 21), bytes(24), (1, 2), (b"d",))),
    "no split": (Question(View.FULL, WHOLE, 3), Answer((0,), bytes(8), (1,))),
}
LIES: dict[str, tuple[str, dict[str, Any]]] = {
    "too few counts": ("nodes", {"counts": (1,)}),
    "too many counts": ("nodes", {"counts": (1, 2, 3)}),
    "too few digests": ("nodes", {"digests": bytes(8)}),
    "half a digest": ("nodes", {"digests": bytes(15)}),
    "split unasked": ("nodes", {"children": (1, 1)}),
    "bounds unasked": ("nodes", {"bounds": (b"b",)}),
    "digests of another size": ("nodes of another size", {"digests": bytes(8)}),
    "leaves miscounted": ("leaves", {"counts": (1, 3)}),
    "leaves left out": ("leaves", {"digests": bytes(16)}),
    "leaves split": ("leaves", {"children": (1, 1)}),
    "leaves of huge count": ("leaves", {"counts": (1 << 62, 1 << 62)}),
    "range left out": ("split", {"children": (3,), "bounds": (b"b", b"b2")}),
    "range without parts": ("split", {"children": (0, 3), "bounds": (b"d",)}),
    "too many parts": ("split", {"children": (1, 4)}),
    "parts without counts": ("split", {"counts": (1, 2)}),
    "bound left out": ("split", {"bounds": ()}),
    "bound too many": ("split", {"bounds": (b"d", b"d2")}),
    "bound below": ("split", {"bounds": (b"b",)}),
    "bound above": ("split", {"bounds": (b"f",)}),
    "bound that makes an empty part": ("split", {"bounds": (b"c",)}),
    "bound at the upper end": ("split", {"bounds": (b"e",)}),
    "bounds out of order": (
        "split",
        {"counts": (1, 2, 3, 4), "digests": bytes(32), "children": (1, 3), "bounds": (b"d2", b"d1")},
    ),
    "bounds twice": (
        "split",
        {"counts": (1, 2, 3, 4), "digests": bytes(32), "children": (1, 3), "bounds": (b"d", b"d")},
    ),
    "split digests left out": ("split", {"digests": bytes(16)}),
}


@pytest.mark.parametrize("name", GOOD)
def test_honest_answers_are_handed_on(name: str) -> None:
    question, answer = GOOD[name]
    assert remote(answer).fingerprints(question) == answer


@pytest.mark.parametrize("name", LIES)
def test_answers_that_do_not_fit_the_question_are_refused(name: str) -> None:
    base, changes = LIES[name]
    question, answer = GOOD[base]
    replica = remote(answer._replace(**changes))
    with pytest.raises(ProtocolError, match="B: the peer's answer does not fit the question"):
        replica.fingerprints(question)
    with pytest.raises(UnreachableError):
        replica.fingerprints(question)


@pytest.mark.parametrize(
    "found",
    [[], [b"a", b"b", b"c"], [b"b", b"a"], [b"a", b"a"], [b"a-", b"a/b"]],
    ids=["none", "too many", "out of order", "twice", "path order, not key order"],
)
def test_entries_that_do_not_fit_are_refused(found: list[bytes]) -> None:
    with pytest.raises(ProtocolError):
        remote(tuple(map(entry, found))).entries([(3, 4), (7, 8)])


@pytest.mark.parametrize("found", [[], [b"b", b"a"], [b"a", b"a"]], ids=["none", "out of order", "twice"])
def test_tombstones_that_do_not_fit_are_refused(found: list[bytes]) -> None:
    with pytest.raises(ProtocolError):
        remote(tuple(Tombstone(RelPath(path), FOUND) for path in found)).tombstones([(3, 5)])


@pytest.mark.parametrize(
    "found", [[b"b.md"], [b"x/b"], [b"x"] * 2049], ids=["another name", "in the directory only", "too many"]
)
def test_found_that_was_not_looked_for_is_refused(found: list[bytes]) -> None:
    assert list(remote([entry(b"a/x")]).search(b"x", 0)) == [entry(b"a/x")]
    with pytest.raises(ProtocolError):
        remote(tuple(map(entry, found))).search(b"x", 0)


def test_many_tombstones_are_fetched_in_batches() -> None:
    def answer(call: Call) -> list[Message]:
        positions = [position for low, high in call.arguments[0] for position in range(low, high)]
        return [
            Reply(Method.TOMBSTONES, tuple(Tombstone(RelPath(b"%08d" % position), FOUND) for position in positions))
        ]

    replica = RemoteReplica(Scripted(answer))
    assert len(replica.tombstones([(0, 5000)])) == 5000
    assert replica.round_trips == 3


def test_dots_and_memories_are_handed_on() -> None:
    dot = Dot(b"A" * 16, 7)
    assert remote(dot).mint() == dot
    stream = Scripted(lambda call: [Reply(call.method, LeftStanding(2, 1))])
    seen = Sighting((StandingPath(RelPath(b"x"), is_suspect=True),), (b"d",), True, frozenset({"1" * 32}))
    memory = Memory((Member("0" * 32, "nas"),), (Encounter("1" * 32, Mark(3, b"8 bytes."), 7),), seen)
    assert RemoteReplica(stream).remember(memory) == LeftStanding(2, 1)
    assert [call.arguments for call in stream.calls] == [(memory,)]


def test_entries_in_key_order_are_handed_on() -> None:
    found = (entry(b"a/b"), entry(b"a-"))
    assert list(remote(found).entries([(3, 5)])) == list(found)


def test_entries_that_do_not_fit_one_message_are_asked_for_again() -> None:
    stream = Scripted(lambda call: [Reply(Method.ENTRIES, (entry(b"%d" % call.arguments[0][0][0]),))])
    assert [each.path for each in RemoteReplica(stream).entries([(3, 5), (7, 8)])] == [b"3", b"4", b"7"]
    assert [call.arguments for call in stream.calls] == [(((3, 5), (7, 8)),), (((4, 5), (7, 8)),), (((7, 8),),)]


def test_many_entries_are_fetched_in_batches() -> None:
    def answer(call: Call) -> list[Message]:
        positions = [position for low, high in call.arguments[0] for position in range(low, high)]
        return [Reply(Method.ENTRIES, tuple(entry(b"%08d" % position) for position in positions))]

    stream = Scripted(answer)
    replica = RemoteReplica(stream)
    assert len(replica.entries([(0, 5000), (9000, 9001)])) == 5001
    assert replica.round_trips == len(stream.calls) == 3


@pytest.mark.parametrize(
    "given",
    [
        [],
        [Piece(RelPath(b"b"), 5, 2, b"xy")],
        [Piece(RelPath(b"a"), 6, 2, b"xy")],
        [Piece(RelPath(b"a"), 5, 3, b"xyz")],
        [Piece(RelPath(b"a"), 5, 2, b"xy")] * 2,
    ],
    ids=["none", "another path", "another offset", "too long", "too many"],
)
def test_pieces_that_do_not_fit_are_refused(given: list[Piece]) -> None:
    with pytest.raises(ProtocolError):
        remote(given).read([Piece(RelPath(b"a"), 5, 2)])


def test_a_shorter_piece_is_handed_on() -> None:
    piece = Piece(RelPath(b"a"), 5, 2, b"x")
    assert list(remote([piece]).read([Piece(RelPath(b"a"), 5, 2)])) == [piece]


def test_reading_and_writing_are_cut_into_messages() -> None:
    def answer(call: Call) -> list[Message]:
        return [Reply(call.method, call.arguments[0] if call.method is Method.READ else None)]

    stream = Scripted(answer)
    replica = RemoteReplica(stream)
    half = MAX_READ // 2
    pieces = [Piece(RelPath(b"a"), i * half, half) for i in range(5)]
    assert replica.read(pieces) == pieces
    replica.write([piece._replace(data=bytes(half)) for piece in pieces])
    assert [len(call.arguments[0]) for call in stream.calls] == [2, 2, 1] * 2


@pytest.mark.parametrize(
    "contents", [(), (b"",) * 2, (b"short",), (bytes(33),)], ids=["none", "too many", "short", "long"]
)
def test_staged_that_does_not_fit_is_refused(contents: tuple[bytes, ...]) -> None:
    with pytest.raises(ProtocolError):
        remote(Staged(contents, (), 0)).stage([StageFile(entry(b"a"), RelPath(b"a"))], None)


@pytest.mark.parametrize("done", [(), (True, True)], ids=["too few", "too many"])
@pytest.mark.parametrize(
    "call",
    [
        lambda replica: replica.apply([Action(Act.DELETE, RelPath(b"a"), None, None)]),
        lambda replica: replica.restore([TrashItem("run", "deleted", RelPath(b"a"), False, 0)]),
        lambda replica: replica.purge(["run"]),
    ],
    ids=["apply", "restore", "purge"],
)
def test_applied_that_does_not_fit_is_refused(call: Callable[[RemoteReplica], Applied], done: tuple[bool, ...]) -> None:
    assert call(remote(Applied((True,), (), ()))).done == (True,)
    with pytest.raises(ProtocolError):
        call(remote(Applied(done, (), ())))


@pytest.mark.parametrize(
    "changes",
    [{"root": b"short"}, {"unread_files": 6}, {"history": b"short"}],
    ids=["root", "more files than entries", "history"],
)
@pytest.mark.parametrize(
    "call",
    [lambda r: r.scan(Scan()), lambda r: r.read_unread((), None), lambda r: r.record()],
    ids=["scan", "read_unread", "record"],
)
def test_scanned_that_does_not_add_up_is_refused(call: Callable[[RemoteReplica], Scanned], changes: Any) -> None:
    assert call(remote(scanned())) == scanned()
    with pytest.raises(ProtocolError):
        call(remote(scanned(**changes)))


def everything(call: Call) -> list[Message]:
    values = {Method.HELLO: OPENED, Method.SCAN: scanned(), Method.CLOSE: None}
    return [Progress(Phase.SCAN, 1, 2), Reply(call.method, values[call.method])]


def session(stream: Scripted) -> RemoteReplica:
    replica = RemoteReplica(stream, label="B")
    assert replica.hello(OPEN) == OPENED
    assert replica.scan(Scan()) == scanned()
    return replica


def test_every_truncation_is_a_lost_replica() -> None:
    whole = Scripted(everything)
    session(whole)
    for limit in range(whole.received_bytes):
        stream = Scripted(everything, limit)
        # What came in place of a greeting is told: it may explain why there is none.
        said = "b'" if limit < len(Connection(Role.SERVER).greet()) else "None"
        with pytest.raises(UnreachableError, match=rf"^B: connection lost: {said}"):
            session(stream)
    assert whole.has_met


def test_bytes_and_round_trips_are_counted() -> None:
    stream = Scripted(everything)
    replica = session(stream)
    replica.close()
    assert replica.round_trips == 3
    assert (replica.sent_bytes, replica.received_bytes) == (stream.sent_bytes, stream.received_bytes)
    assert stream.closed


def test_progress_reaches_the_monitor() -> None:
    heard: list[tuple[Phase, int, int]] = []
    replica = RemoteReplica(Scripted(everything), lambda *progress: heard.append(progress))
    replica.hello(OPEN)
    assert heard == [(Phase.SCAN, 1, 2)]


@pytest.mark.parametrize(
    ("failed", "kind"),
    [
        (Failed("RootError", "no such directory", "look closer"), RootError),
        (Failed("LockedError", "locked", None), LockedError),
        (Failed("SystemExit", "no such directory"), AefsyncError),
    ],
)
def test_failures_are_raised_as_what_they_were(failed: Failed, kind: type[AefsyncError]) -> None:
    following: Iterator[Message] = iter((failed, Reply(Method.HELLO, OPENED)))
    replica = RemoteReplica(Scripted(lambda _: [next(following)]))
    with pytest.raises(AefsyncError) as caught:
        replica.hello(OPEN)
    assert type(caught.value) is kind
    assert (caught.value.message, caught.value.hint) == (failed.message, failed.hint)
    assert replica.hello(OPEN) == OPENED


def test_an_interrupted_call_ends_the_session() -> None:
    """Otherwise its reply would be taken for that to the next call."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    stream = Scripted(everything)
    replica = RemoteReplica(stream, interrupt)
    with pytest.raises(KeyboardInterrupt):
        replica.hello(OPEN)
    with pytest.raises(UnreachableError):
        replica.hello(OPEN)
    assert stream.closed


class Speaking(Scripted):
    """A stream that says something of its own."""

    def __init__(self, data: bytes) -> None:
        super().__init__(lambda _: [], len(data))
        self._incoming = data


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"\n" * 70_000, IncompatibleError),
        (b"aefsync-agent/9 9.0\n", IncompatibleError),
        (b"aefsync-agent/3 0.1.0\n\xff\xff\xff\xff", ProtocolError),
        (b"aefsync-agent/3 0.1.0\n\0\0\0\x01\xc0", ProtocolError),
        (b"bash: aefsync: command not found\n", UnreachableError),
    ],
    ids=["noise", "another protocol", "oversized frame", "no message", "no agent"],
)
def test_what_is_no_agent_is_refused_with_the_label(data: bytes, kind: type[AefsyncError]) -> None:
    stream = Speaking(data)
    replica = RemoteReplica(stream, label="B")
    with pytest.raises(kind, match=r"^B: "):
        replica.hello(OPEN)
    assert stream.closed
    with pytest.raises(UnreachableError):
        replica.hello(OPEN)
    replica.close()


def test_closing_tells_the_agent_once_and_never_fails() -> None:
    stream = Scripted(everything)
    replica = session(stream)
    replica.close()
    replica.close()
    assert [call.method for call in stream.calls] == [Method.HELLO, Method.SCAN, Method.CLOSE]
    with pytest.raises(UnreachableError):
        replica.scan(Scan())
    lost = RemoteReplica(Scripted(everything, 0))
    lost.close()
    assert lost.round_trips == 0


def test_a_digest_that_is_not_known_comes_through() -> None:
    unread = entry(b"a")._replace(content=UNKNOWN)
    assert list(remote((unread,)).entries([(0, 1)])) == [unread]
