from __future__ import annotations

import tracemalloc

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aefsync.core.growth import Gathered, Growth
from aefsync.core.path import RelPath
from aefsync.core.ports import Access, Missing, Open, Opened, Phase, Piece, Scan, Scanned
from aefsync.errors import IncompatibleError, ProtocolError
from aefsync.wire.codec import (
    MAX_BANNER,
    MAX_FRAME,
    MAX_LONG_FRAME,
    NEED_DATA,
    PULSE,
    Connection,
    LocalProtocolError,
    RemoteProtocolError,
    Role,
    State,
)
from aefsync.wire.compression import LEAST
from aefsync.wire.dialogue import Call, Failed, Message, Method, Progress, Reply
from aefsync.wire.messages import encode
from aefsync.wire.messages.rows import MAX_READ
from tests.support.filling import fill

GREETING = b"aefsync-agent/3 0.1.0\n"
HELLO = Call(Method.HELLO, (Open(b"/r", "run", bytes(32), Access.READ, Missing.REFUSE, b""),))
HELLO_REPLY = Reply(Method.HELLO, Opened(b"/r", b"host", ((1, 2),), (), 5, created=False, seen_before=True))
SCAN = Call(Method.SCAN, (Scan(),))
SCANNED = Reply(Method.SCAN, Scanned(bytes(16), 200_000, 0, 0, 12, 3, ()))
PROGRESS = Progress(Phase.SCAN, 1, 2)
FAILED = Failed("RootError", "no such directory")
CLOSE, CLOSED = Call(Method.CLOSE), Reply(Method.CLOSE, None)

SESSION: list[Message] = [HELLO, HELLO_REPLY, SCAN, PROGRESS, PROGRESS, SCANNED, SCAN, FAILED, CLOSE, CLOSED]


def pair() -> tuple[Connection, Connection]:
    return Connection(Role.CLIENT, "0.1.0"), Connection(Role.SERVER, "0.1.0")


def events(connection: Connection, data: bytes) -> list[Message]:
    """Everything that comes out when `data` comes in."""
    connection.receive_data(data)
    found: list[Message] = []
    while connection.state in (State.IDLE, State.BUSY) and (event := connection.next_event()) is not NEED_DATA:
        found.append(event)
    return found


def frame(payload: bytes) -> bytes:
    return len(payload).to_bytes(4, "big") + payload


def test_a_session_between_two_connections() -> None:
    client, server = pair()
    for message in SESSION:
        sender, receiver = (client, server) if isinstance(message, Call) else (server, client)
        assert events(receiver, sender.send(message)) == [message]
    assert client.state is server.state is State.CLOSED
    assert client.peer_version == server.peer_version == "0.1.0"


def test_a_session_byte_by_byte() -> None:
    client, server = pair()
    for message in SESSION:
        sender, receiver = (client, server) if isinstance(message, Call) else (server, client)
        found = [event for byte in sender.send(message) for event in events(receiver, bytes([byte]))]
        assert found == [message]


def test_the_greeting_comes_first_and_once() -> None:
    client, server = pair()
    assert client.send(HELLO).startswith(GREETING)
    assert server.greet() == GREETING
    assert server.greet() == b""


def wire() -> tuple[bytes, bytes]:
    """The bytes of `SESSION` in both directions."""
    client, server = pair()
    sent, answered = b"", b""
    for message in SESSION:
        if isinstance(message, Call):
            sent += (data := client.send(message))
            events(server, data)
        else:
            answered += (data := server.send(message))
            events(client, data)
    return sent, answered


SENT, ANSWERED = wire()


@pytest.mark.parametrize("cut", range(len(SENT)))
def test_a_client_cut_off_anywhere_leaves_whole_calls(cut: int) -> None:
    server = Connection(Role.SERVER)
    calls = [message for message in SESSION if isinstance(message, Call)]
    found: list[Message] = []
    server.receive_data(SENT[:cut])
    while (event := server.next_event()) is not NEED_DATA:
        found.append(event)
        server.send(Failed("RootError", "for the next call to be due"))
    assert found == calls[: len(found)]
    assert len(found) < len(calls)


