"""The protocol without I/O: bytes in, messages out; modelled on h11.

A session is a dialogue in which one side asks and the other answers.  Each side begins with a line that says what it
speaks, then sends **frames**: 4 bytes of length, most significant first, and one message (`messages`).  The client
sends its line and its first call in one go, so greetings cost no round trip.  What a login shell prints before the
server's line is skipped, up to 64 KiB; behind the line everything must be a frame.

    client                                        server
    aefsync-agent/1 0.1.0\\n                       aefsync-agent/1 0.1.0\\n
    [hello root=/srv/p run=20261122T101112Z ...]
                                                  [hello ancestors=... ignore_rules=... clock_ns=...]
    [scan rules=...]
                                                  [progress scan 20480 0]
                                                  [progress scan 81920 0]
                                                  [scan root=5c.. entries=200000 unread_files=0 ...]
    [close]
                                                  [close]

Both sides follow one table: a call turns IDLE into BUSY; progress leaves it BUSY; a reply to that call, or a failure,
turns it IDLE again; the reply to `close` makes it CLOSED for good.  So does every error, except that a server may
still say with a failure why it goes (REFUSED).  To send what the table does not allow is a `LocalProtocolError` (a
fault of this program); to receive it, or bytes that are no message, a `RemoteProtocolError` (a fault of the peer).  A
peer with another number behind `aefsync-agent/` is an `IncompatibleError`.

A `Connection` never holds more than one frame and what was handed to it last.  A frame may be 16 MiB from the client
and 128 MiB from the server, whose list of problems or of trash may be long; a greater length is refused as it is read.
"""

from __future__ import annotations

import enum
import re
from typing import Final

from aefsync import __version__
from aefsync.errors import IncompatibleError, ProtocolError
from aefsync.wire.dialogue import Call, Message, Method, Progress, Reply
from aefsync.wire.messages import MessageError, decode_answer, decode_call, encode

PROTOCOL = 1
MAGIC = b"aefsync-agent/"
MAX_BANNER = 64 << 10
MAX_GREETING = 128
MAX_CALL_FRAME = 16 << 20
MAX_ANSWER_FRAME = 128 << 20

_LENGTH = 4
_GREETING = re.compile(re.escape(MAGIC) + rb"(\d{1,9}) ([!-~]{1,64})\r?\n")


class LocalProtocolError(Exception):
    """This side tried to send what the protocol does not allow now."""


class RemoteProtocolError(ProtocolError):
    """The peer sent what the protocol does not allow."""


class Role(enum.Enum):
    CLIENT = "client"
    SERVER = "server"


class State(enum.Enum):
    IDLE = "idle"
    BUSY = "busy"
    REFUSED = "refused"
    CLOSED = "closed"


class Need(enum.Enum):
    """Has one member, so that type checkers can tell it from messages."""

    DATA = "data"


NEED_DATA: Final = Need.DATA


class _Step(enum.Enum):
    CALL = "a call"
    PROGRESS = "progress"
    END = "the end of a call"


_NEXT = {
    (State.IDLE, _Step.CALL): State.BUSY,
    (State.BUSY, _Step.PROGRESS): State.BUSY,
    (State.BUSY, _Step.END): State.IDLE,
    (State.REFUSED, _Step.END): State.CLOSED,
}


def _step(message: Message) -> _Step:
    if isinstance(message, Call):
        return _Step.CALL
    return _Step.PROGRESS if isinstance(message, Progress) else _Step.END


