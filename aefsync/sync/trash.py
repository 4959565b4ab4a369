"""`trash`: what repairs replaced or deleted, over all replicas given: list it, put it back, delete it for good."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta

from aefsync.core.path import PathError, RelPath
from aefsync.core.ports import Access, Missing, Monitor, TrashItem
from aefsync.errors import UsageError
from aefsync.sync.events import Event, Notice, Started, Summary, Trashed, Troubled
from aefsync.sync.request import Request
from aefsync.sync.session import Session, Terms, open_session


def list_trash(common: Request, monitor: Monitor) -> Iterator[Event]:
    """Everything in the trash of each replica, newest run first."""
    begun = time.monotonic()
    yield Started("trash", common.locations)
    with _open(common, Access.READ, monitor) as session:
        for number, items in enumerate(_items(session)):
            for item in items:
                yield Trashed(number, item)
        yield _summary(session, 0, 0, begun)


def restore_trash(common: Request, path: bytes, run: str | None, to: bytes | None, monitor: Monitor) -> Iterator[Event]:
    """Put the newest version of a path (and of what was below it) back, or that of one run; or copy it to `to`."""
    begun = time.monotonic()
    yield Started("trash", common.locations)
    wanted = _parse(path)
    with _open(common, Access.WRITE, monitor) as session:
        restored = problems = 0
        for number, items in enumerate(_items(session)):
            chosen = _newest([item for item in items if _matches(item, wanted) and run in (None, item.run)])
            if not chosen:
                continue
            applied = session.replicas[number].restore(chosen, _place(session, number, to) if to else b"")
            for item, done in zip(chosen, applied.done, strict=True):
                if done:
                    restored += 1
                    yield Trashed(number, item)
            for problem in applied.problems:
                problems += 1
                yield Troubled(number, problem)
        if not restored and not problems:
            raise UsageError(f"{path.decode('utf-8', 'replace')}: not in the trash")
        yield _summary(session, restored, problems, begun)


def purge_trash(common: Request, older_than_s: int, monitor: Monitor) -> Iterator[Event]:
    """Delete for good what runs older than this put in the trash."""
    begun = time.monotonic()
    yield Started("trash", common.locations)
    limit = datetime.now(UTC) - timedelta(seconds=older_than_s)
    with _open(common, Access.WRITE, monitor) as session:
        for number, items in enumerate(_items(session)):
            runs = sorted({item.run for item in items if _time_of(item.run) < limit})
            if runs:
                session.replicas[number].purge(runs)
                count = sum(item.run in runs for item in items)
                things = "1 thing" if count == 1 else f"{count} things"
                yield Notice(f"{session.locations[number].text}: {things} purged")
        yield _summary(session, 0, 0, begun)


def _open(common: Request, access: Access, monitor: Monitor) -> AbstractContextManager[Session]:
    terms = [Terms(access, Missing.REFUSE)] * len(common.locations)
    return open_session(common.locations, terms, "", monitor, link=common.link)


def _place(session: Session, number: int, to: bytes) -> bytes:
    """A directory of the replica's machine: elsewhere, relative to the home of the login."""
    return os.path.abspath(to) if session.locations[number].login is None else to


def _items(session: Session) -> list[list[TrashItem]]:
    return session.each(lambda number, replica: list(replica.trash()))


def _parse(path: bytes) -> RelPath:
    try:
        return RelPath(path.removeprefix(b"./").rstrip(b"/"))
    except PathError as error:
        raise UsageError(f"{path!r}: {error}") from None


def _matches(item: TrashItem, path: RelPath) -> bool:
    return item.path == path or item.path.is_below(path)


def _newest(items: list[TrashItem]) -> list[TrashItem]:
    """One version of each path, the newest, in key order (items come newest run first)."""
    chosen: dict[RelPath, TrashItem] = {}
    for item in items:
        chosen.setdefault(item.path, item)
    return sorted(chosen.values(), key=lambda item: item.path.key)


def _time_of(run: str) -> datetime:
    try:
        return datetime.strptime(run.partition("-")[0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return datetime.max.replace(tzinfo=UTC)


def _summary(session: Session, restored: int, problems: int, begun: float) -> Summary:
    return Summary(
        exit_code=4 if problems else 0,
        causes=("problems",) if problems else (),
        run=session.run,
        dry_run=False,
        equal=True,
        roots=(),
        entries=(),
        problems=problems,
        copied_files=restored,
        verified=False,
        elapsed_s=time.monotonic() - begun,
    )
