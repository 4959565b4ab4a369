"""Standing: what a sidecar says of its replica as a whole, and of the sessions that it had with others."""

from __future__ import annotations

import contextlib
import json
import os
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
from aefsync.core.path import RelPath
from aefsync.core.unsettled import LeftStanding, Unsettled, after
from aefsync.core.version import Dot, Vector

Words = Mapping[str, bytes]
"""The words of a sidecar (`meta`)."""
AUTHOR, ID, PLACE, RETURNED, MOUNTS = "author", "id", "place", "returned", "mounts"
_MEMBERS, _MET, _MARKS, _SHARED, _UNSETTLED = "members", "met", "marks", "shared", "unsettled"
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
    standing = Standing(identity, words[AUTHOR], mark, shared=_SHARED in words, returned=bool(words.get(RETURNED)))
    if is_brief:
        return standing
    return standing._replace(members=members_of(words), met=met_of(words), left=left_in(words))


def mounts_in(words: Words) -> tuple[bytes, ...] | None:
    """The mount points below the root; `None` where nobody has noted them."""
    noted = words.get(MOUNTS)
    return None if noted is None else tuple(filter(None, noted.split(b"\0")))


def members_of(words: Words) -> Members:
    """Who takes part; raises `ValueError` where that is not what was written."""
    with _as_written():
        return tuple(
            # Who wrote no time of whole sessions knew of no others.
            Member(
                each,
                name,
                incarnation,
                State(state),
                _vector(seen),
                last_s,
                bytes.fromhex(author),
                *(whole or [last_s]),
            )
            for each, name, incarnation, state, seen, last_s, author, *whole in json.loads(words.get(_MEMBERS, b"[]"))
        )


def met_of(words: Words) -> tuple[Encounter, ...]:
    """The last session with each member that was met."""
    with _as_written():
        return tuple(
            Encounter(each, Mark(counter, bytes.fromhex(tag)), own)
            for each, counter, tag, own in json.loads(words.get(_MET, b"[]"))
        )


def unsettled_in(words: Words) -> tuple[Unsettled, ...]:
    """The paths that stand, in key order."""
    with _as_written():
        ids, rows = json.loads(words.get(_UNSETTLED, b"[[],[]]"))
        return tuple(
            Unsettled(RelPath(os.fsencode(path)), bool(is_suspect), frozenset(ids[peer] for peer in peers))
            for path, is_suspect, peers in rows
        )


def left_in(words: Words) -> LeftStanding:
    """How many paths stand with anybody who may still come."""
    unsettled = unsettled_in(words)
    gone = {each.id for each in members_of(words) if each.state is not State.ACTIVE} if unsettled else ()
    return LeftStanding.of(unsettled, gone)


def marks_of(words: Words) -> tuple[Mark, ...]:
    """Its own marks, the newest last."""
    with _as_written():
        return tuple(map(Mark._make, _MARK.iter_unpack(words.get(_MARKS, b""))))


def with_memory(words: Words, memory: Memory, is_in_sight: Callable[[RelPath], bool]) -> dict[str, bytes]:
    """The words that a session leaves, which looked at what is in sight; raises `ProtocolError` where nobody could be told
    of so much."""
    met = {each.id: each for each in (*met_of(words), *memory.met)}
    encounters = [[each.id, each.mark.counter, each.mark.tag.hex(), each.counter] for _, each in sorted(met.items())]
    members = merge_members([members_of(words), memory.members])
    check_fits(members, met)
    # It stays shared under another id, and in a copy.
    flags = {_SHARED: b"1"} if memory.is_whole else {}
    if memory.returned or (memory.is_whole and RETURNED in words):
        flags[RETURNED] = b"1" if memory.returned else b""
    stands = {}
    if memory.seen is not None:
        unsettled = after(unsettled_in(words), memory.seen, is_in_sight)
        stands = {_UNSETTLED: _listed(unsettled)} if unsettled or _UNSETTLED in words else {}
    return {_MEMBERS: _json([_packed(each) for each in members]), _MET: _json(encounters), **flags, **stands}


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
    times = member.last_s, member.author.hex(), member.whole_s
    return [member.id, member.name, member.incarnation, int(member.state), seen, *times]


def _listed(unsettled: Sequence[Unsettled]) -> bytes:
    ids = sorted({peer for each in unsettled for peer in each.peers})
    number = {peer: at for at, peer in enumerate(ids)}
    rows = [
        [os.fsdecode(each.path), int(each.is_suspect), sorted(number[peer] for peer in each.peers)]
        for each in unsettled
    ]
    return _json([ids, rows])


def _vector(packed: list[list[Any]]) -> Vector:
    return tuple(Dot(bytes.fromhex(author), counter) for author, counter in packed)


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
