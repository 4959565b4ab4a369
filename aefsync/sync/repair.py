"""`repair`: survey, decide, carry out, look again.

Nothing is changed anywhere before all guards have passed; each step of the plan is reported as it turned out, in key
order, while the run goes on.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from aefsync.core.ports import Access, Missing, Monitor, Scanned
from aefsync.core.space import size_text
from aefsync.core.view import View
from aefsync.errors import AefsyncError, LockedError, UnreachableError
from aefsync.sync.accepting import accept
from aefsync.sync.admission import Admission
from aefsync.sync.attending import Attending
from aefsync.sync.child import Nursery
from aefsync.sync.company import Company, company
from aefsync.sync.connecting import connected
from aefsync.sync.contacts import Contacts
from aefsync.sync.deadline import Deadline
from aefsync.sync.decide import Decided, decide
from aefsync.sync.events import Acted, Event, Grew, Notice, Started, Summary, Troubled
from aefsync.sync.gauging import gauged
from aefsync.sync.known import KnownRoots
from aefsync.sync.location import parse
from aefsync.sync.meetings import Meetings
from aefsync.sync.merging import merge_all
from aefsync.sync.outcome import Tally, is_complete, is_troubled, sighting, summary
from aefsync.sync.passes import carry_out, rehearse
from aefsync.sync.past import Past
from aefsync.sync.present import AbsentError, Present
from aefsync.sync.reconnecting import Patience, anew
from aefsync.sync.request import RepairRequest, Request
from aefsync.sync.session import Session, Terms, begin, places
from aefsync.sync.survey import Survey, coarsened, observations, survey
from aefsync.sync.telling import begun, bereft, created, guests, quarantined, restored, skewed, told

if TYPE_CHECKING:
    from aefsync.wire.remote import RemoteReplica

    Connect = Callable[[], contextlib.AbstractContextManager[Sequence[RemoteReplica]]]


def repair(request: RepairRequest, monitor: Monitor, nursery: Nursery | None = None) -> Iterator[Event]:
    """Make replicas agree; exit codes as in CLI.md.

    Where a replica is lost that may be there again in a moment, the others are done, and the run begins anew with what
    is left, as often as `--retries` allows.
    """
    common = request.common
    yield Started("repair", common.locations, common.names)
    start = nursery or Nursery()
    run = _Run(request, monitor, lambda: connected(places(common), common.link, monitor, start))
    patience = Patience(common.link.retries)
    while True:
        failure: AefsyncError | None = None
        try:
            yield from run.attempt()
        except AefsyncError as error:
            failure = error
        if not (run.may_gain(failure) and patience.lasts()):
            break
        yield from map(anew, run.lost if failure is None else [failure.message])
    may_end = run.ended is not None and isinstance(failure, UnreachableError | LockedError)
    if failure is not None and not may_end:
        if not (isinstance(failure, AbsentError) and run.may_lack(failure.absent)):
            yield from run.before(failure)
            raise failure
        run.rest(failure)
    yield from run.ending()


def one_pass(request: RepairRequest, replicas: Sequence[RemoteReplica], monitor: Monitor) -> Iterator[Event]:
    """Make these replicas agree once; the last event is the summary.  They stay open, and their roots locked."""
    run = _Run(request, monitor, lambda: contextlib.nullcontext(replicas))
    yield from run.attempt()
    yield from run.ending()


class _Run:
    """What must be remembered between the attempts of one run; `connect` gives the replicas of one.

    `ended` is what the last one came to that came to its end, `lost` why replicas were lost in it.
    """

    def __init__(self, request: RepairRequest, monitor: Monitor, connect: Connect) -> None:
        self.ended: Summary | None = None
        self.lost: list[str] = []
        self._company = company(request)
        self._begun = time.monotonic()
        self._deadline = Deadline(request.max_duration_s, self._begun)
        self._request = request
        self._monitor = monitor
        self._connect = connect
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
        try:
            for event in self._attempted():
                # What was done is done once; anything else may be found again.
                if isinstance(event, Acted | Grew) or not self._is_far or hash(event) not in self._told:
                    yield event
                if self._is_far and not isinstance(event, Acted | Grew):
                    self._told.add(hash(event))
        except UnreachableError:
            raise
        except AefsyncError as error:
            absent = self._company.absent
            error.beside = ("unreachable",) if absent and not self.may_lack(absent) else ()
            raise

    def _attempted(self) -> Iterator[Event]:
        request, common = self._request, self._request.common
        admission = Admission(KnownRoots(common.state_dir), common.allowed, joins=request.policies is not None)
        with self._connect() as replicas:
            session = self._opened(replicas, admission)
            events = (created(session), admission.notices, skewed(session), self._repaired(session, admission))
            try:
                yield from map(self._company.there.told, itertools.chain.from_iterable(events))
            finally:
                self._tally.spend(session)
        self._meet(common)

    def _opened(self, replicas: Sequence[RemoteReplica], admission: Admission) -> Session:
        """Those that can be reached, opened; raises `AefsyncError`."""
        present = company(self._request)
        while True:
            request = present.request
            there = [replicas[number] for number in present.there.numbers]
            terms, wait_s = _terms(request), request.lock_wait_s
            try:
                session = begin(
                    there,
                    request.common,
                    terms,
                    self._monitor,
                    admission=admission,
                    command=request.title,
                    lock_wait_s=wait_s,
                )
            except AbsentError as error:
                present = present.without(error)
                continue
            except AefsyncError:
                self._deal_with(present)
                raise
            self._deal_with(present)
            return session

    def _deal_with(self, present: Company) -> None:
        """It is those who are there now; others may have been in the attempt before."""
        self._tally.renumber(self._company.there.numbers, present.there.numbers)
        self._company = present

    def may_lack(self, numbers: Iterable[int]) -> bool:
        """Whether it is as the user expects that these replicas are away."""
        common, limit_s = self._request.common, self._request.away_s
        absent = [common.locations[number] for number in numbers]
        return limit_s is not None and Meetings(common.state_dir).are_within(limit_s, absent, time.time())

    def rest(self, error: AbsentError) -> None:
        """Come to an end with nothing done: it takes those who are away."""
        self._company = Company(self._request, Present((), error.absent))
        away, elapsed_s = tuple(error.absent), time.monotonic() - self._begun
        self.ended = Summary(0, dry_run=self._request.dry_run, verified=False, absent=away, elapsed_s=elapsed_s)

    def _meet(self, common: Request) -> None:
        """Sum up for those that are there and those that are not, and remember who was."""
        if self.ended is None or not self._is_far:
            return
        there = self._company.there
        self.ended = there.summed_up(self.ended, is_allowed=self.may_lack(there.absent))
        if not self._request.dry_run and not self.lost:
            Meetings(common.state_dir).note([common.locations[number] for number in there.numbers], time.time())

    def _repaired(self, session: Session, admission: Admission) -> Iterator[Event]:
        request, tally, deadline = self._company.request, self._tally, self._deadline
        past = Past(session) if request.policies is not None else None
        found = survey(session, request.common, View.FULL if past is None else View.VERSIONED, past)
        if request.policies is not None and not request.dry_run and accept(session, found.scans, request.policies):
            found = survey(session, request.common, View.VERSIONED, past)
        yield from coarsened(session, request.common)
        yield from observations(found)
        yield from restored(session, found.scans)
        members = past.members if past is not None else ()
        yield from itertools.chain(bereft(session, members), guests(session, members))
        decided = decide(session, found, request, past)
        if past is not None and decided.merges and not request.dry_run:
            yield from merge_all(session, decided.merges, past)
            found = survey(session, request.common, View.VERSIONED, past)
            decided = decide(session, found, request, past)
        attending = Attending(session)
        tally.begin(decided.survey.scans)
        if past is not None and not request.dry_run and not decided.is_empty:
            past.begin(attending)
        passes = rehearse(decided, attending.read_only)
        for outcome in passes if request.dry_run else carry_out(attending, decided, self._monitor, deadline):
            tally.add(outcome, attending.read_only)
            yield from filter(tally.is_news, told(outcome, attending.read_only))
        scans = decided.survey.scans
        if not request.dry_run and _is_to_be_recorded(session, decided):
            scans = tuple(attending.each(lambda _, replica: replica.record(), scans.__getitem__))
            yield from (Troubled(number, problem) for number, problem in tally.look_again(scans))
        if not request.dry_run and not attending.lost:
            yield from self._remembered(session, attending, admission, past, scans, found)
        elif not request.dry_run and past is not None:
            past.keep(attending, scans, sighting(tally, found, attending, late=deadline.late))
        yield from quarantined(session, tally.returned, request.dry_run)
        elapsed_s = time.monotonic() - self._begun
        self.ended = summary(attending, decided, tally, scans, request, elapsed_s, late=deadline.late)
        if request.gauged:
            sees_all = not request.common.paths and not deadline.late
            self.ended = self.ended._replace(gauges=gauged(attending, past, tally, sees_all=sees_all))
        self.lost, self._may_return = list(attending.lost.values()), bool(attending.lost) and attending.may_return
        self._arrived_bytes = attending.arrived_bytes

    def _remembered(
        self,
        session: Session,
        attending: Attending,
        admission: Admission,
        past: Past | None,
        scans: Sequence[Scanned],
        found: Survey,
    ) -> Iterator[Event]:
        """Keep, there and here, what the session came to."""
        tally, late = self._tally, self._deadline.late
        is_success = not (late or self._company.request.common.paths or is_troubled(tally))
        is_whole = is_success and is_complete(tally, found, scans)
        if past is not None:
            seen = sighting(tally, found, attending, late=late)
            past.conclude(attending, scans, seen, is_whole=is_whole, is_success=is_success)
        opened = attending.each(session.opened_now, session.opened.__getitem__)
        if not attending.lost:
            admission.remember(session.locations, opened, scans, is_whole=is_whole)
            if past is not None:
                met = {each.identity: os.fsdecode(place) for each, place in zip(opened, session.places, strict=True)}
                Contacts(self._request.common.state_dir).learn(met)
            yield from begun(session.opened, opened)

    def before(self, failure: AefsyncError) -> list[Notice]:
        """What there is to say before an error that ends the run, which then is not the only thing that went wrong."""
        return self._company.there.notices("") if failure.beside else []

    def ending(self) -> Iterator[Event]:
        """What there is to say at the end of the last attempt."""
        rest = f"; of what was on its way {size_text(self._arrived_bytes)} had arrived" if self._arrived_bytes else ""
        for reason in self.lost:
            yield Notice(f"{reason}; the others are done{rest}", warning=True)
        yield from self._company.notices()
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
