"""Large buffers that are used again and again: to get one from the system, page by page, takes as long as to fill it."""

from __future__ import annotations

_STEP = 1 << 20
"""What sizes are rounded up to, so that a buffer serves for others of about its size."""


class Lender:
    """Lends memory; what nobody has a view of any more is lent again.

    `most` bytes are kept, of buffers that are not larger than half of that.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: list[bytearray] = []

    def lend(self, size: int) -> memoryview:
        """So many bytes, whatever is in them."""
        buffer = next((each for each in self._kept if len(each) >= size and _is_free(each)), None)
        if buffer is None:
            buffer = bytearray(-(-size // _STEP) * _STEP)
            self._keep(buffer)
        return memoryview(buffer)[:size]

    def _keep(self, buffer: bytearray) -> None:
        if len(buffer) > self._most // 2:
            return
        room = self._most - len(buffer)
        while sum(map(len, self._kept)) > room:
            del self._kept[0]
        self._kept.append(buffer)


def _is_free(buffer: bytearray) -> bool:
    """Whether there is no view of a buffer: its length cannot be changed while there is."""
    try:
        last = buffer.pop()
    except BufferError:
        return False
    buffer.append(last)
    return True
