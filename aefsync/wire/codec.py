"""The protocol without I/O: bytes in, messages out; modelled on h11.

A session is a dialogue in which one side asks and the other answers.  Each side begins with a line that says what it
speaks, then sends **frames**: 4 bytes of length, most significant first, and one message (`messages`).  The client
sends its line and its first call in one go, so greetings cost no round trip.  What a login shell prints before the
server's line is skipped, up to 64 KiB; behind the line everything must be a frame.

    client                                        server
    aefsync-agent/1 0.1.0 zstd\\n                  aefsync-agent/1 0.1.0 zstd\\n
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

A client may call ahead, so that a slow link is never idle: it stays BUSY until the last of its calls has ended, and
the ends come in the order of the calls.  A server sees one call after the other and knows nothing of it.

Behind the version a greeting may have words for what its sender can take in: `zstd` allows compressed frames, which
have the highest bit of their length set.  A frame of no length is a **pulse**: it says nothing but that its sender is
alive, in any state.

A `Connection` never holds more than one frame and what was handed to it last.  A frame may be 16 MiB, and 32 MiB where a
server tells of a scan, of which the list of problems may be long, or of entries; a greater length is refused as it is
read.
"""

from __future__ import annotations

import collections
import enum
import re
from collections.abc import Sequence
from typing import Final

from aefsync import __version__
from aefsync.errors import IncompatibleError, ProtocolError
from aefsync.wire import compression
from aefsync.wire.dialogue import Call, Message, Method, Progress, Reply
from aefsync.wire.messages import MessageError, decode_answer, decode_call, encode

PROTOCOL = 1
MAGIC = b"aefsync-agent/"
MAX_BANNER = 64 << 10
MAX_GREETING = 160
PULSE = bytes(4)
MAX_FRAME = 16 << 20
MAX_LONG_FRAME = 32 << 20
LONG = frozenset({Method.SCAN, Method.READ_UNREAD, Method.RECORD, Method.ENTRIES, Method.SEARCH})
"""What the longer frames answer."""

_LENGTH = 4
_COMPRESSED = 1 << 31
GREETING = re.compile(re.escape(MAGIC) + rb"(\d{1,9}) ([!-~]{1,64})((?: [a-z0-9-]{1,16}){0,3})\r?\n")
"""Protocol, version, words."""


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
    (State.BUSY, _Step.CALL): State.BUSY,
    (State.BUSY, _Step.PROGRESS): State.BUSY,
    (State.BUSY, _Step.END): State.IDLE,
    (State.REFUSED, _Step.END): State.CLOSED,
}


def _step(message: Message) -> _Step:
    if isinstance(message, Call):
        return _Step.CALL
    return _Step.PROGRESS if isinstance(message, Progress) else _Step.END


