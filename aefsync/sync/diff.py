"""`diff`: survey and say what differs; nothing is changed, and nothing created in a replica."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence

from aefsync.core.action import StageFile
from aefsync.core.compare import Difference
from aefsync.core.entry import Entry, Kind, has_kind
from aefsync.core.metadata import Aspects
from aefsync.core.path import RelPath, is_within
from aefsync.core.ports import Access, Missing, Monitor
from aefsync.core.view import View
from aefsync.errors import UsageError
from aefsync.sync.admission import Admission
from aefsync.sync.child import Nursery
from aefsync.sync.concluding import told_of
from aefsync.sync.delta import Seeded, lacking
from aefsync.sync.events import Differs, Event, Notice, Started, State, Summary
from aefsync.sync.known import KnownRoots
from aefsync.sync.reconnecting import Patience, persevering
from aefsync.sync.request import DiffRequest
from aefsync.sync.session import Session, Terms, open_session
from aefsync.sync.survey import Survey, coarsened, observations, survey

TOGETHER = 256
"""Differences whose files are looked into at a time."""


def diff(request: DiffRequest, monitor: Monitor, nursery: Nursery | None = None) -> Iterator[Event]:
    """Compare replicas; exit code 0 same, 1 different, 2 trouble with some path."""
    begun = time.monotonic()
    common = request.common
    if request.chunks and (len(common.locations) != 2 or request.quick):
        raise UsageError("--chunks looks into the files of two replicas, by content")
    yield Started("diff", common.locations, common.names)
    if request.quick:
        yield Notice("contents not read (--quick)")
    yield from persevering(lambda: _compared(request, monitor, nursery, begun), Patience(common.link.retries))


def _compared(request: DiffRequest, monitor: Monitor, nursery: Nursery | None, begun: float) -> Iterator[Event]:
    common = request.common
    terms = [Terms(Access.READ, Missing.REFUSE)] * len(common.locations)
    view = View.QUICK if request.quick else View.FULL
    admission = Admission(KnownRoots(common.state_dir), common.allowed)
    with open_session(
        common,
        terms,
        monitor,
        nursery=nursery,
        admission=admission,
    ) as session:
        found = survey(session, common, view)
        yield from coarsened(session, common)
        yield from observations(found)
        count = suspects = 0
        events = differing(session, found)
        for event in in_parts(session, events) if request.chunks else events:
            yield event
            count += 1
            suspects += event.same_stat
            if request.brief:
                break
        yield _summary(session, found, count, suspects, begun)


def differing(session: Session, found: Survey) -> Iterator[Differs]:
    """The differences that are known to be such: not those that only trouble with a path makes appear."""
    unknown = frozenset(path for own in found.unknown for path in own)
    failed = frozenset(problem.path for scanned in found.scans for problem in scanned.problems)
    for difference in found.differences(session):
        if unknown and is_within(difference.path, unknown):
            continue
        if difference.path in failed and not all(entry is None or entry.is_read for entry in difference.entries):
            continue
        is_unstorable = not found.aspects.symlinks and has_kind(difference.entries, Kind.SYMLINK)
        if difference.path in found.above or is_unstorable:
            continue
        state = state_of(difference)
        same_stat = state is State.CONTENT and _same_stat(difference, found.aspects)
        yield Differs(difference, state, same_stat, found.view, found.aspects)


def in_parts(session: Session, events: Iterable[Differs]) -> Iterator[Differs]:
    """The same, with the parts of each file that differs; looked for some files at a time."""
    waiting: list[Differs] = []
    for event in events:
        waiting.append(event)
        if len(waiting) == TOGETHER:
            yield from _with_parts(session, waiting)
            waiting = []
    yield from _with_parts(session, waiting)


def _with_parts(session: Session, events: Sequence[Differs]) -> Iterator[Differs]:
    there, here = session.opened[1], session.opened[0]
    wanted = {event.difference.path: _seeded(event) for event in events if _is_of_files(event)}
    seeded = tuple(wanted.values()) if there.chunker == here.chunker else ()
    runs = lacking(session.replicas[1], session.replicas[0], seeded).runs if seeded else ()
    parts: dict[RelPath, list[tuple[int, int]]] = {each.file.path: [] for each in seeded}
    for path, offset, length in runs:
        parts[path].append((offset, length))
    for event in events:
        path = event.difference.path
        yield event._replace(parts=tuple(parts[path])) if path in parts else event


def _is_of_files(event: Differs) -> bool:
    kinds = [entry.kind for entry in event.difference.entries if entry is not None]
    return event.state is State.CONTENT and kinds == [Kind.FILE, Kind.FILE]


def _seeded(event: Differs) -> Seeded:
    path, (_, entry), _ = event.difference
    assert entry is not None
    return Seeded(StageFile(entry, path), (path,))


def state_of(difference: Difference) -> State:
    """In what the versions of a path differ."""
    entries = difference.entries
    present = [entry for entry in entries if entry is not None]
    if len(present) < len(entries):
        if len(entries) > 2:
            return State.MISSING
        return State.ONLY_A if entries[0] is not None else State.ONLY_B
    if len({entry.kind for entry in present}) > 1:
        return State.KIND
    if any(not entry.same_content(present[0]) for entry in present):
        return State.CONTENT
    return State.METADATA


def _same_stat(difference: Difference, aspects: Aspects) -> bool:
    """Whether versions of different content have one size and mtime: one copy may be damaged."""
    files = [entry for entry in difference.entries if entry is not None and entry.kind is Kind.FILE]
    return any(_suspect(one, other, aspects) for i, one in enumerate(files) for other in files[:i])


def _suspect(one: Entry, other: Entry, aspects: Aspects) -> bool:
    alike = one.size == other.size and aspects.times and aspects.same_times([one.mtime_ns, other.mtime_ns])
    return alike and one.content != other.content


def _summary(session: Session, found: Survey, count: int, suspects: int, begun: float) -> Summary:
    told = [problem for scanned in found.scans for problem in scanned.problems]
    rot = sum(problem.is_damage for problem in told)
    problems = sum(problem.is_failure for problem in told)
    standing = len(told) - rot - problems
    words = (("differences", count), ("rot", rot), ("left standing", standing), ("problems", problems))
    causes = [word for word, number in words if number]
    reads = found.view.reads
    return told_of(
        session,
        begun,
        exit_code=2 if problems else 1 if causes else 0,
        causes=tuple(causes),
        equal=not count and not told,
        roots=found.roots if reads else (),
        entries=found.entries,
        differences=count,
        suspects=suspects,
        rot=rot,
        problems=problems,
        verified=reads and not told,
    )
