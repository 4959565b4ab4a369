"""Deciding on differing paths, in this process and without a disk: what there is to decide on, and what that takes.

A path was edited on one replica (which the others have not seen), deleted on one, or is new on one; or two gave it the
same content apart, all found it in their first scans, or it is in conflict.
"""

from __future__ import annotations

import random

from aefsync.core.compare import Difference
from aefsync.core.differences import Differences
from aefsync.core.entry import Entry, Kind
from aefsync.core.path import RelPath
from aefsync.core.policy import Policies
from aefsync.core.reconcile import reconcile
from aefsync.core.verdict import Rules
from aefsync.core.version import FOUND, Dot, Version, minted

_RULES = Rules(now_ns=1 << 62, policies=Policies())
MIXTURES = {
    "in turn": {"edited": 88, "deleted": 6, "new": 6},
    "1 in 10 apart": {"edited": 78, "deleted": 6, "new": 6, "twice": 3, "found": 2, "conflict": 5},
}
"""How many paths of each kind, of a hundred."""
_BEGIN_NS = 1_600_000_000_000_000_000


def differing(paths: int, replicas: int, mixture: str, seed: int) -> Differences:
    """So many of them, of one of the mixtures."""
    source, shares = random.Random(seed), MIXTURES[mixture]
    kinds = source.choices(list(shares), list(shares.values()), k=paths)
    return Differences(_difference(kind, number, replicas, source) for number, kind in enumerate(kinds))


def decide(differences: Differences, replicas: int) -> None:
    """Have every decision once."""
    for _ in reconcile(differences, _RULES, [()] * replicas):
        pass


def _difference(kind: str, number: int, replicas: int, source: random.Random) -> Difference:
    path = RelPath(b"d%04d/file-%03d.txt" % divmod(number, 200))
    authors = [bytes([ord("A") + i]) * 16 for i in range(replicas)]
    one, other = source.sample(range(replicas), 2)

    def dot(author: int) -> Dot:
        return Dot(authors[author], source.randrange(100, 200))

    def entry(version: Version, content: bytes, age_s: int) -> Entry:
        mtime_ns = _BEGIN_NS + (number - age_s) * 10**9
        return Entry(path, Kind.FILE, 0o644, 100 + content[0], mtime_ns, mtime_ns, number, content, version=version)

    def apart(content: bytes, replica: int) -> Entry:
        own = dot(replica)
        return entry(Version((own,), own.author), content, source.randrange(1000))

    old = Version((Dot(authors[0], source.randrange(1, 50)),), authors[0])
    new = Version(minted(old.vector, dot(one)), authors[one])
    before, after = source.randbytes(32), source.randbytes(32)
    if kind == "found":
        return Difference(path, tuple(entry(FOUND, before, i) for i in range(replicas)))
    entries: list[Entry | None] = [None if kind == "new" else entry(old, before, 5000)] * replicas
    tombstones = tuple(new if i == one else None for i in range(replicas)) if kind == "deleted" else ()
    entries[one] = None if kind == "deleted" else entry(new, after, 0)
    if kind in ("twice", "conflict"):
        entries = [apart(after, one)] * replicas
        entries[other] = apart(after if kind == "twice" else before, other)
    return Difference(path, tuple(entries), tombstones)
