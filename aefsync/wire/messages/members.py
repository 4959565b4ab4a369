"""The forms of what a sidecar says and keeps of a replica: who takes part, its marks, and whom it met."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Annotated, Self

from msgspec import Meta

from aefsync.core.members import (
    LONGEST_NAME,
    MOST_INCARNATIONS,
    MOST_MEMBERS,
    ROSTER,
    TAG,
    Encounter,
    Mark,
    Member,
    Members,
    Memory,
    Standing,
    State,
)
from aefsync.core.ports import Scan
from aefsync.core.unsettled import MOST, SHOWN, LeftStanding, Sighting, StandingPath
from aefsync.wire.messages.rows import Count, Counts, Form, Row, Strings
from aefsync.wire.messages.versions import Authors, Roll, author_of, check_dots, unpack_vector

Name = Annotated[str, Meta(max_length=LONGEST_NAME, pattern=r"\A[^\x00-\x1f\x7f-\x9f]*\Z")]
Roster = Annotated[bytes, Meta(max_length=ROSTER)]
Tag = Annotated[bytes, Meta(min_length=TAG, max_length=TAG)]


class MemberRow(Row):
    """A member, its id by its number among the authors of the form."""

    id: Count
    name: Name
    incarnation: Annotated[int, Meta(ge=0, le=MOST_INCARNATIONS)]
    state: State
    seen: Counts
    last_s: Count
    author: Count
    """counted from 1; 0: not known"""
    whole_s: Count

    @classmethod
    def of(cls, member: Member, roll: Roll) -> Self:
        number, seen = roll.number(bytes.fromhex(member.id)), roll.vector(member.seen)
        author = roll.number(member.author) + 1 if member.author else 0
        return cls(number, member.name, member.incarnation, member.state, seen, member.last_s, author, member.whole_s)

    def member(self, authors: Sequence[bytes]) -> Member:
        seen, identity = unpack_vector(authors, self.seen, MOST_MEMBERS), author_of(authors, self.id).hex()
        author = author_of(authors, self.author - 1) if self.author else b""
        return Member(identity, self.name, self.incarnation, self.state, seen, self.last_s, author, self.whole_s)


class EncounterRow(Row):
    id: Count
    marked: Count
    tag: Tag
    counter: Count

    @classmethod
    def of(cls, encounter: Encounter, roll: Roll) -> Self:
        return cls(roll.number(bytes.fromhex(encounter.id)), *encounter.mark, encounter.counter)

    def encounter(self, authors: Sequence[bytes]) -> Encounter:
        return Encounter(author_of(authors, self.id).hex(), Mark(self.marked, self.tag), self.counter)


MemberRows = Annotated[tuple[MemberRow, ...], Meta(max_length=MOST_MEMBERS)]
EncounterRows = Annotated[tuple[EncounterRow, ...], Meta(max_length=MOST_MEMBERS)]


def _members(authors: Sequence[bytes], rows: Sequence[MemberRow]) -> Members:
    """Raises `ValueError` where members are out of order, or told twice."""
    check_dots(row.seen for row in rows)
    members = tuple(row.member(authors) for row in rows)
    if any(one.id >= other.id for one, other in itertools.pairwise(members)):
        raise ValueError("members out of order")
    return members


def _met(authors: Sequence[bytes], rows: Sequence[EncounterRow]) -> tuple[Encounter, ...]:
    met = tuple(row.encounter(authors) for row in rows)
    if len({each.id for each in met}) < len(met):
        raise ValueError("one replica met twice")
    return met


class LeftRow(Row):
    conflicts: Annotated[int, Meta(ge=0, le=MOST)]
    suspects: Annotated[int, Meta(ge=0, le=MOST)]
    paths: Strings
    """the first of them"""
    are_suspects: Annotated[tuple[bool, ...], Meta(max_length=SHOWN)]

    @classmethod
    def of(cls, left: LeftStanding) -> Self:
        paths, are_suspects = (
            Strings.of(each.path for each in left.paths),
            tuple(each.is_suspect for each in left.paths),
        )
        return cls(left.conflicts, left.suspects, paths, are_suspects)

    def left(self) -> LeftStanding:
        """Raises `ValueError` where a path has no row, or a row no path."""
        paths = tuple(StandingPath(*each) for each in zip(self.paths.paths(), self.are_suspects, strict=True))
        return LeftStanding(self.conflicts, self.suspects, paths)


class StandingRow(Row):
    authors: Authors
    id: Count
    author: Count
    counter: Count
    tag: Tag
    members: MemberRows
    met: EncounterRows
    roster: Roster
    shared: bool
    left: LeftRow
    returned: bool

    @classmethod
    def of(cls, standing: Standing) -> Self:
        roll = Roll()
        own = (roll.number(bytes.fromhex(standing.id)), roll.number(standing.author), *standing.mark)
        members = tuple(MemberRow.of(each, roll) for each in standing.members)
        met = tuple(EncounterRow.of(each, roll) for each in standing.met)
        left = LeftRow.of(standing.left)
        return cls(roll.authors, *own, members, met, standing.roster, standing.shared, left, standing.returned)

    def standing(self) -> Standing:
        own_id, author = (author_of(self.authors, number) for number in (self.id, self.author))
        members, met = _members(self.authors, self.members), _met(self.authors, self.met)
        mark, left = Mark(self.counter, self.tag), self.left.left()
        return Standing(own_id.hex(), author, mark, members, met, self.roster, self.shared, left, self.returned)


class RecallRow(Row):
    """What a scan by versions is told: the watermark, and what other members hold of the replica."""

    authors: Authors
    watermark: Counts
    claims: EncounterRows

    @classmethod
    def of(cls, scan: Scan) -> Self | None:
        """Nothing where no versions are asked for."""
        if not scan.versions:
            return None
        roll = Roll()
        watermark, claims = roll.vector(scan.watermark), tuple(EncounterRow.of(each, roll) for each in scan.claims)
        return cls(roll.authors, watermark, claims)

    def told(self, scan: Scan) -> Scan:
        watermark = unpack_vector(self.authors, self.watermark, MOST_MEMBERS)
        claims = _met(self.authors, self.claims)
        return scan._replace(versions=True, watermark=watermark, claims=claims)


class SightingRow(Row):
    """What a session left standing; its peers by their numbers among the authors of the form."""

    paths: Strings
    suspects: Annotated[tuple[bool, ...], Meta(max_length=MOST)]
    blind: Strings
    is_complete: bool
    peers: Annotated[tuple[Count, ...], Meta(max_length=MOST_MEMBERS)]

    @classmethod
    def of(cls, seen: Sighting, roll: Roll) -> Self:
        paths, suspects = Strings.of(each.path for each in seen.stood), tuple(each.is_suspect for each in seen.stood)
        peers = tuple(roll.number(bytes.fromhex(each)) for each in sorted(seen.peers))
        return cls(paths, suspects, Strings.of(seen.blind), seen.is_complete, peers)

    def sighting(self, authors: Sequence[bytes]) -> Sighting:
        """Raises `ValueError` where a path has no row, or a row no path."""
        stood = tuple(StandingPath(*each) for each in zip(self.paths.paths(), self.suspects, strict=True))
        peers = frozenset(author_of(authors, each).hex() for each in self.peers)
        return Sighting(stood, tuple(self.blind.decode()), self.is_complete, peers)


class RememberCall(Form, tag="remember"):
    authors: Authors
    members: MemberRows
    met: EncounterRows
    seen: SightingRow | None = None
    is_whole: bool = False
    returned: bool = False

    @classmethod
    def of(cls, *values: Memory) -> Self:
        roll, memory = Roll(), values[0]
        members = tuple(MemberRow.of(each, roll) for each in memory.members)
        met = tuple(EncounterRow.of(each, roll) for each in memory.met)
        seen = memory.seen and SightingRow.of(memory.seen, roll)
        return cls(roll.authors, members, met, seen, memory.is_whole, memory.returned)

    def values(self) -> tuple[Memory]:
        seen = self.seen.sighting(self.authors) if self.seen else None
        members, met = _members(self.authors, self.members), _met(self.authors, self.met)
        return (Memory(members, met, seen, self.is_whole, self.returned),)


class RememberReply(Form, tag="remember"):
    left: LeftRow

    @classmethod
    def of(cls, *values: LeftStanding) -> Self:
        return cls(LeftRow.of(values[0]))

    def values(self) -> tuple[LeftStanding]:
        return (self.left.left(),)
