"""`repair`: survey, decide, carry out, look again.

Nothing is changed anywhere before all guards have passed; each step of the plan is reported as it turned out, in key
order, while the run goes on.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from aefsync.core.ports import Access, Missing, Monitor
from aefsync.core.step import Pass, Step
from aefsync.core.verdict import Decision
from aefsync.core.view import View
from aefsync.sync.admission import Admission
from aefsync.sync.attending import Attending
from aefsync.sync.child import Nursery
from aefsync.sync.deadline import Deadline
from aefsync.sync.decide import SKEW_NS, decide
from aefsync.sync.events import Acted, Conflicted, Event, LeftUndone, Notice, Started, Troubled
from aefsync.sync.known import KnownRoots
from aefsync.sync.outcome import Tally, is_standing, summary
from aefsync.sync.passes import Outcome, carry_out, rehearse
from aefsync.sync.request import RepairRequest
from aefsync.sync.session import Session, Terms, open_session
from aefsync.sync.survey import coarsened, observations, survey


def repair(request: RepairRequest, monitor: Monitor, nursery: Nursery | None = None) -> Iterator[Event]:
    """Make replicas agree; exit codes as in CLI.md."""
    begun = time.monotonic()
    common, deadline = request.common, Deadline(request.max_duration_s, begun)
    yield Started("repair", common.locations, common.names)
    command = "repair --mirror" if request.mirror else "repair"
    admission = Admission(KnownRoots(common.state_dir), common.allowed)
    terms = _terms(request)
    with open_session(
        common,
        terms,
        monitor,
        nursery=nursery,
        admission=admission,
        command=command,
        lock_wait_s=request.lock_wait_s,
    ) as session:
        yield from _created(session)
        yield from admission.notices
        yield from _skewed(session)
        found = survey(session, common, View.FULL)
        yield from coarsened(session, common)
        yield from observations(found)
        decided = decide(session, found, request)
        attending = Attending(session)
        tally = Tally(decided.survey.scans)
        passes = rehearse(decided, attending.read_only)
        for outcome in passes if request.dry_run else carry_out(attending, decided, monitor, deadline):
            tally.add(outcome)
            yield from _told(outcome, attending.read_only)
        scans = decided.survey.scans
        if not request.dry_run and (not decided.is_empty or any(scanned.unread_files for scanned in scans)):
            scans = tuple(attending.each(lambda _, replica: replica.record(), scans.__getitem__))
            yield from (Troubled(number, problem) for number, problem in tally.look_again(scans))
        yield from (Notice(f"{reason}; the others are done", warning=True) for reason in attending.lost.values())
        if not request.dry_run and not attending.lost:
            admission.remember(session.locations, session.opened_now(), scans)
        if deadline.late:
            yield Notice("the time is up (--max-duration): the next run goes on", warning=True)
        yield summary(attending, decided, tally, scans, request, time.monotonic() - begun, late=deadline.late)


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


def _skewed(session: Session) -> Iterator[Event]:
    """Clocks that differ so much that the newest version may not be the last one."""
    for location, ahead_ns in zip(session.locations, session.clocks_ahead_ns, strict=True):
        if abs(ahead_ns) > SKEW_NS:
            direction = "ahead" if ahead_ns > 0 else "behind"
            yield Notice(f"{location.text}: its clock is {abs(ahead_ns) // 10**9} s {direction}", warning=True)


def _created(session: Session) -> Iterator[Event]:
    for location, opened in zip(session.locations, session.opened, strict=True):
        if opened.created:
            yield Notice(f"{location.text}: created")


def _told(outcome: Outcome, read_only: frozenset[int]) -> Iterator[Event]:
    """What a pass over a window has to say: problems, then, if it is PUT, its steps and what stands, in key order."""
    yield from (Troubled(replica, problem) for replica, problem in outcome.problems)
    if outcome.step is Pass.PUT:
        told: list[Step | Decision] = [*outcome.window.plan.steps, *filter(is_standing, outcome.window.decisions)]
        for each in sorted(told, key=lambda each: each.path.key):
            yield from _step(outcome, each, read_only) if isinstance(each, Step) else _stands(each)
    for replica, copy in outcome.kept:
        yield Conflicted(copy.path, "keep-both", replica, copy.kept_as, "edited during the run")


def _stands(decision: Decision) -> Iterator[Event]:
    yield Conflicted(decision.path, "skip", None, None, str(getattr(decision.verdict, "why", "")))


def _step(outcome: Outcome, step: Step, read_only: frozenset[int]) -> Iterator[Event]:
    """What was done (or would be), and what a replica does not let be done."""
    places = zip(step.receivers, step.places, strict=True)
    to = tuple(replica for replica, place in places if outcome.is_done(replica, place))
    refused = tuple(replica for replica in step.receivers if replica in read_only)
    if refused:
        yield LeftUndone(step.action, step.path, refused)
    if to:
        yield Acted(step.action, step.path, step.origin, to, *step[5:])
        if step.action == "conflict_copy" and step.old is not None:
            yield Conflicted(step.old, "keep-both", None, step.path, "a directory is in its place")
