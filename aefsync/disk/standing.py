"""Standing: what a sidecar says of its replica as a whole, and of the sessions that it had with others."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aefsync.core.members import Encounter, Mark, Member, Members, Memory, Standing, State
from aefsync.core.version import Dot, Vector

AUTHOR, COUNTER, ID = "author", "counter", "id"
_MEMBERS, _MET, _MARKS = "members", "met", "marks"
_LATEST = 8
"""So many marks are kept in any case; of others, those that a replica may have that was met."""

Words = Mapping[str, bytes]
"""The words of a sidecar (`meta`)."""


def standing_of(words: Words) -> Standing:
    """What these words say; raises `ValueError` where they are not what was written."""
    try:
        return Standing(
            words[ID].decode(),
            words[AUTHOR],
            int.from_bytes(words.get(COUNTER, b"")),
            _members_of(words),
            tuple(_marks_of(words)),
            tuple(encounter for encounter, _ in _met_of(words)),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"what the replica is cannot be read: {error}") from None


def after_session(words: Words, memory: Memory, tag: bytes) -> dict[str, bytes]:
    """The words that a session leaves, with a new mark."""
    marks = _marks_of(words)
    generation = max((mark.generation for mark in marks), default=0) + 1
    met = {each.id: (each, own) for each, own in _met_of(words)}
    met |= {each.id: (each, generation) for each in memory.met}
    # What another replica has of this one is the mark of the session in which they met, or the one before it.
    wanted = {number for _, own in met.values() for number in (own - 1, own)}
    kept = [mark for mark in marks if mark.generation in wanted or mark.generation > generation - _LATEST]
    return {
        _MEMBERS: _json([_packed(each) for each in memory.members]),
        _MET: _json([[e.id, *_mark(e.mark), e.counter, own] for e, own in sorted(met.values())]),
        _MARKS: _json([_mark(mark) for mark in [*kept, Mark(generation, tag)]]),
    }


def _members_of(words: Words) -> Members:
    return tuple(
        Member(each, name, incarnation, State(state), _vector(seen), last_s)
        for each, name, incarnation, state, seen, last_s in json.loads(words.get(_MEMBERS, b"[]"))
    )


def _met_of(words: Words) -> list[tuple[Encounter, int]]:
    """Each with the generation of this replica's own mark in that session."""
    return [
        (Encounter(each, Mark(generation, bytes.fromhex(tag)), counter), own)
        for each, generation, tag, counter, own in json.loads(words.get(_MET, b"[]"))
    ]


def _marks_of(words: Words) -> list[Mark]:
    return [Mark(generation, bytes.fromhex(tag)) for generation, tag in json.loads(words.get(_MARKS, b"[]"))]


def _packed(member: Member) -> list[Any]:
    seen = [[dot.author.hex(), dot.counter] for dot in member.seen]
    return [member.id, member.name, member.incarnation, int(member.state), seen, member.last_s]


def _vector(packed: list[list[Any]]) -> Vector:
    return tuple(Dot(bytes.fromhex(author), counter) for author, counter in packed)


def _mark(mark: Mark) -> list[Any]:
    return [mark.generation, mark.tag.hex()]


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
