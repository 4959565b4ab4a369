"""Lies: what a hostile peer makes of messages that an honest one would send, each told by a seed, so that it can be
told again.

A message is taken apart as what MessagePack holds, whatever its form says; one value in it is replaced by an extreme one
of its type, or of another.  Some lies spoil the frame instead: its length, its order, its end.
"""

from __future__ import annotations

import contextlib
import random
import socket
from collections.abc import Callable
from typing import Any

import msgspec

from aefsync.wire import compression
from aefsync.wire.codec import MAGIC, PULSE
from aefsync.wire.messages import MessageError, decode_answer, decode_call
from aefsync.wire.stream import SocketStream

_COMPRESSED = 1 << 31
NUMBERS = (0, 1, 2, 31, 1024, 1 << 16, 1 << 31, 1 << 32, 1 << 53, 1 << 62, (1 << 63) - 1, 1 << 63, (1 << 64) - 1, -1)
BYTES = (
    *(
        b"",
        b"\0",
        b".",
        b"..",
        b"../outside/keep",
        b"/etc/passwd",
        b"d/../../outside/keep",
        b".aefsync/id",
        b".AEFSYNC",
    ),
    *(b"a\0b", b"\x1b[31mred\x1b[0m", b"\xff\xfe", "\u202e".encode(), b"x" * 256, b"d/" * 3000 + b"x", b"link/keep"),
    *(bytes(16), bytes(32), b"\xff" * 16, b"\xff" * 32, b"A" * 70_000),
)
TEXTS = ("", "\0", "..", "../x", "a/b", "\x1b[2J", "\u202e", "[bold]", "x" * 5000, "f" * 32, "0" * 32, "active")
OTHERS: tuple[Any, ...] = (None, True, 0, 1.5, b"", "", [], {}, [[]], [None], -1)
Place = tuple[int, ...]


def places(value: Any, chance: random.Random) -> Place:
    """Where in a message something is to be changed: each field of a list as likely as the others, however long it is."""
    found: Place = ()
    while isinstance(value, list) and value and (not found or chance.random() < 0.85):
        at = chance.randrange(len(value))
        found, value = (*found, at), value[at]
    return found


def changed(value: Any, place: Place, how: Callable[[Any], Any]) -> Any:
    """The message with one value changed; as it is where it has no such place."""
    if not place:
        return how(value)
    if not isinstance(value, list) or not 0 <= place[0] < len(value):
        return value
    return [*value[: place[0]], changed(value[place[0]], place[1:], how), *value[place[0] + 1 :]]


def lie_about(value: Any, chance: random.Random) -> Any:
    """Another value in the place of this one."""
    if chance.random() < 0.15:
        return chance.choice(OTHERS)
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return chance.choice([*NUMBERS, value + 1, value - 1, -value, 2 * value, value ^ 1 << chance.randrange(62)])
    if isinstance(value, bytes):
        flipped = bytearray(value or b"\0")
        flipped[chance.randrange(len(flipped))] ^= 1 << chance.randrange(8)
        return chance.choice([*BYTES, value[:-1], value + b"x", value[::-1], bytes(flipped), bytes(flipped), value * 3])
    if isinstance(value, str):
        return chance.choice([*TEXTS, value[:-1], value + "x", value[::-1]])
    if isinstance(value, list):
        return chance.choice(
            [[], value[:-1], value[1:], value[::-1], value * 2, [*value, *value[-1:]], value[:1] * 5000]
        )
    return chance.choice(OTHERS)


