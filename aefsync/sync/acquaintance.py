"""Acquaintance: what the replicas of a session need not say of themselves and their group, because that is known.

A group agrees on its members nearly always, so that the map of them, which grows with the square of their number, hardly
ever travels: whoever asks says what stands for the one that is known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Self

from aefsync.core.members import Known, Members, Standing, understood
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.ports import Opened


class Acquaintance(NamedTuple):
    """What is known of each replica, and the maps of members by what stands for them."""

    known: tuple[Known, ...]
    rosters: Mapping[bytes, Members]

    @classmethod
    def of(cls, standing: Standing | None, number: int) -> Self:
        """With so many replicas, of which the first has just said that."""
        if standing is None:
            return cls((Known(),) * number, {})
        # What it said may be out of date by now: it is asked again.
        others = Known(standing.roster, (standing.id,))
        return cls((Known(), *[others] * (number - 1)), {standing.roster: standing.members})

    def after(self, opened: Sequence[Opened]) -> Self:
        """When all have said that of themselves."""
        ids = tuple(each.identity for each in opened if each.identity)
        standings = [each.standing for each in opened]
        rosters = {each.roster: each.members for each in standings if each is not None}
        known = tuple(Known(each.roster, ids) if each is not None else Known() for each in standings)
        return self._replace(known=known, rosters={**self.rosters, **rosters})

    def understood(self, opened: Opened) -> Opened:
        """What a replica says, with what it was not asked for."""
        standing = opened.standing
        return opened._replace(standing=standing and understood(standing, self.rosters))
