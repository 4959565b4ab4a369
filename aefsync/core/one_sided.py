"""One-sided: what only one replica has, found as whole ranges by the comparison, and brought to all others as growths."""

from __future__ import annotations

import itertools
import stat
from collections.abc import Iterator, Sequence

from aefsync.core.compare import Difference, Selection, Span
from aefsync.core.entry import Entry
from aefsync.core.growth import Growth, modes_of
from aefsync.core.metadata import USABLE, Aspects
from aefsync.core.named_tuple import NamedTuple

FROM = 64
"""Entries of one replica that come together before it pays to bring them so."""


class OneSided(NamedTuple):
    """What only replica `holder` has, and why all others are to get it."""

    holder: int
    growth: Growth
    reason: str = "missing"

    def differences(self, replicas: int) -> Iterator[Difference]:
        """The same entry by entry, among so many replicas."""
        before, after = (None,) * self.holder, (None,) * (replicas - 1 - self.holder)
        return (Difference(entry.path, (*before, entry, *after)) for entry in self.growth.entries())

    @property
    def read_only_directories(self) -> list[Entry]:
        """The directories that nothing could be put into with the mode that they are to have in the end."""
        found = []
        for block in self.growth.blocks:
            for index, mode in enumerate(modes_of(block)):
                if stat.S_IFMT(mode) == stat.S_IFDIR and mode & USABLE != USABLE:
                    found.append(block.entry(index))
        return found


def pays(entries: int) -> bool:
    """Whether so many entries of one replica are brought by columns."""
    return entries >= FROM


def can_grow(aspects: Aspects) -> bool:
    """Whether columns tell all that counts."""
    return aspects.symlinks and not aspects.has_extras


def one_sided(selections: Sequence[Selection]) -> Iterator[tuple[int | None, list[Selection]]]:
    """Neighbouring selections of one and the same holder, where they come to `FROM` entries; `None` for all others."""
    others: list[Selection] = []
    for holder, group in itertools.groupby(selections, key=_holder):
        found = list(group)
        if holder is None or not pays(sum(each.size for each in found)):
            others += found
            continue
        if others:
            yield None, others
            others = []
        yield holder, found
    if others:
        yield None, others


def _holder(selection: Selection) -> int | None:
    holders = [number for number, spans in enumerate(selection.spans) if spans]
    return holders[0] if len(holders) == 1 else None


def without_first(spans: Sequence[Span], count: int) -> list[Span]:
    """Spans without the first so many positions."""
    left: list[Span] = []
    for low, high in spans:
        skipped = min(count, high - low)
        count -= skipped
        if low + skipped < high:
            left.append((low + skipped, high))
    return left
