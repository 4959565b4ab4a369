"""A sketch: a set of numbers in the bits of a few bytes, which may say of a number that is not in it that it is."""

from __future__ import annotations


class Sketch:
    """Numbers, of which only the lowest `bits`, three or more, tell."""

    def __init__(self, bits: int) -> None:
        self._mask = (1 << bits) - 1
        self._bytes = bytearray(1 << bits - 3)

    def add(self, number: int) -> None:
        bit = number & self._mask
        self._bytes[bit >> 3] |= 1 << (bit & 7)

    def __contains__(self, number: int) -> bool:
        bit = number & self._mask
        return bool(self._bytes[bit >> 3] >> (bit & 7) & 1)

    def meets(self, other: Sketch) -> bool:
        """Whether both may have a number in common; the other is of as many bits."""
        return bool(int.from_bytes(self._bytes) & int.from_bytes(other._bytes))
