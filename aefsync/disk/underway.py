"""Underway: what a session has written down as pending, and what of that it has done since."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Sequence

from aefsync.core.action import Action
from aefsync.core.growth import Growth
from aefsync.core.path import RelPath
from aefsync.core.version import Version
from aefsync.disk.chronicle import Chronicle
from aefsync.disk.pending import intentions, pack_batch
from aefsync.disk.pending_growth import pack_growth
from aefsync.disk.settling import Settling


class Underway:
    """The rows that this session has made pending; none of what is in them counts as done before that is said."""

    def __init__(self) -> None:
        self._done: list[bytes] = []
        """for each row a byte for each thing that it intends: 1 where it is done"""
        self._widths: list[int] = []
        """how many things each action of the last row intends"""

    def intend(self, chronicle: Chronicle, actions: Sequence[Action], content: Callable[[RelPath], bytes]) -> None:
        """Write actions down; `content` gives that of the file staged for a path."""
        numbers: dict[Version, int] = {}

        def number(version: Version) -> int:
            known = numbers.get(version)  # most actions have one and the same
            if known is None:
                known = numbers[version] = chronicle.adopt(version)
            return known

        intended = [list(intentions(action, content(action.path), number)) for action in actions]
        self._widths = list(map(len, intended))
        self._add(chronicle, pack_batch(list(itertools.chain.from_iterable(intended))), sum(self._widths))

    def intend_growth(self, chronicle: Chronicle, growth: Growth, flags: bytes) -> None:
        """Write down the entries of a growth that have a byte 1."""
        self._add(chronicle, pack_growth(growth, flags, chronicle.adopt), growth.length)

    def _add(self, chronicle: Chronicle, body: bytes, count: int) -> None:
        assert chronicle.sidecar is not None
        chronicle.sidecar.add_pending(body)
        self._done.append(bytes(count))

    def did(self, done: Sequence[bool]) -> None:
        """Which of the last actions were carried out."""
        self._done[-1] = bytes([each for each, width in zip(done, self._widths, strict=True) for _ in range(width)])

    def planted(self, flags: bytes) -> None:
        """Which entries of the last growth are in place, if it was written down."""
        if any(flags):
            self._done[-1] = flags

    def settle(self, chronicle: Chronicle, settling: Settling, failed: Collection[bytes]) -> None:
        """Have what was done recorded, but for what is in directories that are not durable (by their paths)."""
        settling.begin()
        settling.carry(self._done, failed)
        settling.complete()
        if self._done and not failed and chronicle.sidecar is not None:
            chronicle.sidecar.clear_pending()
            self.forget()

    def forget(self) -> None:
        """Nothing is pending any more."""
        self._done.clear()