class Liar:
    """Spoils one message of those that it is told to send, or, once begun, every one of the same method.

    `number` is which (`None`: none); `told` says what was done.
    """

    def __init__(self, seed: int, number: int | None = None) -> None:
        self.messages = 0
        self.told = ""
        self.leaves = False
        """what was sent leaves the other side waiting, and nothing more comes"""
        self._number = number
        self._chance = random.Random(seed)
        self._persists = self._chance.random() < 0.3
        self._again: tuple[Any, Place, int] | None = None
        """what is repeated: the tag, the place, and the state of chance"""

    def __call__(self, data: bytes) -> bytes:
        """What is sent in the place of some bytes that a connection gave."""
        head = b""
        if data.startswith(MAGIC):
            end = data.index(b"\n") + 1
            head, data = data[:end], data[end:]
        if not data or data == PULSE:
            return head + data
        self.messages += 1
        if self.messages - 1 == self._number:
            return head + self._spoil(data)
        if self._again is not None:
            return head + self._repeat(data)
        return head + data

    def _spoil(self, data: bytes) -> bytes:
        if self._chance.random() < 0.1:
            return self._spoil_frame(data)
        message = opened(data)
        for _ in range(40 if self._chance.random() < 0.9 else 1):
            place, seed = places(message, self._chance), self._chance.randrange(1 << 32)
            spoilt = changed(message, place, lambda value, seed=seed: lie_about(value, random.Random(seed)))  # type: ignore[misc]
            if spoilt != message and _is_message(spoilt):
                break
        tag = message[0]
        if self._persists:
            self._again = (tag, place, seed)
        self.told = f"{tag}{list(place)}: {_brief(spoilt, place)}{' from now on' if self._persists else ''}"
        return framed(spoilt)

    def _repeat(self, data: bytes) -> bytes:
        assert self._again is not None
        tag, place, seed = self._again
        message = opened(data)
        if not isinstance(message, list) or message[:1] != [tag]:
            return data
        return framed(changed(message, place, lambda value: lie_about(value, random.Random(seed))))

    def _spoil_frame(self, data: bytes) -> bytes:
        """Another frame, or none, or more of them."""
        kinds: dict[str, Callable[[], bytes]] = {
            "twice": lambda: data * 2,
            "cut": lambda: data[: self._chance.randrange(len(data))],
            "flipped": lambda: bytes([data[0] ^ 1 << self._chance.randrange(8)]) + data[1:],
            "noise": lambda: self._chance.randbytes(len(data)),
            "long": lambda: ((1 << 31) - 1).to_bytes(4) + data[4:],
            "bomb": bomb,
            "deep": lambda: (200_000).to_bytes(4) + b"\x91" * 200_000,
            "endless progress": lambda: framed(["progress", "scan", 1, 2]) * 5000 + data,
            "failed": lambda: framed(["failed", "UsageError", b"two\nlines \x1b[2J", b"\x1b]0;t\x07\r"]),
            "odd failure": lambda: framed(["failed", "SystemExit", b"\xff" * 4096, None]),
        }
        name = self._chance.choice(list(kinds))
        self.told, self.leaves = name, name in ("cut", "flipped", "noise", "bomb")
        return kinds[name]()


class LyingStream(SocketStream):
    """A stream whose owner says what a liar makes of it."""

    def __init__(self, connection: socket.socket, liar: Liar) -> None:
        super().__init__(connection)
        self._liar = liar

    def write(self, *parts: bytes | memoryview) -> None:
        super().write(self._liar(b"".join(parts)))
        if self._liar.leaves:
            raise ConnectionResetError("the liar leaves")


def opened(frame: bytes) -> Any:
    """What MessagePack holds in one frame."""
    is_packed, payload = bool(frame[0] & 0x80), frame[4:]
    return msgspec.msgpack.decode(compression.unpack(payload, 1 << 30) if is_packed else payload)


def framed(message: Any) -> bytes:
    payload = msgspec.msgpack.encode(message)
    return len(payload).to_bytes(4) + payload


def _is_message(message: Any) -> bool:
    """Whether there is such a message: a lie that is none does not get far."""
    payload = msgspec.msgpack.encode(message)
    for decode in (decode_call, decode_answer):
        with contextlib.suppress(MessageError):
            decode(payload)
            return True
    return False


def bomb() -> bytes:
    """A small frame that says that it stands for more than any frame may."""
    packed = compression._zstandard().ZstdCompressor(level=1).compress(bytes(256 << 20))
    return (len(packed) | _COMPRESSED).to_bytes(4) + packed


def _brief(message: Any, place: Place) -> str:
    for at in place:
        message = message[at]
    text = repr(message)
    return text if len(text) < 60 else f"{text[:60]}… ({len(text)})"
