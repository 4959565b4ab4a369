"""`undo`: take back what a run did, on every replica given that remembers it; the undo is a run of its own.

What it changes are edits to replicas that remember: the next repair spreads them.  Where the last write wins, restored
files come back with their old times, and as such repairs look at nothing else, the next one would decide as it did
before; whoever undoes one is told so, and what to say instead.
"""

from __future__ import annotations

import itertools
import os
import shlex
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager

from aefsync.core.action import Act
from aefsync.core.change import Change, Did
from aefsync.core.entry import Kind
from aefsync.core.past import RunRecord, Undo
from aefsync.core.path import RelPath
from aefsync.core.ports import Access, Missing, Monitor
from aefsync.errors import AefsyncError
from aefsync.sync.concluding import concluded
from aefsync.sync.events import Acted, Event, Notice, Started, Troubled
from aefsync.sync.present import AbsentError, others_done
from aefsync.sync.reopening import original_of, reopen
from aefsync.sync.request import LAST_WRITE, MIRROR, Request
from aefsync.sync.session import Session, Terms, open_session
from aefsync.sync.turns import Turns

LAST = "last"
"""In place of a run: the newest one."""

_ACTS = {
    Did.CREATED: Act.CREATE,
    Did.REPLACED: Act.COPY,
    Did.MOVED: Act.MOVE,
    Did.DELETED: Act.DELETE,
    Did.METADATA: Act.METADATA,
}
_NEW = {Kind.DIRECTORY: Act.MKDIR, Kind.SYMLINK: Act.LINK}


def undo(common: Request, run: str, monitor: Monitor, *, dry_run: bool) -> Iterator[Event]:
    """Take a run back; raises `AefsyncError` where none of the replicas remembers it."""
    if run == LAST:
        return _undo_last(common, monitor, dry_run=dry_run)
    return others_done(common, lambda present: _undo(present, common.locations, run, monitor, dry_run=dry_run))


def _undo_last(common: Request, monitor: Monitor, *, dry_run: bool) -> Iterator[Event]:
    """Which run was the last is known only when everybody is there."""
    yield Started("undo", common.locations, common.names)
    try:
        with _open(common, Access.READ, LAST, monitor) as session:
            run = _find(_remembered(session), LAST).run
    except AbsentError as error:
        if len(common.locations) > 1:
            error.hint = error.hint or "the last run may be known only there: aefsync runs ROOT lists those to name"
        raise
    yield from itertools.islice(undo(common, run, monitor, dry_run=dry_run), 1, None)


def _undo(common: Request, given: Sequence[str], run: str, monitor: Monitor, *, dry_run: bool) -> Iterator[Event]:
    """Take it back on these of the replicas that were given."""
    begun = time.monotonic()
    yield Started("undo", common.locations, common.names)
    with _open(common, Access.READ if dry_run else Access.WRITE, run, monitor) as session:
        remembered = _remembered(session)
        record = _find(remembered, run)
        yield Notice(f"undo of {record.run}: {record.command or 'a run'}")
        counts: Counter[str] = Counter()
        turns = Turns(session)

        def turn(number: int) -> Iterator[Event]:
            is_known = record.run in {each.run for each in remembered[number]}
            return _take_back(session, common, number, record, dry_run=dry_run) if is_known else iter(())

        for event in turns.take(turn):
            counts.update(_counted(event))
            yield event
        if any(counts[act] for act in Act) and not dry_run:
            yield from _consequences(session, given, record)
        standing = "touched since" if counts["left"] else ""
        lost = bool(turns.lost)
        yield concluded(session, begun, standing=standing, lost=lost, dry_run=dry_run, **_counts(counts))


def _open(common: Request, access: Access, run: str, monitor: Monitor) -> AbstractContextManager[Session]:
    terms = [Terms(access, Missing.REFUSE)] * len(common.locations)
    return open_session(common._replace(cache_dir=""), terms, monitor, command=f"undo {run}")


def _remembered(session: Session) -> list[list[RunRecord]]:
    """The runs that each replica can take back."""
    return session.each(lambda _, replica: [each for each in replica.runs() if any(each.counts)])


def _find(remembered: Sequence[Sequence[RunRecord]], run: str) -> RunRecord:
    records = [record for own in remembered for record in own]
    if run == LAST and records:
        return max(records, key=lambda record: record.run)
    for record in records:
        if record.run == run:
            return record
    what = "no run" if run == LAST else f"no run {run}"
    raise AefsyncError(f"{what} left a journal on these replicas", hint="aefsync runs ROOT lists what can be undone")


def _take_back(session: Session, common: Request, number: int, record: RunRecord, *, dry_run: bool) -> Iterator[Event]:
    """Part after part of a run on one replica."""
    part, rest = 0, 1
    originals: set[RelPath] = set()
    while rest:
        request = Undo(record.run, part, dry_run)
        taken = session.call(number, lambda _, replica: replica.undo(request))  # noqa: B023
        done = [change for change, is_done in zip(taken.changes, taken.done, strict=True) if is_done]
        copies = [*taken.gone, *(change.path for change in done if change.did is Did.DELETED)]
        originals.update(filter(None, map(original_of, copies)))
        yield from (_acted(number, change) for change in done)
        yield from (Troubled(number, problem) for problem in taken.problems)
        part, rest = part + 1, taken.rest
    if not dry_run:
        session.call(number, lambda _, replica: replica.record())
        if record.command != LAST_WRITE:
            reopen(session, common, number, sorted(originals))


def _acted(number: int, change: Change) -> Acted:
    entry = change.after or change.before
    kind = entry.kind if entry else Kind.FILE
    act = _NEW.get(kind, Act.CREATE) if change.did is Did.CREATED else _ACTS[change.did]
    size = entry.size if entry and kind is Kind.FILE else 0
    return Acted(act.value, change.path, None, (number,), size, "undo", change.source, kind is Kind.DIRECTORY)


def _counted(event: Event) -> list[str]:
    return [event.action] if isinstance(event, Acted) else ["left"] if isinstance(event, Troubled) else []


def _consequences(session: Session, given: Sequence[str], record: RunRecord) -> Iterator[Event]:
    """What the user has to know of the other replicas of that run, and of the next repair."""
    here = session.places
    mirrored = record.command == MIRROR
    known = {*here, *map(os.fsencode, given)}
    others = [place for place in record.replicas[mirrored:] if place not in known]
    if others:
        everywhere = " ".join(map(_quoted, record.replicas))
        names = ", ".join(map(os.fsdecode, others))
        yield Notice(f"{names} took part in that run and was not given: aefsync undo {everywhere} {record.run}")
    if record.command == LAST_WRITE:
        kept = [*here, *(place for place in record.replicas if place not in here)]
        yield Notice(
            "the next repair, newest wins, would decide as that run did; to have what is here now everywhere: "
            f"aefsync repair --mirror {' '.join(map(_quoted, kept))}",
            warning=True,
        )


def _quoted(place: bytes) -> str:
    return shlex.quote(os.fsdecode(place))


def _counts(counts: Counter[str]) -> dict[str, int]:
    """What was taken back, as summaries count it."""
    return {
        "copied_files": counts[Act.CREATE] + counts[Act.COPY],
        "replaced_files": counts[Act.COPY],
        "deleted": counts[Act.DELETE],
        "moved": counts[Act.MOVE],
        "metadata": counts[Act.METADATA],
        "skipped": counts["left"],
    }