@given(st.binary(min_size=1, max_size=300))
def test_garbage_for_a_server_gives_a_clean_error(garbage: bytes) -> None:
    for prefix in (b"", GREETING, SENT[: len(SENT) // 2]):
        server = Connection(Role.SERVER)
        server.receive_data(prefix + garbage)
        try:
            while server.next_event() is not NEED_DATA:
                server.send(FAILED)
        except (ProtocolError, IncompatibleError):
            assert server.state is State.REFUSED


@given(st.integers(0, len(ANSWERED) - 1), st.integers(1, 255))
def test_damage_on_the_way_to_a_client_gives_a_clean_error(position: int, change: int) -> None:
    damaged = bytearray(ANSWERED)
    damaged[position] ^= change
    client = Connection(Role.CLIENT)
    client.receive_data(bytes(damaged))
    try:
        for call in [message for message in SESSION if isinstance(message, Call)]:
            client.send(call)
            while client.state is State.BUSY and client.next_event() is not NEED_DATA:
                pass
    except (ProtocolError, IncompatibleError):
        assert client.state is State.CLOSED
    except LocalProtocolError:
        assert client.state is State.BUSY


@pytest.mark.parametrize(("role", "limit"), [(Role.CLIENT, MAX_LONG_FRAME), (Role.SERVER, MAX_FRAME)])
def test_oversized_frames_are_refused_without_allocating(role: Role, limit: int) -> None:
    connection = Connection(role)
    if role is Role.CLIENT:
        connection.send(HELLO)
    tracemalloc.start()
    try:
        connection.receive_data(GREETING + (limit + 1).to_bytes(4, "big"))
        with pytest.raises(RemoteProtocolError, match="at most"):
            connection.next_event()
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_a_frame_of_the_greatest_length_is_awaited() -> None:
    server = Connection(Role.SERVER)
    assert events(server, GREETING + MAX_FRAME.to_bytes(4, "big")) == []


@pytest.mark.parametrize(
    "banner",
    [b"", b"Last login: today\r\n", b"no newline: ", b"aefsync-agent/ is great\naefsync-agent/1\n", b"x" * 65_000],
)
def test_what_a_login_shell_prints_is_skipped(banner: bytes) -> None:
    client, server = pair()
    events(server, client.send(HELLO))
    data = banner + server.send(HELLO_REPLY)
    found = [event for start in range(0, len(data), 1000) for event in events(client, data[start : start + 1000])]
    assert found == [HELLO_REPLY]


def test_too_long_a_banner_means_that_there_is_no_agent() -> None:
    client = Connection(Role.CLIENT)
    client.send(HELLO)
    assert events(client, b"\n" * MAX_BANNER) == []
    with pytest.raises(IncompatibleError, match="no aefsync agent"):
        events(client, b"\n")
    assert client.state is State.CLOSED


@pytest.mark.parametrize(
    "start",
    [
        b"\n" + GREETING,
        b"GET / HTTP/1.1\r\n",
        b"aefsync-agent/x 1\n",
        b"aefsync-agent/1\n",
        b"aefsync-agent/1" + b"1" * 200,
    ],
)
def test_a_client_must_begin_with_its_greeting(start: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match="no aefsync"):
        events(Connection(Role.SERVER), start)


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize(
    ("theirs", "line"),
    [
        (b"aefsync-agent/4 0.9.0\n", "this side (0.1.0) is too old for the other side (0.9.0): upgrade it"),
        (b"aefsync-agent/0 0.0.1\n", "the other side (0.0.1) is too old for this side (0.1.0): upgrade it"),
    ],
)
def test_another_protocol_says_which_side_to_upgrade(role: Role, theirs: bytes, line: str) -> None:
    connection = Connection(role, "0.1.0")
    with pytest.raises(IncompatibleError) as caught:
        events(connection, theirs)
    assert caught.value.message == line
    assert "\n" not in line


def busy(role: Role) -> Connection:
    """A connection with a scan under way."""
    client, server = pair()
    data = client.send(SCAN)
    events(server, data)
    events(client, server.greet())
    return client if role is Role.CLIENT else server


@pytest.mark.parametrize(
    ("role", "state", "message"),
    [
        (Role.CLIENT, State.BUSY, CLOSE),
        (Role.CLIENT, State.IDLE, SCANNED),
        (Role.CLIENT, State.IDLE, PROGRESS),
        (Role.CLIENT, State.BUSY, FAILED),
        (Role.SERVER, State.IDLE, SCANNED),
        (Role.SERVER, State.IDLE, PROGRESS),
        (Role.SERVER, State.IDLE, FAILED),
        (Role.SERVER, State.IDLE, SCAN),
        (Role.SERVER, State.BUSY, SCAN),
        (Role.SERVER, State.BUSY, HELLO_REPLY),
    ],
)
def test_what_is_not_due_is_not_sent(role: Role, state: State, message: Message) -> None:
    connection = busy(role) if state is State.BUSY else Connection(role)
    with pytest.raises(LocalProtocolError):
        connection.send(message)
    assert connection.state is state


def test_a_message_that_cannot_be_sent_changes_nothing() -> None:
    server = busy(Role.SERVER)
    with pytest.raises(LocalProtocolError, match="cannot be sent"):
        server.send(Reply(Method.SCAN, SCANNED.value._replace(problems=5)))
    client = Connection(Role.CLIENT)
    with pytest.raises(LocalProtocolError, match="at most"):
        client.send(Call(Method.PURGE, (("x" * 255,) * (MAX_FRAME // 255),)))
    assert server.state is State.BUSY
    assert client.state is State.IDLE


def test_a_reply_that_was_not_asked_for_is_refused() -> None:
    client, server = pair()
    events(server, client.send(HELLO))
    data = server.send(HELLO_REPLY)
    for asked in (None, SCAN):
        fresh = Connection(Role.CLIENT)
        if asked:
            fresh.send(asked)
        with pytest.raises(RemoteProtocolError, match="not due"):
            events(fresh, data)
        assert fresh.state is State.CLOSED


def test_calls_ahead_end_in_their_order() -> None:
    client, server = pair()
    server.receive_data(client.send(HELLO) + client.send(SCAN) + client.send(SCAN))
    answers = b""
    for call, end in ((HELLO, HELLO_REPLY), (SCAN, FAILED), (SCAN, SCANNED)):
        assert server.next_event() == call
        assert client.state is State.BUSY
        answers += server.send(end)
    assert events(client, answers) == [HELLO_REPLY, FAILED, SCANNED]
    assert client.state is State.IDLE
    assert events(server, client.send(CLOSE)) == [CLOSE]
    with pytest.raises(LocalProtocolError):
        client.send(SCAN)


def test_ends_in_another_order_are_refused() -> None:
    client, server = pair()
    server.receive_data(client.send(SCAN) + client.send(HELLO))
    server.next_event()
    answer = server.send(SCANNED)
    client.receive_data(answer + frame(encode(SCANNED)))
    assert client.next_event() == SCANNED
    with pytest.raises(RemoteProtocolError, match="not due"):
        client.next_event()


def test_pulses_say_nothing() -> None:
    client, server = pair()
    server.receive_data(client.send(SCAN))
    assert server.next_event() == SCAN
    data = server.greet() + PULSE + PULSE + server.send(PROGRESS) + PULSE + server.send(SCANNED) + PULSE
    assert [event for byte in data for event in events(client, bytes([byte]))] == [PROGRESS, SCANNED]
    assert client.next_event() is NEED_DATA
    assert client.state is State.IDLE


def test_a_second_call_before_the_first_is_answered_is_refused() -> None:
    client, server = pair()
    data = client.send(SCAN)
    server.receive_data(data + data[len(GREETING) :])
    assert server.next_event() == SCAN
    with pytest.raises(RemoteProtocolError, match="not due"):
        server.next_event()


def test_a_call_sent_to_a_client_is_refused() -> None:
    client = Connection(Role.CLIENT)
    client.send(HELLO)
    with pytest.raises(RemoteProtocolError, match="no message"):
        events(client, Connection(Role.CLIENT).send(HELLO))


def test_a_server_may_say_why_it_goes_and_nothing_more() -> None:
    server = Connection(Role.SERVER)
    with pytest.raises(RemoteProtocolError):
        events(server, GREETING + frame(b"garbage"))
    with pytest.raises(LocalProtocolError):
        server.send(SCANNED)
    client = Connection(Role.CLIENT)
    client.send(HELLO)
    assert events(client, server.send(FAILED)) == [FAILED]
    assert server.state is State.CLOSED
    server.receive_data(b"more")
    with pytest.raises(RemoteProtocolError, match="over"):
        server.next_event()


def test_a_session_without_changes_is_small() -> None:
    """DESIGN §4.3: 300 bytes after OPEN, both directions, for trees that are equal; the end of the session included."""
    client, server = pair()
    sizes = {}
    for call, reply in ((HELLO, HELLO_REPLY), (SCAN, SCANNED), (CLOSE, CLOSED)):
        sent = client.send(call)
        events(server, sent)
        answered = server.send(reply)
        events(client, answered)
        sizes[call.method] = len(sent) + len(answered)
    assert sizes[Method.HELLO] <= 300
    assert sizes[Method.SCAN] <= 150
    assert sizes[Method.SCAN] + sizes[Method.CLOSE] <= 300


# what is bulky

DATA = memoryview(bytearray(range(256)) * 1000)
PIECES = (Piece(RelPath(b"a"), 5, 1000, DATA[:1000]), Piece(RelPath(b"b"), 0, 9, b"short"), Piece(RelPath(b"b"), 9, 4))
BULKY: list[tuple[Call, Reply]] = [
    (Call(Method.READ, ((PIECES[2],),)), Reply(Method.READ, PIECES)),
    (Call(Method.WRITE, ((PIECES[0]._replace(length=len(DATA), data=DATA),),)), Reply(Method.WRITE, None)),
    (Call(Method.GROW, (Growth((), ()), DATA, 3)), Reply(Method.GROW, bytes(32))),
    (Call(Method.GATHER, (Growth((), ()),)), Reply(Method.GATHER, Gathered(bytes(32), DATA))),
]


def received(connection: Connection, data: bytes | memoryview) -> Message:
    """The message that `data` is, received in the room that is offered."""
    for _ in fill(connection, data):
        event = connection.next_event()
    assert event is not NEED_DATA
    return event


@pytest.mark.parametrize(("call", "reply"), BULKY, ids=lambda message: type(message).__name__ + message.method)
def test_what_is_bulky_is_sent_as_it_was_given(call: Call, reply: Reply) -> None:
    client, server = pair()
    for sender, receiver, message in ((client, server, call), (server, client, reply)):
        parts = sender.send_in_parts(message)
        assert all(isinstance(part, bytes) or part.obj is DATA.obj for part in parts[1:])
        assert received(receiver, b"".join(parts)) == message


def test_what_is_bulky_is_received_once() -> None:
    client, server = pair()
    events(server, client.send(HELLO))
    events(client, server.send(HELLO_REPLY))
    data = client.send(Call(Method.WRITE, ((Piece(RelPath(b"a"), 0, MAX_READ, bytes(MAX_READ)),),)))
    tracemalloc.start()
    try:
        message = received(server, memoryview(data))
        assert tracemalloc.get_traced_memory()[1] < 1.5 * MAX_READ
    finally:
        tracemalloc.stop()
    assert isinstance(message, Call)
    assert message.arguments[0][0].data.obj is not data


def test_many_small_parts_are_sent_as_one() -> None:
    client = Connection(Role.CLIENT)
    pieces = tuple(Piece(RelPath(b"%05d" % number), 0, 1, b"x") for number in range(2000))
    assert len(client.send_in_parts(Call(Method.WRITE, (pieces,)))) == 2


@pytest.mark.parametrize("came", [[], [3, 3], [2, 3], [5, 0, 0]])
def test_pieces_that_do_not_fit_their_bytes_are_refused(came: list[int]) -> None:
    client = Connection(Role.CLIENT)
    client.send(Call(Method.READ, ((PIECES[2],),)))
    rows = [[0, 9, count] for count in came]
    payload = msgspec.msgpack.encode(["read", [[0, 0], [b"a", b"b"]], rows, b"12345"])
    if came == [2, 3]:
        assert len(events(client, GREETING + frame(payload))) == 1
    else:
        with pytest.raises(RemoteProtocolError):
            events(client, GREETING + frame(payload))


# compression

LONG = Call(Method.SCAN, (Scan(tuple(f"*.{number}" for number in range(5000))),))


def agreed(*compress: bool) -> tuple[Connection, Connection]:
    """A client and a server that have met, each offering compression or not."""
    client = Connection(Role.CLIENT, compress=compress[0])
    server = Connection(Role.SERVER, compress=compress[1])
    events(server, client.send(HELLO))
    assert events(client, server.send(HELLO_REPLY)) == [HELLO_REPLY]
    return client, server


@pytest.mark.parametrize("offers", [(True, True), (True, False), (False, True)])
def test_what_pays_is_compressed_where_both_agree(offers: tuple[bool, bool]) -> None:
    client, server = agreed(*offers)
    data = client.send(LONG)
    assert (len(data) < len(encode(LONG)) / 2) == all(offers)
    assert events(server, data) == [LONG]
    small = server.send(SCANNED)
    assert len(small) < LEAST
    assert events(client, small) == [SCANNED]


def packed_frame(payload: bytes) -> bytes:
    return (len(payload) | 1 << 31).to_bytes(4, "big") + payload


def test_a_compressed_frame_that_was_not_agreed_on_is_refused() -> None:
    client, server = agreed(False, False)
    sender, _ = agreed(True, True)
    with pytest.raises(RemoteProtocolError, match="unasked"):
        events(server, sender.send(LONG))
    assert client.state is State.IDLE


@pytest.mark.parametrize("size", [MAX_FRAME + 1, 1 << 40])
def test_a_bomb_is_refused_without_allocating(size: int) -> None:
    _, server = agreed(True, True)
    # A frame that stands for `size` zeros: magic, a head with eight bytes of size and no window, a block of one run.
    bomb = b"\x28\xb5\x2f\xfd\xe0" + size.to_bytes(8, "little") + b"\x03\0\0\0"
    tracemalloc.start()
    try:
        with pytest.raises(RemoteProtocolError, match="more than"):
            events(server, packed_frame(bomb))
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
    assert server.state is State.REFUSED


@given(st.binary(max_size=200))
def test_a_damaged_compressed_frame_is_a_clean_error(garbage: bytes) -> None:
    _, server = agreed(True, True)
    for payload in (garbage, b"\x28\xb5\x2f\xfd" + garbage):
        _, server = agreed(True, True)
        with pytest.raises(ProtocolError):
            events(server, packed_frame(payload))