class Connection:
    """One side of a session.  `state` is that of the dialogue, `peer_version` what the peer's greeting said."""

    def __init__(self, role: Role, version: str = __version__) -> None:
        self.role = role
        self.state = State.IDLE
        self.peer_version: str | None = None
        self._version = version
        self._greeted = False
        self._called: Method | None = None
        self._buffer = bytearray()
        self._looked = 0

    def greet(self) -> bytes:
        """The line to begin with; empty when it was sent already."""
        if self._greeted:
            return b""
        self._greeted = True
        return b"%s%d %s\n" % (MAGIC, PROTOCOL, self._version.encode())

    def send(self, message: Message) -> bytes:
        """The bytes to write for a message, the greeting before the first.

        Raises `LocalProtocolError`; the state is then as it was.
        """
        step = _step(message)
        if (step is _Step.CALL) != (self.role is Role.CLIENT):
            raise LocalProtocolError(f"a {self.role.value} does not send {step.value}")
        state = self._after(message)
        if state is None:
            raise LocalProtocolError(f"{step.value} sent while {self.state.value}")
        payload = self._encode(message)
        self._enter(state, message)
        return self.greet() + len(payload).to_bytes(_LENGTH, "big") + payload

    @property
    def said(self) -> bytes | None:
        """What a client got before its peer greeted, at most `MAX_BANNER` bytes or so; `None` once it has."""
        return bytes(self._buffer) if self.peer_version is None else None

    def receive_data(self, data: bytes) -> None:
        """Take in what was read from the peer."""
        if self.state in (State.IDLE, State.BUSY):
            self._buffer += data

    def next_event(self) -> Message | Need:
        """The next message received in full, or `NEED_DATA`; raises `RemoteProtocolError` and `IncompatibleError`."""
        if self.state not in (State.IDLE, State.BUSY):
            raise RemoteProtocolError("the session is over")
        try:
            if self.peer_version is None and not self._find_greeting():
                return NEED_DATA
            payload = self._take_frame()
            return NEED_DATA if payload is None else self._receive(payload)
        except (RemoteProtocolError, IncompatibleError):
            self.state = State.REFUSED if self.role is Role.SERVER else State.CLOSED
            self._called = None
            self._buffer.clear()
            raise

    def _encode(self, message: Message) -> bytes:
        try:
            payload = encode(message)
        except (ValueError, TypeError) as error:
            raise LocalProtocolError(f"message that cannot be sent: {error}") from error
        limit = MAX_CALL_FRAME if self.role is Role.CLIENT else MAX_ANSWER_FRAME
        if len(payload) > limit:
            raise LocalProtocolError(f"message of {len(payload)} bytes (at most {limit})")
        return payload

    def _after(self, message: Message) -> State | None:
        """The state that sending or receiving `message` leads to; `None` where it is not allowed."""
        if isinstance(message, Reply) and message.method is not self._called:
            return None
        state = _NEXT.get((self.state, _step(message)))
        over = isinstance(message, Reply) and message.method is Method.CLOSE
        return State.CLOSED if state is State.IDLE and over else state

    def _enter(self, state: State, message: Message) -> None:
        self.state = state
        if isinstance(message, Call):
            self._called = message.method

    def _receive(self, payload: bytes) -> Message:
        try:
            message = decode_call(payload) if self.role is Role.SERVER else decode_answer(payload)
        except MessageError as error:
            raise RemoteProtocolError(f"the peer sent bytes that are no message: {error}") from error
        state = self._after(message)
        if state is None:
            raise RemoteProtocolError(f"the peer sent {_step(message).value} that was not due")
        self._enter(state, message)
        return message

    def _take_frame(self) -> bytes | None:
        if len(self._buffer) < _LENGTH:
            return None
        end = _LENGTH + int.from_bytes(self._buffer[:_LENGTH], "big")
        limit = MAX_CALL_FRAME if self.role is Role.SERVER else MAX_ANSWER_FRAME
        if end - _LENGTH > limit:
            raise RemoteProtocolError(f"the peer announced a frame of {end - _LENGTH} bytes (at most {limit})")
        if len(self._buffer) < end:
            return None
        payload = bytes(memoryview(self._buffer)[_LENGTH:end])
        del self._buffer[:end]
        return payload

    def _find_greeting(self) -> bool:
        """Find the peer's greeting and drop everything up to its end; a server's client must begin with it."""
        if self.role is Role.SERVER:
            greeting = _GREETING.match(self._buffer)
            refused = not greeting and (len(self._buffer) > MAX_GREETING or not self._may_be_greeting())
        else:
            greeting = _GREETING.search(self._buffer, self._looked)
            refused = not greeting and len(self._buffer) > MAX_BANNER
            self._looked = max(0, len(self._buffer) - MAX_GREETING)
        if refused:
            raise self._no_peer()
        if greeting:
            self._meet(int(greeting[1]), greeting[2].decode())
            del self._buffer[: greeting.end()]
        return greeting is not None

    def _may_be_greeting(self) -> bool:
        head = bytes(self._buffer[: len(MAGIC)])
        return MAGIC.startswith(head) and b"\n" not in self._buffer

    def _no_peer(self) -> ProtocolError | IncompatibleError:
        if self.role is Role.SERVER:
            return RemoteProtocolError("the peer is no aefsync")
        return IncompatibleError("no aefsync agent answered, but something else")

    def _meet(self, protocol: int, version: str) -> None:
        self.peer_version = version
        if protocol == PROTOCOL:
            return
        here, there = f"this side ({self._version})", f"the other side ({version})"
        old, new = (there, here) if protocol < PROTOCOL else (here, there)
        raise IncompatibleError(f"{old} is too old for {new}: upgrade it")
