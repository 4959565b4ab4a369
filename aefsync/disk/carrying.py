"""Carrying: the records of a renamed directory go to its new path, with the versions that were meant (`core.along`)."""

from __future__ import annotations

import struct
from array import array
from collections.abc import Callable, Sequence

from aefsync.core.along import Along
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.version import STRAY, Version

_HEAD = struct.Struct("<3I")
_SLASH = ord("/")


class Carried(NamedTuple):
    """The numbers of the versions of what a directory brings along: `usual` of most, of the `others` by path their own; of
    the `strays`, and all below them, that of a `stray`."""

    usual: int
    stray: int
    strays: frozenset[bytes]
    others: dict[bytes, int]

    @classmethod
    def of(cls, along: Along, number: Callable[[Version], int]) -> Carried:
        """The form that a sidecar knows; `number` gives that of a version."""
        strays = frozenset(path for path, version in along.others if version == STRAY)
        others = {bytes(path): number(version) for path, version in along.others if version != STRAY}
        return cls(number(along.version), number(STRAY) if strays else 0, strays, others)

    def numbers(self, directory: bytes, names: Sequence[bytes]) -> array[int]:
        """Those of some names in a directory (a key with a closing NUL)."""
        path = directory.replace(b"\0", b"/")
        if self.strays and any(path[:end] in self.strays for end, byte in enumerate(path) if byte == _SLASH):
            return array("I", [self.stray]) * len(names)
        numbers = array("I", [self.usual]) * len(names)
        for index, name in enumerate(names if self.strays or self.others else ()):
            own = path + name
            numbers[index] = self.stray if own in self.strays else self.others.get(own, self.usual)
        return numbers

    def pack(self) -> bytes:
        """The form in the sidecar."""
        paths = b"\0".join([*self.strays, *self.others])
        numbers = struct.pack(f"<{len(self.others)}I", *self.others.values())
        return _HEAD.pack(self.usual, self.stray, len(self.others)) + numbers + paths

    @classmethod
    def unpack(cls, data: bytes) -> Carried:
        """The inverse of `pack`; raises `ValueError` where it does not fit together."""
        try:
            usual, stray, count = _HEAD.unpack_from(data)
            numbers = struct.unpack_from(f"<{count}I", data, _HEAD.size)
        except struct.error:
            raise ValueError("what comes along is cut short") from None
        paths = data[_HEAD.size + 4 * count :].split(b"\0") if len(data) > _HEAD.size + 4 * count else []
        if len(paths) < count:
            raise ValueError("what comes along does not fit together")
        low = len(paths) - count
        return cls(usual, stray, frozenset(paths[:low]), dict(zip(paths[low:], numbers, strict=True)))
