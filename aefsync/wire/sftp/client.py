"""`SftpFiles`: a file system elsewhere over a stream, many operations on their way at once.

Nobody reads while nobody waits: what is sent before any answer is taken in is bounded by `REQUESTS` and `BYTES`, which
fit what streams hold, so that the two sides never wait for each other.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from functools import partial
from typing import Any, TypeVar

from aefsync.core.files import Abilities, Files, Op, Task
from aefsync.errors import AefsyncError, IncompatibleError, ProtocolError, UnreachableError
from aefsync.wire.sftp import packets
from aefsync.wire.sftp.operations import Packet, Unheard, ask_limits, offer_of, perform
from aefsync.wire.stream import READ_SIZE, Stream

T = TypeVar("T")

TASKS = 64
"""Tasks of one call under way at the same time; each may have a file open, and servers allow some hundreds."""
REQUESTS = 512
BYTES = 4 << 20
"""What may be asked for, or sent, before the answers come."""

Fill = Callable[[Any], None]
"""Takes the outcome of something."""


class SftpFiles(Files):
    """The far side of a stream on which an SFTP server listens; any thread may use it."""

    def __init__(self, stream: Stream) -> None:
        """Agree on the version; raises `AefsyncError`."""
        self._stream = stream
        self._lock = threading.RLock()
        self._numbers = itertools.count(1)
        self._received = bytearray()
        self._waiting: deque[tuple[Packet, Fill | None]] = deque()
        self._asked: dict[int, tuple[Fill | None, int]] = {}
        self._asked_bytes = 0
        self._loss: AefsyncError | None = None
        self._offer = offer_of(self._begin())
        if self._offer.has_limits:
            limits = _Ending()
            _Run(ask_limits(self._offer), self._queue, limits.take, Exception)
            self._offer = self._end(limits)

    @property
    def abilities(self) -> Abilities:
        return self._offer.abilities

    def carry_out(self, tasks: Iterable[Task[T]]) -> Iterator[T]:
        waiting = iter(tasks)
        under_way: deque[_Ending] = deque()
        while True:
            with self._lock:
                while len(under_way) < TASKS and (task := next(waiting, None)) is not None:
                    under_way.append(_Ending())
                    _Run(task, self._start, under_way[-1].take, Exception)
                if not under_way:
                    return
                result = self._end(under_way.popleft())
            yield result

    def close(self) -> None:
        self._loss = self._loss or UnreachableError("the connection is closed")
        self._stream.close()

    def _start(self, op: Op, fill: Fill | None) -> None:
        """Begin an operation."""
        _Run(perform(op, self._offer), self._queue, lambda value, error: fill and fill(error or value), OSError)

    def _queue(self, packet: Packet, fill: Fill | None) -> None:
        """Have a packet sent as soon as there is room."""
        self._waiting.append((packet, fill))

    def _end(self, ending: _Ending) -> Any:
        while not ending.is_there:
            self._pump()
        return ending.result()

    def _pump(self) -> None:
        """Send what may be sent, take in what has come, and hand it on."""
        if self._loss is not None:
            raise self._loss
        try:
            self._send()
            self._take(*self._next_packet())
            while (packet := self._whole_packet()) is not None:
                self._take(*packet)
        except OSError as error:
            self._loss = UnreachableError(f"connection lost: {error.strerror or error}", transient=True)
            raise self._loss from error
        except AefsyncError as error:
            self._loss = error
            raise

    def _send(self) -> None:
        out: list[bytes] = []
        while self._waiting and len(self._asked) < REQUESTS and self._asked_bytes < BYTES:
            packet, fill = self._waiting.popleft()
            number, size = next(self._numbers) & 0xFFFFFFFF, _size(packet)
            self._asked[number] = (fill, size)
            self._asked_bytes += size
            out.append(packets.request(packet.kind, number, packet.body))
        if out:
            self._stream.write(b"".join(out))

    def _next_packet(self) -> tuple[int, bytes]:
        while (packet := self._whole_packet()) is None:
            data = self._stream.read(READ_SIZE)
            if not data:
                raise self._stream.loss(None)
            self._received += data
        return packet

    def _whole_packet(self) -> tuple[int, bytes] | None:
        """The kind and the rest of a packet that is there whole."""
        if len(self._received) < 5:
            return None
        length = int.from_bytes(self._received[:4])
        if not 1 <= length <= packets.MAX_PACKET:
            raise ProtocolError(f"the SFTP server sent a packet of {length} bytes")
        if len(self._received) < 4 + length:
            return None
        kind, body = self._received[4], bytes(self._received[5 : 4 + length])
        del self._received[: 4 + length]
        return kind, body

    def _take(self, kind: int, body: bytes) -> None:
        asked = self._asked.pop(int.from_bytes(body[:4]), None) if len(body) >= 4 else None
        if asked is None:
            raise ProtocolError("the SFTP server answered what nobody asked")
        fill, size = asked
        self._asked_bytes -= size
        if fill is not None:
            fill(packets.answer(kind, body[4:]))

    def _begin(self) -> dict[bytes, bytes]:
        try:
            # What has closed already may have said before what it is.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                self._stream.write(packets.init())
            kind, body = self._next_packet()
        except OSError as error:
            raise UnreachableError(f"connection lost: {error.strerror or error}", transient=True) from error
        except ProtocolError:
            kind, body = 0, b""
        if kind != packets.HELLO:
            raise IncompatibleError("what answers there is no SFTP server")
        self._stream.met()
        return packets.extensions(body)


def _size(packet: Packet) -> int:
    """The bytes that a packet has under way: its own, or those that it asks for."""
    return int.from_bytes(packet.body[-4:]) if packet.kind == packets.READ else len(packet.body)


class _Ending:
    """How something ended, as soon as it has."""

    is_there = False

    def take(self, value: Any, error: Exception | None) -> None:
        self.is_there, self._value, self._error = True, value, error

    def result(self) -> Any:
        if self._error is not None:
            raise self._error
        return self._value


class _Run:
    """A generator on its way: an operation, which asks for answers to packets, or a task, which asks for operations.

    `begin` begins what it asks for, `end` hears how it ended: what it returned, or what of the class `caught` it raised.
    """

    def __init__(
        self,
        steps: Generator[Any, Any, Any],
        begin: Callable[[Any, Fill | None], None],
        end: Callable[[Any, Exception | None], None],
        caught: type[Exception],
    ) -> None:
        self._steps = steps
        self._begin = begin
        self._end = end
        self._caught = caught
        self._outcomes: list[Any] = []
        self._missing = 0
        self._go_on(None)

    def _go_on(self, outcomes: list[Any] | None) -> None:
        while True:
            try:
                asked = self._steps.send(outcomes)
            except StopIteration as stop:
                self._end(stop.value, None)
                return
            except self._caught as error:
                self._end(None, error)
                return
            outcomes = []
            if isinstance(asked, Unheard):
                for each in asked:
                    self._begin(each, None)
            elif asked:
                break
        self._outcomes, self._missing = [None] * len(asked), len(asked)
        for index, each in enumerate(asked):
            self._begin(each, partial(self._fill, index))

    def _fill(self, index: int, outcome: Any) -> None:
        self._outcomes[index] = outcome
        self._missing -= 1
        if not self._missing:
            self._go_on(self._outcomes)
