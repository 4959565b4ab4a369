"""`init`: a history begun beforehand, which the first repair would begin otherwise."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from aefsync.core.members import Memory, Standing
from aefsync.core.membership import joined, with_name
from aefsync.core.ports import Access, Missing, Monitor
from aefsync.errors import AefsyncError, UsageError
from aefsync.sync.admission import Admission
from aefsync.sync.concluding import concluded
from aefsync.sync.contacts import Contacts
from aefsync.sync.events import Event, Notice, Started, Troubled
from aefsync.sync.known import KnownRoots
from aefsync.sync.members import enrolled
from aefsync.sync.present import others_done
from aefsync.sync.request import Request
from aefsync.sync.session import Session, Terms, open_session
from aefsync.sync.survey import scan_of

if TYPE_CHECKING:
    from aefsync.wire.remote import RemoteReplica


def init(common: Request, names: Sequence[str], monitor: Monitor) -> Iterator[Event]:
    """Have each replica remember what it holds now, and be called by the name given for it (empty: as it is)."""
    called = dict(zip(common.locations, names, strict=True))
    return others_done(common, lambda present: _init(present, [called[each] for each in present.locations], monitor))


def _init(common: Request, names: Sequence[str], monitor: Monitor) -> Iterator[Event]:
    begun = time.monotonic()
    yield Started("init", common.locations, common.names)
    admission = Admission(KnownRoots(common.state_dir), common.allowed)
    terms = [Terms(Access.WRITE, Missing.CREATE)] * len(common.locations)
    with open_session(common, terms, monitor, admission=admission, command="init") as session:
        pairs = zip(session.locations, session.opened, strict=True)
        yield from (Notice(f"{location.text}: created") for location, opened in pairs if opened.created)
        yield from admission.notices
        scan = scan_of(session, common)._replace(versions=True)
        session.each(lambda _, replica: replica.scan(scan))
        # What nobody knows the origin of is told apart by its content, so all is read.
        scans = session.each(lambda _, replica: replica.read_unread((), None))
        problems = [(number, problem) for number, scanned in enumerate(scans) for problem in scanned.problems]
        yield from (Troubled(number, problem) for number, problem in problems)
        known = [opened.standing or scanned.standing for opened, scanned in zip(session.opened, scans, strict=True)]
        standings = session.each(lambda number, replica: _begin(session, number, replica, known[number], names[number]))
        for number, standing in enumerate(standings):
            if session.opened[number].standing is None:
                yield Notice(f"{session.locations[number].text}: history starts")
            yield from (each for each in enrolled(number, standing, Contacts(common.state_dir)) if each.is_self)
        admission.remember(session.locations, session.each(session.opened_now), scans)
        yield concluded(session, begun, problems=len(problems))


def _begin(session: Session, number: int, replica: RemoteReplica, standing: Standing | None, name: str) -> Standing:
    if standing is None:
        raise AefsyncError(f"{session.locations[number].text}: whoever serves it lets nothing be changed")
    try:
        members = joined(standing.members, standing.id, standing.author)
        members = with_name(members, standing.id, name) if name else members
    except ValueError as error:
        raise UsageError(str(error)) from None
    if members != standing.members or session.opened[number].standing is None:
        replica.remember(Memory(members))
    return standing._replace(members=members)
