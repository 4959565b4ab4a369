"""`digest`: the digests of one tree, or of paths in it, as every replica with the same content has them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from aefsync.core.compare import BATCH
from aefsync.core.digest import PUBLIC_KEY, ROOT_DIGEST
from aefsync.core.entry import Entry, Kind
from aefsync.core.path import PathError, RelPath, subtree_range
from aefsync.core.ports import Access, Missing, Monitor
from aefsync.core.tree import KeyRange, Question
from aefsync.core.view import View
from aefsync.errors import UsageError
from aefsync.sync.events import Digested, Event, Started, Summary
from aefsync.sync.request import Request
from aefsync.sync.session import Session, Terms, open_session
from aefsync.sync.survey import observations, survey


def digest(
    common: Request, paths: tuple[bytes, ...], levels: int, content: bool, monitor: Monitor
) -> Iterator[Event]:
    """The digest of the root, or of each path; with `levels` also of what lies so many levels below."""
    begun = time.monotonic()
    yield Started("digest", common.locations)
    tops = [_parse(path) for path in paths] or [b""]
    view = View.CONTENT if content else View.FULL
    terms = [Terms(Access.READ, Missing.REFUSE)]
    with open_session(common.locations, terms, common.cache_dir, monitor, nonce=PUBLIC_KEY) as session:
        found = survey(session, common, View.FULL)
        yield from observations(session, found)
        problems = len(found.scans[0].problems)
        for top in tops:
            yield from _digests(session, view, top, levels, found.entries[0])
        yield Summary(
            exit_code=4 if problems else 0,
            causes=("problems",) if problems else (),
            run=session.run,
            dry_run=False,
            equal=True,
            roots=found.roots,
            entries=found.entries,
            problems=problems,
            sent_bytes=session.sent_bytes,
            received_bytes=session.received_bytes,
            round_trips=session.round_trips,
            verified=not problems,
            elapsed_s=time.monotonic() - begun,
        )


def _parse(path: bytes) -> bytes:
    if path in (b"", b"."):
        return b""
    try:
        return RelPath(path.removeprefix(b"./").rstrip(b"/"))
    except PathError as error:
        raise UsageError(f"{path!r}: {error}") from None


def _digests(session: Session, view: View, top: bytes, levels: int, total: int) -> Iterator[Event]:
    below = [entry for entry in _entries(session, top, total) if _depth(entry.path, top) <= levels] if levels else []
    if top:
        below = [entry for entry in below if entry.path != top]
    wanted = [(top, 0, True), *((e.path, _depth(e.path, top), e.kind is Kind.DIRECTORY) for e in below)]
    ranges = [KeyRange(*subtree_range(path.replace(b"/", b"\0"))) for path, _, _ in wanted]
    for start in range(0, len(ranges), BATCH):
        question = Question(view, tuple(ranges[start : start + BATCH]), 0, ROOT_DIGEST)
        reply = session.replicas[0].fingerprints(question)
        for number, count in enumerate(reply.counts):
            path, depth, is_directory = wanted[start + number]
            if not count and path:
                raise UsageError(f"{path.decode('utf-8', 'replace')}: no such path in {session.locations[0].text}")
            value = reply.digests[number * ROOT_DIGEST : (number + 1) * ROOT_DIGEST]
            yield Digested(path, value, count, depth, is_directory)


def _entries(session: Session, top: bytes, total: int) -> Iterator[Entry]:
    low, high = subtree_range(top.replace(b"/", b"\0"))
    before, inside = session.replicas[0].fingerprints(
        Question(View.QUICK, (KeyRange(b"", low), KeyRange(low, high)), 0)
    ).counts
    for start in range(before, before + inside, BATCH):
        yield from _fetch(session, start, min(start + BATCH, before + inside))


def _fetch(session: Session, start: int, stop: int) -> Sequence[Entry]:
    return session.fetch(0, [(start, stop)])


def _depth(path: bytes, top: bytes) -> int:
    inside = path[len(top) :].strip(b"/")
    return inside.count(b"/") + 1 if inside else 0
