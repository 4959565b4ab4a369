"""Standing: what a sidecar says of its replica as a whole, and of the sessions that it had with others."""

from __future__ import annotations

import contextlib
import json
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from aefsync.core.members import (
    TAG,
    Encounter,
    Mark,
    Member,
    Members,
    Memory,
    Standing,
    State,
    check_fits,
    merge_members,
)
from aefsync.core.version import Dot, Vector

Words = Mapping[str, bytes]
"""The words of a sidecar (`meta`)."""
AUTHOR, ID, PLACE = "author", "id", "place"
_MEMBERS, _MET, _MARKS, _SHARED = "members", "met", "marks", "shared"
_MARK = struct.Struct(f"<Q{TAG}s")
_LATEST = 256
"""So many marks are kept in any case, of older ones those that a member has that was met."""
NO_MARK = Mark(0, bytes(TAG))


def standing_of(words: Words, identity: str, *, is_brief: bool = False) -> Standing | None:
    """What these words say of the replica that is known by `identity`; brief: without the others.  `None` where they say
    nothing; raises `ValueError` where they are not what was written."""
    if AUTHOR not in words:
        return None
    marks = marks_of(words)
    mark = marks[-1] if marks else NO_MARK
    members, met = ((), ()) if is_brief else (members_of(words), met_of(words))
    return Standing(identity, words[AUTHOR], mark, members, met, shared=_SHARED in words)


def members_of(words: Words) -> Members:
    """Who takes part; raises `ValueError` where that is not what was written."""
    with _as_written():
        return tuple(
            Member(each, name, incarnation, State(state), _vector(seen), last_s, bytes.fromhex(author))
            for each, name, incarnation, state, seen, last_s, author in json.loads(words.get(_MEMBERS, b"[]"))
        )


def met_of(words: Words) -> tuple[Encounter, ...]:
    """The last session with each member that was met."""
    with _as_written():
        return tuple(
            Encounter(each, Mark(counter, bytes.fromhex(tag)), own)
            for each, counter, tag, own in json.loads(words.get(_MET, b"[]"))
        )


def marks_of(words: Words) -> tuple[Mark, ...]:
    """Its own marks, the newest last."""
    with _as_written():
        return tuple(map(Mark._make, _MARK.iter_unpack(words.get(_MARKS, b""))))


def with_memory(words: Words, memory: Memory) -> dict[str, bytes]:
    """The words that a session leaves; raises `ProtocolError` where nobody could be told of so much."""
    met = {each.id: each for each in (*met_of(words), *memory.met)}
    encounters = [[each.id, each.mark.counter, each.mark.tag.hex(), each.counter] for _, each in sorted(met.items())]
    members = merge_members([members_of(words), memory.members])
    check_fits(members, met)
    own = words.get(ID, b"").decode()
    # It stays so under another id, and in a copy.
    shared = {_SHARED: b"1"} if any(each.id == own and each.last_s for each in members) else {}
    return {_MEMBERS: _json([_packed(each) for each in members]), _MET: _json(encounters), **shared}


def with_marks(marks: Sequence[Mark], met: Iterable[Encounter]) -> dict[str, bytes]:
    """The words for the replica's own marks, without those that no member can have."""
    counters = {each.counter for each in met}
    older = [mark for mark in marks[:-_LATEST] if mark.counter in counters]
    return {_MARKS: b"".join(_MARK.pack(*mark) for mark in (*older, *marks[-_LATEST:]))}


def disproves(marks: Sequence[Mark], claim: Mark) -> bool:
    """Whether somebody's having had this mark from a replica with those marks means that there were two of them.

    Of what is older than all marks that are kept nothing can be told.
    """
    known = dict(marks)
    if not claim.counter or claim.counter in known:
        return bool(claim.counter) and known[claim.counter] != claim.tag
    latest = [mark.counter for mark in marks[-_LATEST:]]
    return not latest or claim.counter >= latest[0]


@contextlib.contextmanager
def _as_written() -> Iterator[None]:
    try:
        yield
    except (KeyError, TypeError, ValueError, struct.error) as error:
        raise ValueError(f"who takes part cannot be read: {error}") from None


def _packed(member: Member) -> list[Any]:
    seen = [[dot.author.hex(), dot.counter] for dot in member.seen]
    return [member.id, member.name, member.incarnation, int(member.state), seen, member.last_s, member.author.hex()]


def _vector(packed: list[list[Any]]) -> Vector:
    return tuple(Dot(bytes.fromhex(author), counter) for author, counter in packed)


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
