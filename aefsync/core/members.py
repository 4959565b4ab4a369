"""Members: who takes part, as every replica knows it, and what all of them are known to have seen.

The map is a state-based CRDT (Shapiro 2011): merging is commutative, associative and idempotent, so it may be exchanged
in any session, in any order.  A member's row is what it is known to have **seen**: all that stood in the vectors of
those it had a whole session with.  The least that all active members have seen is the **watermark**; a tombstone at or
below it is needed by nobody any more.  (Riak and Cassandra drop theirs by age alone, and bring the dead back.)

    A seen: A 5, B 3      B seen: A 4, B 3      watermark: A 4, B 3      a tombstone with A 5 stays
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Sized
from typing import Protocol

from aefsync.core.digest import framed_digest
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.unsettled import LeftStanding, Sighting
from aefsync.core.version import MANY_DOTS, Dot, Vector, is_covered, least, merge
from aefsync.errors import ProtocolError

MAX_ABSENCE_S = 90 * 86_400
"""A member that the others meet without for so long is no longer waited for."""
AHEAD_S = 86_400
"""By how much the clock of whoever ran a session may be ahead."""
MOST_MEMBERS = 4096
MOST_INCARNATIONS = 1 << 32
LONGEST_NAME = 64
"""Characters of what a member is called."""
TAG = 8
"""Bytes of what tells two timelines apart."""
ROSTER = 8
"""Bytes of what stands for a whole map of members."""


class State(enum.IntEnum):
    """A later state wins over an earlier one of the same incarnation."""

    ACTIVE = 0
    LEFT = 1
    FORGOTTEN = 2


class Member(NamedTuple):
    """One replica of the group, by its id of 32 hex digits.

    `last_s` is when it last had a session that came to its end, in seconds since 1970 by the clock of whoever ran it, and
    `whole_s` when one that left nothing out; `author` is what it is called in vectors since, so that people can be told
    whose a version is (empty: not known).
    """

    id: str
    name: str = ""
    incarnation: int = 0
    state: State = State.ACTIVE
    seen: Vector = ()
    last_s: int = 0
    author: bytes = b""
    whole_s: int = 0

    def merged(self, other: Member) -> Member:
        """What both say of one member together: the later state; of one incarnation, all that was seen."""
        low, high = sorted((self, other), key=lambda each: (each.incarnation, each.state, each.name))
        seen = merge([low.seen, high.seen]) if low.incarnation == high.incarnation else high.seen
        last_s, author = max((low.last_s, low.author), (high.last_s, high.author))
        return high._replace(seen=seen, last_s=last_s, author=author, whole_s=max(low.whole_s, high.whole_s))


Members = tuple[Member, ...]
"""In order of their ids, each once."""


def merge_members(maps: Iterable[Members]) -> Members:
    """All that several replicas know of who takes part."""
    merged: dict[str, Member] = {}
    for member in (each for own in maps for each in own):
        known = merged.get(member.id)
        merged[member.id] = member if known is None else known.merged(member)
    return tuple(merged[each] for each in sorted(merged))


def check_fits(members: Sequence[Member], met: Sized = ()) -> None:
    """Raise `ProtocolError` where there are more members, or more that they have seen, than can be told to anybody: to
    remember them would be the last thing that a replica does with others."""
    dots = sum(len(each.seen) for each in members)
    if max(len(members), len(met)) > MOST_MEMBERS or dots > MANY_DOTS:
        raise ProtocolError(f"more members than a group can have ({MOST_MEMBERS})")


def believed(members: Members, now_s: int) -> Members:
    """The map without sessions of days to come: who is said to have had one would make all others seem absent."""
    latest_s = now_s + AHEAD_S
    return tuple(
        each
        if max(each.last_s, each.whole_s) <= latest_s
        else each._replace(last_s=min(each.last_s, latest_s), whole_s=min(each.whole_s, latest_s))
        for each in members
    )


def watermark(members: Members, max_absence_s: int = MAX_ABSENCE_S) -> Vector:
    """What all members have seen that are still waited for; nothing where there are none."""
    return least([each.seen for each in awaited(members, max_absence_s)])


def awaited(members: Members, max_absence_s: int = MAX_ABSENCE_S) -> Members:
    """The members for which tombstones are kept.

    A member is absent while others meet without it: a group that rests as a whole forgets nothing.  To meet them over a
    part ends no absence: of the rest it may still have what they have deleted.
    """
    newest_s = max((each.whole_s for each in members), default=0)
    active = (each for each in members if each.state is State.ACTIVE)
    return tuple(each for each in active if not each.whole_s or newest_s - each.whole_s <= max_absence_s)


def is_older(replica: str, members: Members, others: Iterable[Members]) -> bool:
    """Whether `others` know a replica to have seen more than it remembers itself, which is `members`: it was restored, be it
    that it had done nothing in between that would tell, or it has no history any more, or a session was cut short as it
    was noted."""
    own = next((each for each in members if each.id == replica), None)
    return any(
        each.id == replica and each.seen and (own is None or _is_behind(own, each)) for told in others for each in told
    )


def _is_behind(own: Member, told: Member) -> bool:
    return own.incarnation == told.incarnation and not is_covered(told.seen, own.seen)


def after_session(members: Members, present: Mapping[str, Vector], now_s: int) -> Members:
    """The map once the members in `present` (with what each has seen) had a whole session with each other."""
    seen = merge(present.values())
    return tuple(
        each._replace(seen=merge([each.seen, seen]), last_s=now_s, whole_s=now_s) if each.id in present else each
        for each in members
    )


def after_part(members: Members, present: Collection[str], now_s: int) -> Members:
    """The map once the members in `present` had a session that came to its end, though not all that each has was looked
    at: nobody has seen more than before."""
    return tuple(each._replace(last_s=now_s) if each.id in present else each for each in members)


class Mark(NamedTuple):
    """What a replica leaves behind with each dot that it mints: the counter, and 8 random bytes that tell two timelines
    apart, should one replica live twice: it was restored from a backup."""

    counter: int
    tag: bytes


class Encounter(NamedTuple):
    """What a replica keeps of the last session with the member `id`: that one's last mark, and its own counter then.

    A replica that does not know its own mark was restored, and what it did after its own counter then is unknown to
    that member, or known as something else.
    """

    id: str
    mark: Mark
    counter: int = 0


class Standing(NamedTuple):
    """What the sidecar of a replica says of it.

    `id` is what the root is known by, `author` what it is called in vectors (another one after it was restored), `mark`
    the last one.  `roster` stands for `members`, which are left out where whoever asks knows them.  `shared`: all that its
    first scan found was once compared with what others had.  `left` is what sessions left standing.  `returned`: it was
    restored from a backup, and no session since left nothing out.
    """

    id: str
    author: bytes
    mark: Mark
    members: Members = ()
    met: tuple[Encounter, ...] = ()
    roster: bytes = b""
    shared: bool = False
    left: LeftStanding = LeftStanding()
    returned: bool = False


class Known(NamedTuple):
    """What need not be said to whoever asks: the members for which `roster` stands, and encounters with any but those of
    these ids (none: all are wanted)."""

    roster: bytes = b""
    ids: tuple[str, ...] = ()


def roster_of(members: Members) -> bytes:
    """What stands for a map: the same for the same map, wherever that is."""
    return framed_digest((part for each in members for part in _parts(each)), ROSTER)


def _parts(member: Member) -> Iterator[bytes]:
    yield member.id.encode()
    yield member.name.encode("utf-8", "surrogatepass")
    yield b"%d %d %d %d" % (member.incarnation, member.state, member.last_s, member.whole_s)
    yield member.author
    yield b"".join(dot.author + dot.counter.to_bytes(8) for dot in member.seen)


def told(standing: Standing, known: Known) -> Standing:
    """What is said to somebody who knows so much."""
    roster = roster_of(standing.members)
    met = tuple(each for each in standing.met if each.id in known.ids or not known.ids)
    return standing._replace(members=() if roster == known.roster else standing.members, met=met, roster=roster)


def understood(standing: Standing, rosters: Mapping[bytes, Members]) -> Standing:
    """The same by somebody who knows these maps."""
    return standing._replace(members=rosters.get(standing.roster, standing.members))


class Memory(NamedTuple):
    """What a session leaves in a sidecar beside versions: what is new of those who take part, with whom the replica had a
    session, and what it left standing (`None`: nothing was compared); `is_whole`: the others now have all that it has;
    `returned`: it turned out to be restored."""

    members: Members
    met: tuple[Encounter, ...] = ()
    seen: Sighting | None = None
    is_whole: bool = False
    returned: bool = False


class Remembers(Protocol):
    """The part of `core.ports.Replica` that tells edits apart, and sessions."""

    def mint(self) -> Dot:
        """A new dot of this replica, for a verdict that is an edit; it is durable before anybody sees it."""

    def remember(self, memory: Memory) -> LeftStanding:
        """Keep in the sidecar how a session ended; what is left standing since then."""
