"""`digest`: the digests of one tree, or of paths in it, as every replica with the same content has them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from aefsync.core.compare import BATCH
from aefsync.core.digest import PUBLIC_KEY, ROOT_DIGEST
from aefsync.core.entry import Entry, Kind
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.path import PathError, RelPath, subtree_range
from aefsync.core.ports import Access, Missing, Monitor
from aefsync.core.tree import KeyRange, Question
from aefsync.core.view import View
from aefsync.errors import UsageError
from aefsync.sync.child import Nursery
from aefsync.sync.concluding import concluded
from aefsync.sync.events import Digested, Event, Started
from aefsync.sync.reconnecting import Patience, persevering
from aefsync.sync.request import Request
from aefsync.sync.session import Session, Terms, open_session
from aefsync.sync.survey import observations, survey


def digest(
    common: Request,
    paths: tuple[bytes, ...],
    levels: int,
    view: View,
    monitor: Monitor,
    nursery: Nursery | None = None,
) -> Iterator[Event]:
    """The digest in a view (FULL or CONTENT) of the root, or of each path; with `levels` of what lies below too."""
    yield Started("digest", common.locations, common.names)
    tops = [parse_path(path) for path in paths] or [b""]
    yield from persevering(
        lambda: _digested(common, tops, levels, view, monitor, nursery), Patience(common.link.retries)
    )


def _digested(
    common: Request, tops: Sequence[bytes], levels: int, view: View, monitor: Monitor, nursery: Nursery | None
) -> Iterator[Event]:
    begun = time.monotonic()
    terms = [Terms(Access.READ, Missing.REFUSE)]
    with open_session(common, terms, monitor, nonce=PUBLIC_KEY, nursery=nursery) as session:
        chosen = () if b"" in tops else tuple(map(RelPath, tops))
        found = survey(session, common._replace(paths=chosen or common.paths), View.FULL)
        yield from observations(found)
        problems = len(found.scans[0].problems)
        for top in tops:
            yield from digests(session, view, top, levels)
        ended = concluded(session, begun, problems=problems)
        yield ended._replace(roots=found.roots, entries=found.entries, verified=not problems)


def parse_path(path: bytes) -> bytes:
    """A path below a root as a user writes it, the root itself being empty; raises `UsageError`."""
    if path in (b"", b"."):
        return b""
    try:
        return RelPath(path.removeprefix(b"./").rstrip(b"/"))
    except PathError as error:
        raise UsageError(f"{path!r}: {error}") from None


class _Wanted(NamedTuple):
    path: bytes
    depth: int
    is_directory: bool


def digests(session: Session, view: View, top: bytes, levels: int) -> list[Digested]:
    """Digests of a sub-tree and of what lies up to `levels` below it, in key order."""
    entries = list(entries_below(session, top)) if levels or top else []
    wanted = [_Wanted(top, 0, is_directory=not top or (bool(entries) and entries[0].kind is Kind.DIRECTORY))]
    below = ((entry, _depth(entry.path, top)) for entry in entries)
    wanted += [_Wanted(e.path, depth, e.kind is Kind.DIRECTORY) for e, depth in below if 0 < depth <= levels]
    found: list[Digested] = []
    # One question for each depth: ranges in a question must not overlap.
    for depth in range(levels + 1):
        own = [each for each in wanted if each.depth == depth]
        for start in range(0, len(own), BATCH):
            found += _ask(session, view, own[start : start + BATCH])
    return sorted(found, key=lambda each: each.path.replace(b"/", b"\0"))


def _ask(session: Session, view: View, wanted: Sequence[_Wanted]) -> Iterator[Digested]:
    ranges = tuple(KeyRange(*subtree_range(each.path.replace(b"/", b"\0"))) for each in wanted)
    reply = session.replicas[0].fingerprints(Question(view, ranges, 0, ROOT_DIGEST))
    for number, (path, depth, is_directory) in enumerate(wanted):
        count = reply.counts[number]
        if not count and path:
            raise UsageError(f"{path.decode('utf-8', 'replace')}: no such path in {session.locations[0].text}")
        value = reply.digests[number * ROOT_DIGEST : (number + 1) * ROOT_DIGEST]
        yield Digested(path, value, count, depth, is_directory)


def entries_below(session: Session, top: bytes) -> Iterator[Entry]:
    """The entries of a sub-tree of the first replica, its top among them, in key order."""
    low, high = subtree_range(top.replace(b"/", b"\0"))
    before, inside = (
        session.replicas[0].fingerprints(Question(View.QUICK, (KeyRange(b"", low), KeyRange(low, high)), 0)).counts
    )
    for start in range(before, before + inside, BATCH):
        yield from _fetch(session, start, min(start + BATCH, before + inside))


def _fetch(session: Session, start: int, stop: int) -> Sequence[Entry]:
    return session.fetch(0, [(start, stop)])


def _depth(path: bytes, top: bytes) -> int:
    inside = path[len(top) :].strip(b"/")
    return inside.count(b"/") + 1 if inside else 0
