"""Versions: what a replica knows of how a path came to be as it is, so that edits apart are told from edits in turn.

Version vectors as in Parker 1983, "Detection of Mutual Inconsistency in Distributed Systems", and Dynamo (DeCandia 2007,
§4.4).  Each replica has one counter; a scan that finds an entry other than it was recorded **mints** a dot, the pair of
the replica's id and the counter's next value, and puts it into the entry's vector.  One vector precedes another if no
component of it is larger; of two of which neither precedes the other, each stands for something the other has not seen.

    A creates a.txt          A 1                 B receives it: the same vector
    A edits, B edits         A 2 | A 1, B 7      concurrent: a conflict
    settled                  A 2, B 7            follows both: whoever receives it takes it without a question

What the first scan of a new replica finds has the **empty vector**: nobody knows where it comes from.  Two such entries
of equal content are one version, and nothing travels.  Of different content they are concurrent.  So an empty vector
stands for a component of its own, the **base**, which the content determines and whose counter is 0: minting on it, or
merging with it, writes that component down.  An edit of what another replica found in its first scan, too, follows it
then, and nothing else does.

    A and B find x.txt       (empty)             equal content: nothing to do
    A edits x.txt            x' 0, A 3           follows B's, whose empty vector stands for x' 0
    C joins with another     (empty: y' 0)       concurrent with both: a conflict

What a run leaves at a path on its way elsewhere, should it be cut short, is the work of nobody: it is **passing**, and
everything that anybody knows of the path follows it, while an edit of it by a user follows nothing.  Where nobody wants
anything at the path it is a **stray**, which goes unless somebody edits it (`along`).  Both are written as a component
that no replica has, with the counter 0.
"""

from __future__ import annotations

import enum
import itertools
from collections.abc import Iterable, Sequence
from functools import lru_cache

from aefsync.core.digest import framed_digest
from aefsync.core.entry import Entry, Kind
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.path import RelPath

AUTHOR = 16
"""Bytes of what a replica is called in vectors."""
MOST_DOTS = 500
"""Components of a vector: replicas that ever edited one path; so few that a batch of entries with as many each is a
message."""
MANY_DOTS = 1 << 20
"""Components that the vectors of one message have together."""
_BASE = b"aefsync base 1"
_DIRECTORY = Kind.DIRECTORY


class Dot(NamedTuple):
    """One component of a vector, or the event it stands for; counters of replicas begin at 1."""

    author: bytes
    counter: int


Vector = tuple[Dot, ...]
"""Ordered by author, each author once."""


class Order(enum.Enum):
    """How one vector stands to another."""

    EQUAL = "equal"
    BEFORE = "before"
    AFTER = "after"
    CONCURRENT = "concurrent"


_EQUAL, _BEFORE, _AFTER, _CONCURRENT = Order


class Version(NamedTuple):
    """The vector of a path, and the author of its last edit (empty: nobody knows)."""

    vector: Vector = ()
    author: bytes = b""

    @property
    def digest(self) -> bytes:
        """16 bytes that stand for the vector; zeros for the empty one."""
        return _digest(self.vector) if self.vector else bytes(AUTHOR)


@lru_cache(maxsize=1024)
def _digest(vector: Vector) -> bytes:
    """The digest of a vector: many entries in turn have one and the same."""
    return framed_digest((part for author, counter in vector for part in (author, counter.to_bytes(8))), AUTHOR)


FOUND = Version()
"""The version of what the first scan of a new replica finds."""
PASSING = Version((Dot(b"aefsync: passing", 0),))
STRAY = Version((Dot(b"aefsync: a stray", 0),))
_UNKNOWN = (PASSING.vector, STRAY.vector)


class Tombstone(NamedTuple):
    """A tombstone: the version of a path that was deleted."""

    path: RelPath
    version: Version


