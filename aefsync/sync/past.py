"""The past that replicas share: who takes part, what all of them have seen, and what a session leaves behind."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from aefsync.core.members import (
    Encounter,
    Member,
    Members,
    Memory,
    Standing,
    State,
    after_part,
    after_session,
    awaited,
    believed,
    check_fits,
    is_older,
    merge_members,
    watermark,
)
from aefsync.core.ports import Access, Scan, Scanned
from aefsync.core.unsettled import LeftStanding, Sighting
from aefsync.core.version import Dot, Vector, merge
from aefsync.sync.attending import Attending
from aefsync.sync.session import Session

if TYPE_CHECKING:
    from aefsync.wire.remote import RemoteReplica

_NOTHING_SEEN = Sighting()
_NEWS_S = 3600
"""A session in which nothing happened is noted when the last note of such a one is so old."""


class Past:
    """What the sidecars of a session's replicas say together."""

    def __init__(self, session: Session, clock_s: Callable[[], float] = time.time) -> None:
        self._session = session
        self._now_s = int(clock_s())
        self._standings: list[Standing | None] = [opened.standing for opened in session.opened]
        known = (each.members for each in self._standings if each is not None)
        self.left = LeftStanding()
        """what stands since the session, as the replica knows that knows of most"""
        self.members = merge_members(believed(members, self._now_s) for members in known)
        check_fits(self.members)

    @property
    def watermark(self) -> Vector:
        """What all members have seen; nothing as long as somebody here is new."""
        return () if None in self._standings else watermark(self.members)

    def scan_of(self, common: Scan, number: int) -> Scan:
        """How one replica is scanned."""
        return common._replace(versions=True, watermark=self.watermark, claims=tuple(self._claims(number)))

    def _claims(self, number: int) -> Iterator[Encounter]:
        """What the others hold for the last mark of this one."""
        own = self._standings[number]
        for other in self._standings:
            if own is not None and other is not None and other is not own:
                yield from (Encounter(other.id, met.mark) for met in other.met if met.id == own.id)

    def returned(self, scans: Sequence[Scanned]) -> frozenset[int]:
        """The replicas for which tombstones were not kept: they were away for long, are older than they were, or have been
        somebody else."""
        waited_for = {each.id for each in awaited(self.members)}
        away = {
            number
            for number, own in enumerate(self._standings)
            if own is not None and own.members and own.id not in waited_for
        }
        known = enumerate(zip(self._standings, scans, strict=True))
        older = {n for n, (own, scanned) in known if scanned.restored or (own and own.returned) or self._is_older(n)}
        return frozenset(away | older)

    def _is_older(self, number: int) -> bool:
        own, identity = self._standings[number], self._session.opened[number].identity
        others = (other.members for other in self._standings if other is not None and other is not own)
        return is_older(identity, own.members if own else (), others)

    def shared(self, scans: Sequence[Scanned]) -> frozenset[int]:
        """The replicas of which the others once had all that their first scan found; one that turned out to be damaged has
        had no first scan yet."""
        both = enumerate(zip(self._standings, scans, strict=True))
        return frozenset(n for n, (own, scanned) in both if own and own.shared and (scanned.standing or own).shared)

    def mint(self) -> Dot | None:
        """A new dot, of the first replica that may be written to; `None` where none may be."""
        for number, request in enumerate(self._session.requests):
            if request.access is Access.WRITE and not self._session.opened[number].read_only:
                return self._session.call(number, lambda _, replica: replica.mint())
        return None

    def begin(self, attending: Attending) -> None:
        """Have those that remember nothing yet begin with what they have read, before others have it."""
        new = {n for n, own in enumerate(self._standings) if own is None or not own.shared} - attending.read_only

        def begin(number: int, replica: RemoteReplica) -> None:
            if number in new and self._session.requests[number].access is Access.WRITE:
                replica.learn(())

        attending.each(begin, lambda _: None)

    def conclude(
        self,
        attending: Attending,
        scans: Sequence[Scanned],
        seen: Sighting = _NOTHING_SEEN,
        *,
        is_whole: bool,
        is_success: bool = False,
    ) -> None:
        """Have every replica remember the session, and what was left standing; `is_whole`: over the whole roots,
        unfiltered, and without trouble; `is_success`: all was done that was asked, be it of a part."""
        present = [scanned.standing for scanned in scans if scanned.standing is not None]
        members = self._joined(present, is_whole=is_whole)
        if is_whole or is_success:
            rows = {each.id: self._seen(each, members) for each in present}
            noted = (after_session if is_whole else after_part)(members, rows, self._now_s)
            members = noted if self._is_news(members, noted) else members
        self.members = members
        ids = [own.id if own else "" for own in (scanned.standing for scanned in scans)]
        ids = [own or opened.identity for own, opened in zip(ids, self._session.opened, strict=True)]

        def remember(number: int, replica: RemoteReplica) -> LeftStanding:
            own, known = scans[number].standing, self._standings[number]
            left = known.left if known is not None else LeftStanding()
            if own is None or self._session.requests[number].access is Access.READ:
                return left
            met = tuple(Encounter(each.id, each.mark, own.mark.counter) for each in present if each.id != own.id)
            before = frozenset(known.members) if known is not None else frozenset()
            fresh = tuple(each for each in members if each not in before)
            is_told = known is not None and (not is_whole or (known.shared and not own.returned))
            is_old = known is not None and is_told and set(met) <= set(known.met)
            if fresh or not is_old or seen.stood or any(left):
                peers = frozenset(ids[:number] + ids[number + 1 :]) - {""}
                returned = not is_whole and self._is_older(number)
                return replica.remember(Memory(fresh, met, seen._replace(peers=peers), is_whole, returned))
            return left

        self.left = LeftStanding.among(attending.each(remember, lambda _: LeftStanding()))

    def keep(self, attending: Attending, scans: Sequence[Scanned], seen: Sighting) -> None:
        """Where replicas were lost, have the others remember what they have: those may hold it by now.

        Who is not there takes no part: perhaps it has not even begun to remember, and nobody would hear of it again.
        """
        left = [each if n not in attending.lost else each._replace(standing=None) for n, each in enumerate(scans)]
        self.conclude(attending, left, seen, is_whole=False)

    def _joined(self, present: Sequence[Standing], *, is_whole: bool) -> Members:
        """The members, those who are here and new among them.

        Who has been somebody else is one of them when all that it has was looked at: what it alone has still may be what
        the others have deleted.
        """
        others = {own.id for own in self._standings if own is not None and own.members}
        new = tuple(Member(each.id) for each in present if is_whole or each.id not in others)
        fresh = merge_members([self.members, new])
        authors = {each.id: each.author for each in present}
        return tuple(each._replace(author=authors.get(each.id, each.author)) for each in fresh)

    @staticmethod
    def _seen(standing: Standing, members: Members) -> Vector:
        """What a replica has seen: what its row says, and its own edits."""
        row = next((each.seen for each in members if each.id == standing.id), ())
        own = (Dot(standing.author, standing.mark.counter),) if standing.mark.counter else ()
        return merge([row, own])

    @staticmethod
    def _is_news(before: Members, after: Members) -> bool:
        """Whether anybody has seen anything new, or it is long since that was last noted."""
        return any(
            own.seen != noted.seen
            or (own.state is State.ACTIVE and max(noted.last_s - own.last_s, noted.whole_s - own.whole_s) > _NEWS_S)
            for own, noted in zip(before, after, strict=True)
        )
