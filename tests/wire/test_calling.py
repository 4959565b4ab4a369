"""Calls ahead of the ends of others, by any thread, over streams that hold little."""

from __future__ import annotations

import functools
import itertools
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from types import FrameType

import pytest

import aefsync
from aefsync.core.path import RelPath
from aefsync.core.ports import Access, Missing, Open, Piece
from aefsync.errors import AefsyncError, UnreachableError
from aefsync.wire import remote as module
from aefsync.wire.calling import Pending
from aefsync.wire.dialogue import Method, Reply
from aefsync.wire.remote import RemoteReplica
from aefsync.wire.serve import serve
from aefsync.wire.stream import SocketStream
from tests.support.memory import MemoryReplica, MemoryTree

OPEN = Open(b"/r", "run", bytes(32), Access.WRITE, Missing.REFUSE, b"")
SIZE = 1 << 20


class Noting(MemoryReplica):
    """Answers any piece, and notes in which order it was asked."""

    def __init__(self) -> None:
        super().__init__(MemoryTree())
        self.asked: list[int] = []
        self.fails = False

    def read(self, pieces: Sequence[Piece]) -> Sequence[Piece]:
        self.asked += [piece.offset for piece in pieces]
        return [piece._replace(data=bytes(piece.length)) for piece in pieces]

    def write(self, pieces: Sequence[Piece]) -> None:
        if self.fails:
            raise AefsyncError("disk full")
        self.asked += [piece.offset for piece in pieces]


@pytest.fixture
def noting() -> Noting:
    return Noting()


@pytest.fixture
def replica(noting: Noting) -> Iterator[RemoteReplica]:
    here, there = socket.socketpair()
    thread = threading.Thread(target=serve, args=(noting, SocketStream(there)))
    thread.start()
    made = RemoteReplica(SocketStream(here), label="B", compress=True)
    made.hello(OPEN)
    yield made
    made.close()
    thread.join()