def order(one: Vector, other: Vector) -> Order:
    """How `one` stands to `other`."""
    if one == other:
        return _EQUAL
    if len(one) == len(other) == 1:
        # Most vectors have one component, and there may be a million to look at.
        here, there = one[0], other[0]
        if here.author != there.author:
            return _CONCURRENT
        return _BEFORE if here.counter < there.counter else _AFTER
    if len(one) == 1 and other:
        return _BEFORE if _is_in(one[0], other) else _CONCURRENT
    if len(other) == 1 and one:
        return _AFTER if _is_in(other[0], one) else _CONCURRENT
    before = after = True
    i = j = 0
    while i < len(one) and j < len(other):
        (author, counter), (author_there, counter_there) = one[i], other[j]
        if author == author_there:
            before, after = before and counter <= counter_there, after and counter >= counter_there
            i, j = i + 1, j + 1
        elif author < author_there:
            before, i = False, i + 1
        else:
            after, j = False, j + 1
    before, after = before and i == len(one), after and j == len(other)
    return _BEFORE if before else _AFTER if after else _CONCURRENT


def _is_in(dot: Dot, vector: Vector) -> bool:
    for each in vector:
        if each.author == dot.author:
            return each.counter >= dot.counter
    return False


def merge(vectors: Iterable[Vector]) -> Vector:
    """The least vector that follows all of these; among others, what is passing adds nothing."""
    merged: dict[bytes, Dot] = {}
    passing: Vector = ()
    for vector in vectors:
        if is_passing(vector):
            passing = max(passing, vector)
            continue
        for dot in vector:
            author = dot.author
            if author not in merged or merged[author].counter < dot.counter:
                merged[author] = dot
    return tuple(sorted(merged.values())) if merged else passing


def minted(vector: Vector, dot: Dot) -> Vector:
    """The vector with a new dot in it: never less than it was, whatever others say that the author has done.

    One that has no room for another component is let go of: what has a vector of its own is concurrent, and lost to
    nobody.
    """
    if not vector or is_passing(vector):
        return (dot,)
    if len(vector) == 1 and vector[0].author != dot.author:
        return (vector[0], dot) if vector[0].author < dot.author else (dot, vector[0])
    for at, each in enumerate(vector):
        if each.author == dot.author:
            return (*vector[:at], max(each, dot), *vector[at + 1 :])
    return tuple(sorted((*vector, dot))) if len(vector) < MOST_DOTS else (dot,)


def without(vector: Vector, author: bytes) -> Vector:
    """The vector without what an author put into it."""
    return tuple(dot for dot in vector if dot.author != author)


def is_covered(vector: Vector, seen: Vector) -> bool:
    """Whether whoever has seen so much has seen every edit in the vector (bases are no edits)."""
    known = dict(seen)
    return all(known.get(author, 0) >= counter for author, counter in vector)


def least(vectors: Sequence[Vector]) -> Vector:
    """What all have seen who have seen so much each."""
    common = [dict(vector) for vector in vectors]
    lowest = {author: min(each.get(author, 0) for each in common) for author in (common[0] if common else ())}
    return _ordered({author: counter for author, counter in lowest.items() if counter})


def explicit(version: Version, entry: Entry) -> Vector:
    """The vector of an entry, its base written down where it is empty; that of what is passing or a stray is empty."""
    if not version.vector:
        return (Dot(base(entry), 0),)
    return () if is_passing(version.vector) else version.vector


def is_passing(vector: Vector) -> bool:
    """Whether whatever is known of a path follows this: it is passing, or a stray."""
    return len(vector) == 1 and not vector[0].counter and vector in _UNKNOWN


def base(entry: Entry) -> bytes:
    """What stands for an entry of unknown origin: its kind, and its content but for directories."""
    return _base(entry.kind, b"" if entry.kind is _DIRECTORY else entry.content)


@lru_cache(maxsize=1 << 14)
def _base(kind: Kind, content: bytes) -> bytes:
    """The same, remembered for the paths that are being decided on: each of them is asked about three times."""
    return framed_digest((_BASE, bytes([kind]), content), AUTHOR)


def _ordered(components: dict[bytes, int]) -> Vector:
    return tuple(itertools.starmap(Dot, sorted(components.items())))
