"""`repair`: survey, decide, carry out, look again.

Nothing is changed anywhere before all guards have passed; each step of the plan is reported as it turned out, in key
order, while the run goes on.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from aefsync.core.ports import Access, Missing, Monitor, Scanned
from aefsync.core.view import View
from aefsync.sync.admission import Admission
from aefsync.sync.attending import Attending
from aefsync.sync.child import Nursery
from aefsync.sync.connecting import connected
from aefsync.sync.deadline import Deadline
from aefsync.sync.decide import decide
from aefsync.sync.events import Event, Notice, Started, Troubled
from aefsync.sync.known import KnownRoots
from aefsync.sync.merging import merge_all
from aefsync.sync.outcome import Tally, summary
from aefsync.sync.passes import carry_out, rehearse
from aefsync.sync.past import Past
from aefsync.sync.request import RepairRequest
from aefsync.sync.session import Terms, begin, places
from aefsync.sync.survey import Survey, coarsened, observations, survey
from aefsync.sync.telling import begun, created, restored, skewed, told

if TYPE_CHECKING:
    from aefsync.wire.remote import RemoteReplica


def repair(request: RepairRequest, monitor: Monitor, nursery: Nursery | None = None) -> Iterator[Event]:
    """Make replicas agree; exit codes as in CLI.md."""
    started_s = time.monotonic()
    common = request.common
    yield Started("repair", common.locations, common.names)
    with connected(places(common), common.link, monitor, nursery or Nursery()) as replicas:
        yield from one_pass(request, replicas, monitor, started_s)


def one_pass(
    request: RepairRequest, replicas: Sequence[RemoteReplica], monitor: Monitor, started_s: float
) -> Iterator[Event]:
    """Make these replicas agree once; the last event is the summary.  They stay open, and their roots locked."""
    common, deadline = request.common, Deadline(request.max_duration_s, started_s)
    admission = Admission(KnownRoots(common.state_dir), common.allowed)
    session = begin(
        replicas,
        common,
        _terms(request),
        monitor,
        admission=admission,
        command=request.title,
        lock_wait_s=request.lock_wait_s,
    )
    yield from created(session)
    yield from admission.notices
    yield from skewed(session)
    past = Past(session) if request.policies is not None else None
    found = survey(session, common, View.FULL if past is None else View.VERSIONED, past)
    yield from coarsened(session, common)
    yield from observations(found)
    yield from restored(session, found.scans)
    decided = decide(session, found, request, past)
    if past is not None and decided.merges and not request.dry_run:
        yield from merge_all(session, decided.merges, past)
        found = survey(session, common, View.VERSIONED, past)
        decided = decide(session, found, request, past)
    attending = Attending(session)
    tally = Tally(decided.survey.scans)
    passes = rehearse(decided, attending.read_only)
    for outcome in passes if request.dry_run else carry_out(attending, decided, monitor, deadline):
        tally.add(outcome)
        yield from told(outcome, attending.read_only)
    scans = decided.survey.scans
    if not request.dry_run and (not decided.is_empty or any(scanned.unread_files for scanned in scans)):
        scans = tuple(attending.each(lambda _, replica: replica.record(), scans.__getitem__))
        yield from (Troubled(number, problem) for number, problem in tally.look_again(scans))
    yield from (Notice(f"{reason}; the others are done", warning=True) for reason in attending.lost.values())
    if not request.dry_run and not attending.lost:
        if past is not None:
            past.conclude(scans, is_whole=_is_whole(request, found, tally, scans, late=deadline.late))
        now = session.opened_now()
        admission.remember(session.locations, now, scans)
        yield from begun(session.opened, now)
    if deadline.late:
        yield Notice("the time is up (--max-duration): the next run goes on", warning=True)
    yield summary(attending, decided, tally, scans, request, time.monotonic() - started_s, late=deadline.late)


def _is_whole(request: RepairRequest, found: Survey, tally: Tally, scans: Sequence[Scanned], *, late: bool) -> bool:
    """Whether all replicas have now seen all that any of them knew."""
    partial = request.common.paths or late or tally.problems or tally.standing or tally.skipped
    return not partial and not any(scanned.excluded for scanned in scans) and not any(map(len, found.unknown))


def _terms(request: RepairRequest) -> list[Terms]:
    """Nothing at all is written with `-n`, nor on the first replica of a mirror."""
    missing = Missing.CREATE if request.create_root else Missing.REFUSE
    if request.dry_run and request.create_root:
        missing = Missing.EMPTY
    access = Access.READ if request.dry_run else Access.WRITE
    terms = [Terms(access, missing, request.writing) for _ in request.common.locations]
    if request.mirror:
        terms[0] = Terms(Access.READ, Missing.REFUSE)
    return terms
