"""A remote replica's half that deals with growths: what comes by columns is asked for, sent ahead, and planted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from aefsync.core.compare import Span
from aefsync.core.growth import Gathered, Growth
from aefsync.wire import checks
from aefsync.wire.asking import Asking
from aefsync.wire.dialogue import Method
from aefsync.wire.in_order import Asked, in_order
from aefsync.wire.stream import Stream


class RemoteGrowing(Asking):
    """A session in which entries are sent by columns; `_sent_entries` were, and are not yet planted."""

    _sent_entries = 0

    def _begin(self, stream: Stream) -> None:
        self._sent_entries = 0
        super()._begin(stream)

    def growth(self, spans: Sequence[Span]) -> Growth:
        growth: Growth = self._call(Method.GROWTH, spans)
        self._check(checks.check_growth, spans, growth)
        return growth

    def gather(self, growth: Growth) -> Gathered:
        return next(self.gather_ahead([growth]))

    def gather_ahead(self, growths: Iterable[Growth]) -> Iterator[Gathered]:
        """`gather` for each of several growths, the later ones on their way before the first has come."""
        self.round_trips += 1
        calls = (Asked(growth, growth.small_size, (growth,)) for growth in growths)
        for growth, gathered in in_order(self._caller, Method.GATHER, calls):
            self._check(checks.check_gathered, growth, gathered)
            yield gathered

    def grow(self, growth: Growth, data: bytes | memoryview, peer: int | None) -> bytes:
        return next(self.grow_ahead([(growth, data)], peer))

    def grow_ahead(self, loads: Iterable[tuple[Growth, bytes | memoryview]], peer: int | None) -> Iterator[bytes]:
        """`grow` for each of several growths, the later ones on their way before the first is done."""
        self.round_trips += 1
        for growth, contents in in_order(self._caller, Method.GROW, self._growths(loads, peer)):
            self._check(checks.check_grown, growth, contents)
            yield contents

    def _growths(self, loads: Iterable[tuple[Growth, bytes | memoryview]], peer: int | None) -> Iterator[Asked[Growth]]:
        for growth, data in loads:
            self._sent_entries += growth.length
            yield Asked(growth, growth.small_size, (growth, data, peer))

    def plant(self) -> bytes:
        count, self._sent_entries = self._sent_entries, 0
        flags: bytes = self._call(Method.PLANT)
        self._check(checks.check_planted, count, flags)
        return flags
