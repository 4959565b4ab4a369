"""`status`: how replicas stand, as their sidecars and homes tell it: who takes part, the last success, what waits for a
person.

Nothing is compared but with `live`; the trees are walked for their conflict copies, which are recognised by their
names, so no content is read.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from aefsync.core.past import TrashQuery
from aefsync.core.ports import Access, Missing, Monitor
from aefsync.core.rot import Scrub
from aefsync.core.unsettled import LeftStanding
from aefsync.core.view import View
from aefsync.errors import UsageError
from aefsync.sync.concluding import concluded
from aefsync.sync.contacts import Contacts
from aefsync.sync.copies import find_copies
from aefsync.sync.diff import differing
from aefsync.sync.events import Event, Notice, Started, Summary, Troubled
from aefsync.sync.members import enrolled
from aefsync.sync.present import others_done
from aefsync.sync.request import Request
from aefsync.sync.session import Session, Terms, open_session
from aefsync.sync.standing import Stood
from aefsync.sync.survey import Survey, scan_of, survey
from aefsync.sync.trash import items_of

if TYPE_CHECKING:
    from aefsync.wire.remote import RemoteReplica

_TROUBLE = 2


def status(
    common: Request, monitor: Monitor, *, live: bool = False, max_age_s: int | None = None, now_s: float | None = None
) -> Iterator[Event]:
    """How each replica stands; exit code 1 where something needs a look, be it that no run succeeded for so long."""
    if live:
        yield from _status(common, monitor, live=True, max_age_s=max_age_s, now_s=now_s)
        return
    for event in others_done(common, lambda present: _status(present, monitor, max_age_s=max_age_s, now_s=now_s)):
        match event:
            case Summary(absent=absent) if absent:
                yield event._replace(exit_code=_TROUBLE)
            case _:
                yield event


def _status(
    common: Request, monitor: Monitor, *, live: bool = False, max_age_s: int | None = None, now_s: float | None = None
) -> Iterator[Event]:
    begun = time.monotonic()
    yield Started("status", common.locations, common.names)
    if live and len(common.locations) < 2:
        raise UsageError("--live compares replicas: it needs at least two")
    now = time.time() if now_s is None else now_s
    with open_session(common, [Terms(Access.READ, Missing.REFUSE)] * len(common.locations), monitor) as session:
        scan = scan_of(session, common)
        scans = session.each(lambda _, replica: replica.scan(scan))
        stood = session.each(lambda number, replica: _stood(session, number, replica, common.names, now))
        contacts = Contacts(common.state_dir)
        for number, each in enumerate(stood):
            yield each
            standing = session.opened[number].standing
            yield from enrolled(number, standing, contacts) if standing is not None else ()
        told = [(number, problem) for number, scanned in enumerate(scans) for problem in scanned.problems]
        shown = [each for each in told if not each[1].is_damage]  # that is counted
        yield from (Troubled(number, problem) for number, problem in shown)
        problems = sum(problem.is_failure for _, problem in shown)
        late = [each for each in stood if max_age_s is not None and now - each.last_s > max_age_s]
        for each in late:
            text = session.locations[each.replica].text
            yield Notice(f"{text}: no run has come to its end {'for too long' if each.last_s else 'yet'}", warning=True)
        compared = survey(session, common, View.FULL) if live else None
        yield _summary(session, begun, stood, compared, problems, len(shown) - problems, is_late=bool(late))


def _stood(session: Session, number: int, replica: RemoteReplica, names: Sequence[str], now_s: float) -> Stood:
    """How one stands; `names` are what a set calls them."""
    opened = session.opened[number]
    standing = opened.standing
    own = next((each for each in standing.members if each.id == standing.id), None) if standing else None
    left = standing.left if standing is not None else LeftStanding()
    found = None if session.locations[number].agentless else replica.scrub(Scrub(files=0))
    return Stood(
        replica=number,
        identity=opened.identity,
        name=(own.name if own else "") or (names[number] if number < len(names) else ""),
        remembers=standing is not None,
        last_s=own.last_s if own else 0,
        conflicts=sum(len(copies.copies) for copies in find_copies(replica)),
        left_standing=left.conflicts,
        stands=left.paths,
        trash_bytes=sum(space.trash_bytes for space in replica.space()),
        last_run=next((record.run for record in replica.runs()), ""),
        unreadable=opened.unreadable,
        age_s=max(0, int(now_s) - own.last_s) if own and own.last_s else None,
        rot=found.rot if found else 0,
        suspects=(found.suspects if found else 0) + left.suspects,
        oldest_verified_s=found.oldest_s if found else 0,
        quarantined=sum(1 for _ in items_of(session, number, TrashQuery(quarantine=True))),
    )


def _summary(
    session: Session,
    begun: float,
    stood: Sequence[Stood],
    live: Survey | None,
    problems: int,
    folded: int,
    *,
    is_late: bool,
) -> Summary:
    differences = sum(1 for _ in differing(session, live)) if live is not None else 0
    known = [opened.standing.left for opened in session.opened if opened.standing is not None]
    left, copies = LeftStanding.among(known), sum(each.conflicts for each in stood)
    suspects = sum(each.suspects for each in stood) - sum(each.suspects for each in known) + left.suspects
    rot = sum(each.rot for each in stood)
    unreadable = any(each.unreadable for each in stood)
    words = (
        ("problems", problems),
        ("different", differences),
        ("conflicts", copies),
        ("left standing", left.conflicts + folded),
        ("rot", rot),
        ("suspects", suspects),
        ("late", is_late),
        ("unreadable history", unreadable),
    )
    causes = tuple(word for word, is_cause in words if is_cause)
    done = concluded(
        session, begun, differences=differences, conflicts=copies + left.conflicts, suspects=suspects, rot=rot
    )
    exit_code = _TROUBLE if problems else 1 if causes else 0
    done = done._replace(exit_code=exit_code, causes=causes, problems=problems, equal=not differences)
    if live is None:
        return done
    return done._replace(roots=live.roots, entries=live.entries, verified=not problems)