class Connection:
    """One side of a session.  `state` is that of the dialogue, `peer_version` what the peer's greeting said.

    With `compress` frames are compressed where it pays, in both directions, if the peer agrees.
    """

    def __init__(self, role: Role, version: str = __version__, *, compress: bool = False) -> None:
        self.role = role
        self.state = State.IDLE
        self.peer_version: str | None = None
        self._version = version
        self._greeted = False
        self._compress = compress
        self._packer: compression.Packer | None = None
        self._due: collections.deque[Method] = collections.deque()
        self._buffer = bytearray()
        self._looked = 0

    def greet(self) -> bytes:
        """The line to begin with; empty when it was sent already."""
        if self._greeted:
            return b""
        self._greeted = True
        word = f" {compression.WORD}" if self._compress else ""
        return b"%s%d %s%s\n" % (MAGIC, PROTOCOL, self._version.encode(), word.encode())

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
        packed = self._packer.pack(payload) if self._packer is not None else None
        if packed is not None:
            return (len(packed) | _COMPRESSED).to_bytes(_LENGTH, "big") + packed
        return self.greet() + len(payload).to_bytes(_LENGTH, "big") + payload

    @property
    def said(self) -> bytes | None:
        """What a client got before its peer greeted, at most `MAX_BANNER` bytes or so; `None` once it has."""
        return bytes(self._buffer) if self.peer_version is None else None

    @property
    def has_more(self) -> bool:
        """Whether more was received than the messages taken so far."""
        return bool(self._buffer)

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
            return self._take_frame()
        except (RemoteProtocolError, IncompatibleError):
            self.state = State.REFUSED if self.role is Role.SERVER else State.CLOSED
            self._due.clear()
            self._buffer.clear()
            raise

    def _encode(self, message: Message) -> bytes:
        try:
            payload = encode(message)
        except (ValueError, TypeError) as error:
            raise LocalProtocolError(f"message that cannot be sent: {error}") from error
        limit = MAX_LONG_FRAME if isinstance(message, Reply) and message.method in LONG else MAX_FRAME
        if len(payload) > limit:
            raise LocalProtocolError(f"message of {len(payload)} bytes (at most {limit})")
        return payload

    def _after(self, message: Message) -> State | None:
        """The state that sending or receiving `message` leads to; `None` where it is not allowed."""
        if isinstance(message, Reply) and (not self._due or message.method is not self._due[0]):
            return None
        state = _NEXT.get((self.state, _step(message)))
        if state is State.BUSY and isinstance(message, Call) and self._due:
            ahead = self.role is Role.CLIENT and Method.CLOSE not in (message.method, self._due[-1])
            return State.BUSY if ahead else None
        if state is State.IDLE and isinstance(message, Reply) and message.method is Method.CLOSE:
            return State.CLOSED
        return State.BUSY if state is State.IDLE and len(self._due) > 1 else state

    def _enter(self, state: State, message: Message) -> None:
        self.state = state
        if isinstance(message, Call):
            self._due.append(message.method)
        elif not isinstance(message, Progress) and self._due:
            self._due.popleft()

    def _receive(self, payload: bytes | memoryview) -> Message:
        try:
            message = decode_call(payload) if self.role is Role.SERVER else decode_answer(payload)
        except MessageError as error:
            raise RemoteProtocolError(f"the peer sent bytes that are no message: {error}") from error
        state = self._after(message)
        if state is None:
            raise RemoteProtocolError(f"the peer sent {_step(message).value} that was not due")
        self._enter(state, message)
        return message

    def _take_frame(self) -> Message | Need:
        while self._buffer.startswith(PULSE):
            del self._buffer[:_LENGTH]
        if len(self._buffer) < _LENGTH:
            return NEED_DATA
        head = int.from_bytes(self._buffer[:_LENGTH], "big")
        length, is_packed = head & ~_COMPRESSED, bool(head & _COMPRESSED)
        limit = MAX_LONG_FRAME if self._due and self._due[0] in LONG else MAX_FRAME
        if length > limit:
            raise RemoteProtocolError(f"the peer announced a frame of {length} bytes (at most {limit})")
        if len(self._buffer) < _LENGTH + length:
            return NEED_DATA
        # Decoded where it lies: a copy would take as much again.
        with memoryview(self._buffer) as view, view[_LENGTH : _LENGTH + length] as payload:
            message = self._receive(self._unpack(payload, limit) if is_packed else payload)
        del self._buffer[: _LENGTH + length]
        return message

    def _unpack(self, packed: memoryview, limit: int) -> bytes:
        if not self._compress:
            raise RemoteProtocolError("the peer sent a compressed frame unasked")
        try:
            return compression.unpack(packed, limit)
        except ValueError as error:
            raise RemoteProtocolError(f"the peer sent a {error}") from error

    def _find_greeting(self) -> bool:
        """Find the peer's greeting and drop everything up to its end; a server's client must begin with it."""
        if self.role is Role.SERVER:
            greeting = GREETING.match(self._buffer)
            refused = not greeting and (len(self._buffer) > MAX_GREETING or not self._may_be_greeting())
        else:
            greeting = GREETING.search(self._buffer, self._looked)
            refused = not greeting and len(self._buffer) > MAX_BANNER
            self._looked = max(0, len(self._buffer) - MAX_GREETING)
        if refused:
            raise self._no_peer()
        if greeting:
            self._meet(int(greeting[1]), greeting[2].decode(), greeting[3].decode().split())
            del self._buffer[: greeting.end()]
        return greeting is not None

    def _may_be_greeting(self) -> bool:
        head = bytes(self._buffer[: len(MAGIC)])
        return MAGIC.startswith(head) and b"\n" not in self._buffer

    def _no_peer(self) -> ProtocolError | IncompatibleError:
        if self.role is Role.SERVER:
            return RemoteProtocolError("the peer is no aefsync")
        return IncompatibleError("no aefsync agent answered, but something else")

    def _meet(self, protocol: int, version: str, words: Sequence[str]) -> None:
        self.peer_version = version
        if protocol == PROTOCOL:
            if self._compress and compression.WORD in words:
                self._packer = compression.Packer()
            return
        here, there = f"this side ({self._version})", f"the other side ({version})"
        old, new = (there, here) if protocol < PROTOCOL else (here, there)
        raise IncompatibleError(f"{old} is too old for {new}: upgrade it")