def test_a_signal_before_the_reader_runs_leaves_something_that_can_end(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(thread: threading.Thread) -> None:
        raise KeyboardInterrupt

    here, there = socket.socketpair()
    made = RemoteReplica(SocketStream(here), label="B", compress=True)
    with there, monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", interrupted)
        with pytest.raises(KeyboardInterrupt):
            made.hello(OPEN)
        made.close()


_OURS = (os.path.dirname(aefsync.__file__), threading.__file__)
"""Where a signal strikes."""


class Interrupted(BaseException):
    """What a signal raises."""


def interrupted_at(step: int, call: Callable[[], object]) -> bool:
    """Whether a call was interrupted at a step: as a function begins, or after one has ended, where Python looks whether a
    signal has come (and at the ends of loops; not between the taking of a lock in C and the body of its `with`)."""
    left = [step]

    def profile(frame: FrameType, event: str, _argument: object) -> None:
        # What is raised in a callback, of others' as something is freed, goes no further.
        if event == "c_call" or not frame.f_code.co_filename.startswith(_OURS):
            return
        left[0] -= 1
        if not left[0]:
            raise Interrupted

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        call()
    except Interrupted:
        return True
    finally:
        sys.setprofile(before)
    return False


def test_a_signal_at_any_step_of_waiting_keeps_nobody_from_ending_the_call() -> None:
    for step in itertools.count(1):
        pending = Pending()
        pending.end(Reply(Method.CLOSE, None))
        was_interrupted = interrupted_at(step, pending.wait)
        ender = threading.Thread(target=pending.end, args=(Reply(Method.CLOSE, None),), daemon=True)
        ender.start()
        ender.join(10)
        assert not ender.is_alive(), f"step {step}"
        if not was_interrupted:
            break


def test_a_signal_at_any_step_of_a_call_keeps_no_thread_from_ending() -> None:
    before = threading.active_count()
    for step in itertools.count(1):
        here, there = socket.socketpair()
        thread = threading.Thread(target=serve, args=(Noting(), SocketStream(there)), daemon=True)
        thread.start()
        made = RemoteReplica(SocketStream(here), label="B")
        made.hello(OPEN)
        was_interrupted = interrupted_at(step, functools.partial(made.read, [piece(0)]))
        made.close()
        thread.join(10)
        assert threading.active_count() == before, f"step {step}: {threading.enumerate()}"
        if not was_interrupted:
            break


def piece(number: int, data: bytes = b"") -> Piece:
    return Piece(RelPath(b"f"), number, SIZE, data)


def test_requests_are_on_their_way_before_the_first_has_come(replica: RemoteReplica) -> None:
    taken = 0

    def requests() -> Iterator[list[Piece]]:
        nonlocal taken
        for number in range(20):
            taken += 1
            yield [piece(number)]

    answers = replica.read_ahead(requests())
    assert next(answers)[0].offset == 0
    assert taken == module.AHEAD // SIZE + 1
    assert [given[0].offset for given in answers] == list(range(1, 20))
    assert replica.round_trips == 2


def test_what_came_before_no_more_could_be_asked_comes_first(replica: RemoteReplica) -> None:
    def requests() -> Iterator[list[Piece]]:
        yield from ([piece(number)] for number in range(3))
        raise UnreachableError("the receiver is lost")

    answers = replica.read_ahead(requests())
    assert [next(answers)[0].offset for _ in range(3)] == [0, 1, 2]
    with pytest.raises(UnreachableError, match="the receiver is lost"):
        next(answers)


def test_nobody_waits_for_ever_where_both_sides_have_much_to_send(replica: RemoteReplica, noting: Noting) -> None:
    def write() -> None:
        for number in range(1000, 1008):
            replica.write_ahead([piece(number, bytes(SIZE))])

    writer = threading.Thread(target=write)
    writer.start()
    for number, given in enumerate(replica.read_ahead([piece(number)] for number in range(8))):
        assert given[0].offset == number
    writer.join()
    replica.write([])
    assert sorted(noting.asked) == [*range(8), *range(1000, 1008)]


def test_what_goes_wrong_with_a_write_ahead_is_raised_by_a_later_call(replica: RemoteReplica, noting: Noting) -> None:
    noting.fails = True
    replica.write_ahead([piece(0, bytes(SIZE))])
    with pytest.raises(AefsyncError, match="disk full"):
        replica.write([])
    noting.fails = False
    assert replica.read([piece(1)])[0].offset == 1


def test_all_who_wait_hear_that_the_peer_is_lost() -> None:
    here, there = socket.socketpair()
    replica = RemoteReplica(SocketStream(here), label="B")
    errors: list[str] = []

    def call() -> None:
        try:
            replica.hello(OPEN)
        except UnreachableError as error:
            errors.append(error.message)

    callers = [threading.Thread(target=call) for _ in range(3)]
    for caller in callers:
        caller.start()
    there.recv(1)
    there.close()
    for caller in callers:
        caller.join()
    assert len(errors) == 3
    assert all(error.startswith("B: connection lost") or error == "B: the connection is closed" for error in errors)
    replica.close()


def test_a_replica_begins_anew_over_another_stream(noting: Noting) -> None:
    here, there = socket.socketpair()
    there.close()
    replica = RemoteReplica(SocketStream(here), label="B")
    with pytest.raises(UnreachableError):
        replica.hello(OPEN)
    sent = replica.sent_bytes
    here, there = socket.socketpair()
    thread = threading.Thread(target=serve, args=(noting, SocketStream(there)))
    thread.start()
    replica.restart(SocketStream(here))
    replica.hello(OPEN)
    assert replica.sent_bytes > sent
    replica.close()
    thread.join()


def test_an_agent_shows_that_it_lives_while_it_works() -> None:
    here, there = socket.socketpair()
    done = threading.Event()

    class Slow(MemoryReplica):
        def hello(self, request: Open) -> object:  # type: ignore[override]
            done.wait()
            return super().hello(request)

    thread = threading.Thread(target=serve, args=(Slow(MemoryTree()), SocketStream(there)), kwargs={"pulse_s": 0.001})
    thread.start()
    replica = RemoteReplica(SocketStream(here), label="B")
    caller = threading.Thread(target=replica.hello, args=(OPEN,))
    caller.start()
    while replica.received_bytes < 100:
        pass
    done.set()
    caller.join()
    replica.close()
    thread.join()
