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

A `Connection` never holds more than one frame and what was handed to it last.  What is bulky in a message stands last in
it, and is neither copied when it is sent (`send_in_parts`) nor when it is received (`room`).  A frame may be 16 MiB, and 32 MiB where a
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
from aefsync.wire.dialogue import Call, Message, Method, Progress, Reply, Step, step_of
from aefsync.wire.incoming import Incoming
from aefsync.wire.messages import MessageError, decode_answer, decode_call, encode_in_parts

PROTOCOL = 3
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


_NEXT = {
    (State.IDLE, Step.CALL): State.BUSY,
    (State.BUSY, Step.CALL): State.BUSY,
    (State.BUSY, Step.PROGRESS): State.BUSY,
    (State.BUSY, Step.END): State.IDLE,
    (State.REFUSED, Step.END): State.CLOSED,
}


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
        self._incoming = Incoming()
        self._is_packed = False
        """whether the frame that has begun is compressed"""
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
        return b"".join(self.send_in_parts(message))

    def send_in_parts(self, message: Message) -> list[bytes | memoryview]:
        """The same, what is bulky in the message being the very bytes that it was given."""
        step = step_of(message)
        if (step is Step.CALL) != (self.role is Role.CLIENT):
            raise LocalProtocolError(f"a {self.role.value} does not send {step.value}")
        state = self._after(message)
        if state is None:
            raise LocalProtocolError(f"{step.value} sent while {self.state.value}")
        parts, length = self._encode(message)
        self._enter(state, message)
        packed = self._packer.pack(parts) if self._packer is not None else None
        if packed is not None:
            return [(len(packed) | _COMPRESSED).to_bytes(_LENGTH, "big") + packed]
        return [self.greet() + length.to_bytes(_LENGTH, "big") + parts[0], *parts[1:]]

    @property
    def said(self) -> bytes | None:
        """What a client got before its peer greeted, at most `MAX_BANNER` bytes or so; `None` once it has."""
        return bytes(self._incoming.loose) if self.peer_version is None else None

    @property
    def has_more(self) -> bool:
        """Whether more was received than the messages taken so far."""
        return bool(self._incoming)

    def room(self) -> memoryview:
        """Where to put what is read from the peer next."""
        return self._incoming.room()

    def filled(self, count: int) -> None:
        """So many bytes were read from the peer, and put there."""
        self._incoming.filled(count)

    def receive_data(self, data: bytes) -> None:
        """Take in what was read from the peer elsewhere."""
        if self.state in (State.IDLE, State.BUSY):
            self._incoming.append(data)

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
            self._incoming.clear()
            raise

    def _encode(self, message: Message) -> tuple[Sequence[bytes | memoryview], int]:
        """The parts of a payload, and its length."""
        try:
            parts = encode_in_parts(message)
        except (ValueError, TypeError) as error:
            raise LocalProtocolError(f"message that cannot be sent: {error}") from error
        length = sum(map(len, parts))
        limit = MAX_LONG_FRAME if isinstance(message, Reply) and message.method in LONG else MAX_FRAME
        if length > limit:
            raise LocalProtocolError(f"message of {length} bytes (at most {limit})")
        return parts, length

    def _after(self, message: Message) -> State | None:
        """The state that sending or receiving `message` leads to; `None` where it is not allowed."""
        if isinstance(message, Reply) and (not self._due or message.method is not self._due[0]):
            return None
        state = _NEXT.get((self.state, step_of(message)))
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
            raise RemoteProtocolError(f"the peer sent {step_of(message).value} that was not due")
        self._enter(state, message)
        return message

    def _take_frame(self) -> Message | Need:
        limit = MAX_LONG_FRAME if self._due and self._due[0] in LONG else MAX_FRAME
        if not self._incoming.has_begun and not self._begin_frame(limit):
            return NEED_DATA
        payload = self._incoming.take()
        if payload is None:
            return NEED_DATA
        return self._receive(self._unpack(payload, limit) if self._is_packed else payload)

    def _begin_frame(self, limit: int) -> bool:
        loose = self._incoming.loose
        while loose.startswith(PULSE):
            del loose[:_LENGTH]
        if len(loose) < _LENGTH:
            return False
        head = int.from_bytes(loose[:_LENGTH], "big")
        length, self._is_packed = head & ~_COMPRESSED, bool(head & _COMPRESSED)
        if length > limit:
            raise RemoteProtocolError(f"the peer announced a frame of {length} bytes (at most {limit})")
        self._incoming.begin(_LENGTH, length)
        return True

    def _unpack(self, packed: memoryview, limit: int) -> bytes:
        if not self._compress:
            raise RemoteProtocolError("the peer sent a compressed frame unasked")
        try:
            return compression.unpack(packed, limit)
        except ValueError as error:
            raise RemoteProtocolError(f"the peer sent a {error}") from error

    def _find_greeting(self) -> bool:
        """Find the peer's greeting and drop everything up to its end; a server's client must begin with it."""
        buffer = self._incoming.loose
        if self.role is Role.SERVER:
            greeting = GREETING.match(buffer)
            refused = not greeting and (len(buffer) > MAX_GREETING or not self._may_be_greeting())
        else:
            greeting = GREETING.search(buffer, self._looked)
            refused = not greeting and len(buffer) > MAX_BANNER
            self._looked = max(0, len(buffer) - MAX_GREETING)
        if refused:
            raise self._no_peer()
        if greeting:
            self._meet(int(greeting[1]), greeting[2].decode(), greeting[3].decode().split())
            del buffer[: greeting.end()]
        return greeting is not None

    def _may_be_greeting(self) -> bool:
        buffer = self._incoming.loose
        return MAGIC.startswith(bytes(buffer[: len(MAGIC)])) and b"\n" not in buffer

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
