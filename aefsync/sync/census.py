"""The census: all that differs, packed, and counted as the guards and the choice of what is read need it."""

from __future__ import annotations

from aefsync.core.compare import Difference
from aefsync.core.differences import Differences
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.one_sided import OneSided
from aefsync.core.verdict import unread
from aefsync.sync.growing import can_be_grown
from aefsync.sync.request import RepairRequest
from aefsync.sync.session import Session
from aefsync.sync.survey import Survey


class Census(NamedTuple):
    """All differences; how many paths each replica has `alone`; whether some were `doubtful`, not read and perhaps to be
    compared with something; whether some are `absent` from the first replica."""

    differences: Differences
    alone: tuple[int, ...]
    doubtful: bool
    absent: bool


class _Counts:
    def __init__(self, replicas: int) -> None:
        self.differences = Differences()
        self.alone = [0] * replicas
        self.holders: set[int] = set()
        self.is_unread = False
        self.is_absent = self.is_buried = False

    def add(self, difference: Difference) -> None:
        self.differences.append(difference)
        _, entries, tombstones = difference
        holders = [number for number, entry in enumerate(entries) if entry is not None]
        if len(holders) == 1:
            self.alone[holders[0]] += 1
        self.holders.update(holders)
        self.is_unread = self.is_unread or bool(unread(entries))
        self.is_buried = self.is_buried or bool(tombstones)
        self.is_absent = self.is_absent or entries[0] is None

    def grow(self, found: OneSided) -> None:
        self.differences.grow(found, len(self.alone))
        self.alone[found.holder] += found.growth.length
        self.holders.add(found.holder)
        self.is_unread = self.is_unread or found.growth.is_unread
        self.is_absent = self.is_absent or bool(found.holder)

    def finish(self) -> Census:
        is_doubtful = self.is_unread and (self.is_buried or len(self.holders) > 1)
        return Census(self.differences, tuple(self.alone), is_doubtful, self.is_absent)


def take_census(session: Session, survey: Survey, request: RepairRequest) -> Census:
    """Pack and count all differences."""
    counts = _Counts(len(survey.scans))
    for found in survey.found(session):
        if isinstance(found, Difference):
            # On the way to what is to go, but not chosen itself.
            if not (request.mirror and found.entries[0] is None and found.path in survey.above):
                counts.add(found)
        elif can_be_grown(session, request, survey.scans, found):
            counts.grow(found)
        else:
            for each in found.differences(len(survey.scans)):
                counts.add(each)
    return counts.finish()
