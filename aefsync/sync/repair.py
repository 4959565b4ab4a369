"""`repair`: survey, decide, carry out, look again.

Nothing is changed anywhere before all guards have passed; each step of the plan is reported as it turned out, in key
order, while the run goes on.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from aefsync.core.ports import Access, Missing, Monitor
from aefsync.core.space import size_text
from aefsync.core.step import Pass, Step
from aefsync.core.verdict import Decision
from aefsync.core.view import View
from aefsync.errors import AefsyncError, LockedError, UnreachableError
from aefsync.sync.admission import Admission
from aefsync.sync.attending import Attending
from aefsync.sync.child import Nursery
from aefsync.sync.deadline import Deadline
from aefsync.sync.decide import SKEW_NS, Decided, decide
from aefsync.sync.events import Acted, Conflicted, Event, LeftUndone, Notice, Started, Summary, Troubled
from aefsync.sync.known import KnownRoots
from aefsync.sync.location import parse
from aefsync.sync.outcome import Tally, is_standing, summary
from aefsync.sync.passes import Outcome, carry_out, rehearse
from aefsync.sync.reconnecting import Patience, anew
from aefsync.sync.request import RepairRequest
from aefsync.sync.session import Session, Terms, open_session
from aefsync.sync.survey import coarsened, observations, survey


def repair(request: RepairRequest, monitor: Monitor, nursery: Nursery | None = None) -> Iterator[Event]:
    """Make replicas agree; exit codes as in CLI.md.

    Where a replica is lost that may be there again in a moment, the others are done, and the run begins anew with what
    is left, as often as `--retries` allows.
    """
    common = request.common
    yield Started("repair", common.locations, common.names)
    run, patience = _Run(request, monitor, nursery), Patience(common.link.retries)
    while True:
        failure: AefsyncError | None = None
        try:
            yield from run.attempt()
        except (UnreachableError, LockedError) as error:
            failure = error
        if not (run.may_gain(failure) and patience.lasts()):
            break
        yield from map(anew, run.lost if failure is None else [failure.message])
    if failure is not None and run.ended is None:
        raise failure
    yield from run.ending()


class _Run:
    """What must be remembered between the attempts of one run.

    `ended` is what the last one came to that came to its end, `lost` why replicas were lost in it.
    """

    def __init__(self, request: RepairRequest, monitor: Monitor, nursery: Nursery | None) -> None:
        self.ended: Summary | None = None
        self.lost: list[str] = []
        self._begun = time.monotonic()
        self._deadline = Deadline(request.max_duration_s, self._begun)
        self._request = request
        self._monitor = monitor
        self._nursery = nursery
        self._tally = Tally()
        self._attempts = 0
        self._may_return = False
        self._arrived_bytes = 0
        self._is_far = any(parse(text).login is not None for text in request.common.locations)
        self._told: set[int] = set()
        """hashes of events: there may be a million"""

    def may_gain(self, failure: AefsyncError | None) -> bool:
        """Whether something may come of another attempt: one that was lost is there again, or has let go of its lock."""
        if self._deadline.late:
            return False
        if isinstance(failure, LockedError):
            return self._attempts > 1
        return self._may_return if failure is None else isinstance(failure, UnreachableError) and failure.transient

    def attempt(self) -> Iterator[Event]:
        """Do what is to be done, and tell what was not told before."""
        self._attempts += 1
        for event in self._attempted():
            # What was done is done once; anything else may be found again.
            if isinstance(event, Acted) or not self._is_far or hash(event) not in self._told:
                yield event
            if self._is_far and not isinstance(event, Acted):
                self._told.add(hash(event))

    def _attempted(self) -> Iterator[Event]:
        request, common = self._request, self._request.common
        admission = Admission(KnownRoots(common.state_dir), common.allowed)
        with open_session(
            common,
            _terms(request),
            self._monitor,
            nursery=self._nursery,
            admission=admission,
            command="repair --mirror" if request.mirror else "repair",
            lock_wait_s=request.lock_wait_s,
        ) as session:
            try:
                yield from _created(session)
                yield from admission.notices
                yield from _skewed(session)
                yield from self._repaired(session, admission)
            finally:
                self._tally.spend(session)

    def _repaired(self, session: Session, admission: Admission) -> Iterator[Event]:
        request, tally, deadline = self._request, self._tally, self._deadline
        found = survey(session, request.common, View.FULL)
        yield from coarsened(session, request.common)
        yield from observations(found)
        decided = decide(session, found, request)
        attending = Attending(session)
        tally.begin(decided.survey.scans)
        passes = rehearse(decided, attending.read_only)
        for outcome in passes if request.dry_run else carry_out(attending, decided, self._monitor, deadline):
            tally.add(outcome)
            yield from _told(outcome, attending.read_only)
        scans = decided.survey.scans
        if not request.dry_run and _is_to_be_recorded(session, decided):
            scans = tuple(attending.each(lambda _, replica: replica.record(), scans.__getitem__))
            yield from (Troubled(number, problem) for number, problem in tally.look_again(scans))
        if not request.dry_run and not attending.lost:
            opened = attending.each(session.opened_now, session.opened.__getitem__)
            if not attending.lost:
                admission.remember(session.locations, opened, scans)
        elapsed_s = time.monotonic() - self._begun
        self.ended = summary(attending, decided, tally, scans, request, elapsed_s, late=deadline.late)
        self.lost, self._may_return = list(attending.lost.values()), bool(attending.lost) and attending.may_return
        self._arrived_bytes = attending.arrived_bytes

    def ending(self) -> Iterator[Event]:
        """What there is to say at the end of the last attempt."""
        rest = f"; of what was on its way {size_text(self._arrived_bytes)} had arrived" if self._arrived_bytes else ""
        for reason in self.lost:
            yield Notice(f"{reason}; the others are done{rest}", warning=True)
        if self._deadline.late:
            yield Notice("the time is up (--max-duration): the next run goes on", warning=True)
        if self.ended is not None:
            yield self.ended


def _is_to_be_recorded(session: Session, decided: Decided) -> bool:
    """Whether there was something to be done, or is to be read, or was left in staging by a run that was interrupted."""
    unread = any(scanned.unread_files for scanned in decided.survey.scans)
    return not decided.is_empty or unread or any(opened.unfinished for opened in session.opened)


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
