"""`trash`: what repairs replaced or deleted, over all replicas given: list it, put it back, delete it for good."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager

from aefsync.core.past import TrashItem, TrashQuery
from aefsync.core.path import PathError, RelPath
from aefsync.core.ports import Access, Missing, Monitor
from aefsync.core.run_id import time_s
from aefsync.errors import AefsyncError, UsageError
from aefsync.sync.concluding import concluded
from aefsync.sync.events import Conflicted, Event, Notice, Started, Trashed, Troubled
from aefsync.sync.present import others_done
from aefsync.sync.request import Request
from aefsync.sync.session import Session, Terms, open_session
from aefsync.sync.turns import Turns

BATCH = 512
"""Things in one request."""


def list_trash(common: Request, query: TrashQuery, monitor: Monitor) -> Iterator[Event]:
    """What is in the trash of each replica, newest run first."""
    return others_done(common, lambda present: _list(present, query, monitor))


def _list(common: Request, query: TrashQuery, monitor: Monitor) -> Iterator[Event]:
    begun = time.monotonic()
    yield Started("trash", common.locations, common.names)
    with _open(common, Access.READ, monitor) as session:
        for number in range(len(common.locations)):
            yield from (Trashed(number, item) for item in items_of(session, number, query))
        yield concluded(session, begun)


def restore_trash(
    common: Request, query: TrashQuery, to: bytes | None, monitor: Monitor, *, at: bool
) -> Iterator[Event]:
    """Put a path (and what was below it) back as it was last, or copy it to `to`.

    With `at` as it was before all runs that `query` speaks of: of each path, the version that the first of them put
    away.
    """
    return others_done(common, lambda present: _put_back(present, query, to, monitor, at=at))


def _put_back(common: Request, query: TrashQuery, to: bytes | None, monitor: Monitor, *, at: bool) -> Iterator[Event]:
    begun = time.monotonic()
    yield Started("trash", common.locations, common.names)
    path = _parse(query.path)
    with _open(common, Access.WRITE, monitor) as session:
        restored = problems = 0
        turns = Turns(session)

        def turn(number: int) -> Iterator[Event]:
            chosen = _chosen(items_of(session, number, query._replace(path=path)), at=at)
            return _restore(session, number, chosen, _place(session, number, to) if to else b"")

        for event in turns.take(turn):
            restored += isinstance(event, Trashed)
            problems += isinstance(event, Troubled)
            yield event
        if not restored and not problems and not turns.lost:
            raise AefsyncError(f"{path!s}: not in the trash", hint="aefsync trash ROOT list shows what is")
        yield concluded(session, begun, problems=problems, lost=bool(turns.lost), copied_files=restored)


def _restore(session: Session, number: int, chosen: Sequence[TrashItem], to: bytes) -> Iterator[Event]:
    for start in range(0, len(chosen), BATCH):
        batch = chosen[start : start + BATCH]
        applied = session.call(number, lambda _, replica: replica.restore(batch, to))  # noqa: B023
        yield from (Trashed(number, item) for item, done in zip(batch, applied.done, strict=True) if done)
        yield from (Troubled(number, problem) for problem in applied.problems)
        for copy in applied.kept:
            yield Conflicted(copy.path, "keep-both", number, copy.kept_as, "edited meanwhile")
    if chosen and not to:
        session.call(number, lambda _, replica: replica.record())


def purge_trash(common: Request, older_than_s: int, monitor: Monitor) -> Iterator[Event]:
    """Delete for good what runs older than this put in the trash, and their journals."""
    return others_done(common, lambda present: _purge(present, older_than_s, monitor))


def _purge(common: Request, older_than_s: int, monitor: Monitor) -> Iterator[Event]:
    begun = time.monotonic()
    yield Started("trash", common.locations, common.names)
    limit_s = time.time() - older_than_s
    problems = 0
    with _open(common, Access.WRITE, monitor) as session:
        turns = Turns(session)
        for event in turns.take(lambda number: _purge_one(session, number, limit_s)):
            problems += isinstance(event, Troubled)
            yield event
        yield concluded(session, begun, problems=problems, lost=bool(turns.lost))


def _purge_one(session: Session, number: int, limit_s: float) -> Iterator[Event]:
    records = session.call(number, lambda _, replica: list(replica.runs()))
    runs = [record.run for record in records if 0 < time_s(record.run) < limit_s]
    if not runs:
        return
    applied = session.call(number, lambda _, replica: replica.purge(runs))
    yield from (Troubled(number, problem) for problem in applied.problems)
    if any(applied.done):
        things = "1 run" if sum(applied.done) == 1 else f"{sum(applied.done)} runs"
        yield Notice(f"{session.locations[number].text}: trash of {things} purged")


def _open(common: Request, access: Access, monitor: Monitor) -> AbstractContextManager[Session]:
    terms = [Terms(access, Missing.REFUSE)] * len(common.locations)
    return open_session(common._replace(cache_dir=""), terms, monitor, command="trash restore")


def _place(session: Session, number: int, to: bytes) -> bytes:
    """A directory of the machine that serves it: elsewhere, relative to the home of the login."""
    return os.path.abspath(to) if session.locations[number].is_served_here else to


def items_of(session: Session, number: int, query: TrashQuery) -> Iterator[TrashItem]:
    """What a replica's trash holds, page after page."""
    start = 0
    while page := session.call(number, lambda _, replica: replica.trash(query._replace(start=start))):  # noqa: B023
        yield from page
        start += len(page)


def _parse(path: bytes) -> RelPath:
    try:
        return RelPath(path.removeprefix(b"./").rstrip(b"/"))
    except PathError as error:
        raise UsageError(f"{path!r}: {error}") from None


def _chosen(items: Iterator[TrashItem], *, at: bool) -> list[TrashItem]:
    """One version of each path, the newest (or oldest), in key order; items come newest run first.  Where that of a path is a
    file or a link, what was below it at another time is left out, or that file, where this is older (or later)."""
    chosen: dict[bytes, TrashItem] = {}
    filled: set[bytes] = set()
    for item in reversed(list(items)) if at else items:
        above = item.path.ancestors
        is_in_file = any(each in chosen and not chosen[each].is_directory for each in above)
        if item.path not in chosen and not is_in_file and (item.is_directory or item.path not in filled):
            chosen[item.path] = item
            filled.update(above)
    return sorted(chosen.values(), key=lambda item: item.path.key)
