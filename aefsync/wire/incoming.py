"""Bytes on their way in: loose ones until the length of a frame is known, then those of the frame, where it is to lie.

A frame is received into memory of its own, so that what is bulky in it can be used where it lies: nothing is copied
between the stream and whoever wants it.
"""

from __future__ import annotations

from aefsync.core.lending import Lender

_LOOSE = 64 << 10
"""Bytes to ask a stream for while it is not known what comes."""
_KEPT = 24 << 20
"""Bytes of memory for frames that are kept for the next ones."""


class Incoming:
    """What was received and not yet taken; `loose` begins at the start of a frame, where none has begun."""

    def __init__(self) -> None:
        self.loose = bytearray()
        self._landing = memoryview(bytearray(_LOOSE))
        self._lender = Lender(_KEPT)
        self._frame: memoryview | None = None
        self._filled = 0

    def __bool__(self) -> bool:
        return bool(self.loose) or self.has_begun

    @property
    def has_begun(self) -> bool:
        """Whether a frame has, which is not whole yet, or was not taken."""
        return self._frame is not None

    def room(self) -> memoryview:
        """Where the next bytes are to be put, as many as come."""
        return self._landing if self._frame is None else self._frame[self._filled :]

    def filled(self, count: int) -> None:
        """So many bytes were put into the room."""
        if self._frame is None:
            self.loose += self._landing[:count]
        else:
            self._filled += count

    def append(self, data: bytes) -> None:
        """Take in bytes that lie elsewhere."""
        if self._frame is not None:
            part = data[: len(self._frame) - self._filled]
            self._frame[self._filled : self._filled + len(part)] = part
            self._filled += len(part)
            data = data[len(part) :]
        self.loose += data

    def begin(self, skipped: int, length: int) -> None:
        """A frame of `length` bytes begins behind the first loose ones."""
        self._frame = self._lender.lend(length) if length > _LOOSE else memoryview(bytearray(length))
        self._filled = min(length, len(self.loose) - skipped)
        self._frame[: self._filled] = self.loose[skipped : skipped + self._filled]
        del self.loose[: skipped + self._filled]

    def take(self) -> memoryview | None:
        """The frame that has begun, once it is whole."""
        frame = self._frame
        if frame is None or self._filled < len(frame):
            return None
        self._frame = None
        return frame

    def clear(self) -> None:
        self._frame = None
        self.loose.clear()
