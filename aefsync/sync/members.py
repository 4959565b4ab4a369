"""`members`: who takes part, as one replica knows it; what is said here the others learn in their next sessions."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import ParamSpec, TypeVar

from aefsync.core.identity import KnownRoot
from aefsync.core.members import Member, Members, Memory, Standing, State, is_older, merge_members
from aefsync.core.membership import joined, named, with_name, without
from aefsync.core.path import RelPath
from aefsync.core.ports import Access, Missing, Monitor, Scan
from aefsync.core.version import is_covered, merge
from aefsync.errors import AefsyncError, UsageError
from aefsync.sync.admission import key_of
from aefsync.sync.concluding import concluded
from aefsync.sync.contacts import Contacts
from aefsync.sync.events import Event, Notice, Started
from aefsync.sync.known import KnownRoots
from aefsync.sync.request import Request
from aefsync.sync.session import Session, Terms, open_session
from aefsync.sync.standing import Enrolled

P = ParamSpec("P")
T = TypeVar("T")

_NEXT_TO_NOTHING = RelPath(b"members of aefsync")
_TOLD = "the others learn of it in their next sessions with this replica"


def list_members(common: Request, monitor: Monitor) -> Iterator[Event]:
    """All that one replica knows, in order of names."""
    begun = time.monotonic()
    yield Started("members", common.locations, common.names)
    with _open(common, Access.READ, monitor) as session:
        yield from enrolled(0, standing_of(session, 0), Contacts(common.state_dir))
        yield concluded(session, begun)


def add_member(common: Request, name: str, location: str | None, monitor: Monitor) -> Iterator[Event]:
    """Have the replica at a location take part, under this name; `None`: that member is not reached from here."""
    if location is None:
        return _edit(common, lambda standing: _unreached(common, standing, name), monitor)
    return _add(common, name, location, monitor)


def _add(common: Request, name: str, location: str, monitor: Monitor) -> Iterator[Event]:
    begun = time.monotonic()
    yield Started("members", common.locations, common.names)
    both = common._replace(locations=(*common.locations, location))
    terms = [Terms(Access.WRITE, Missing.REFUSE), Terms(Access.READ, Missing.REFUSE)]
    with open_session(both, terms, monitor, command="members add") as session:
        own, other = standing_of(session, 0), standing_of(session, 1)
        if own.id == other.id:
            raise UsageError(f"{location}: the same replica, or a copy of it: the next repair tells them apart")
        known = _said(joined, merge_members([own.members, other.members]), other.id, other.author)
        # Whoever takes somebody in takes part.
        known = _said(joined, known, own.id, own.author)
        members = _said(with_name, known, other.id, name)
        _remember(session, Memory(members, returned=is_older(own.id, own.members, [other.members])))
        seen = KnownRoot(session.opened[1].identity, filled=not session.opened[1].empty)
        KnownRoots(common.state_dir).remember({key_of(session.locations[1], session.opened[1]): seen})
        contacts = Contacts(common.state_dir)
        place = session.opened[1].root if session.locations[1].login is None else os.fsencode(location)
        contacts.note(own.id, other.id, os.fsdecode(place))
        yield from _shown(own._replace(members=members), other.id, contacts)
        yield Notice(_TOLD)
        yield concluded(session, begun)


def leave(common: Request, monitor: Monitor) -> Iterator[Event]:
    """The replica leaves: nobody waits for it any more."""

    def change(standing: Standing) -> tuple[Members, str]:
        own = next((each for each in standing.members if each.id == standing.id), Member(standing.id))
        return without(standing.members, own, State.LEFT), own.id

    return _edit(common, change, monitor)


def forget(common: Request, name: str, monitor: Monitor) -> Iterator[Event]:
    """A member that will not come back is waited for no longer."""

    def change(standing: Standing) -> tuple[Members, str]:
        member = _said(named, standing.members, name)
        if member.id == standing.id:
            raise UsageError(f"{name} is this replica itself: aefsync members ROOT leave")
        return without(standing.members, member, State.FORGOTTEN), member.id

    return _edit(common, change, monitor)


def enrolled(number: int, standing: Standing, contacts: Contacts) -> Iterator[Enrolled]:
    """The members that a replica knows, itself first, then in order of names."""
    everything, locations = merge(each.seen for each in standing.members), contacts.of(standing.id)
    for member in sorted(standing.members, key=lambda each: (each.id != standing.id, each.state, each.name, each.id)):
        is_behind = member.state is State.ACTIVE and not is_covered(everything, member.seen)
        yield Enrolled(number, member, locations.get(member.id, ""), member.id == standing.id, is_behind)


def standing_of(session: Session, number: int) -> Standing:
    """What the sidecar of a replica says; raises `AefsyncError` where there is none that can be read."""
    text, standing = session.locations[number].text, session.opened[number].standing
    if session.opened[number].unreadable:
        raise AefsyncError(f"{text}: {session.opened[number].unreadable}")
    if standing is None:
        raise AefsyncError(f"{text}: has no history yet", hint="the first repair begins one, or aefsync init")
    return standing


def _remember(session: Session, memory: Memory) -> None:
    """Have the replica remember this; what is written to a sidecar needs a scan, if of next to nothing."""
    session.call(0, lambda _, replica: replica.scan(Scan(paths=(_NEXT_TO_NOTHING,), versions=True)))
    session.call(0, lambda _, replica: replica.remember(memory))


def _unreached(common: Request, standing: Standing, name: str) -> tuple[Members, str]:
    member = _said(named, standing.members, name)
    Contacts(common.state_dir).note(standing.id, member.id, "")
    return standing.members, member.id


def _edit(common: Request, change: Callable[[Standing], tuple[Members, str]], monitor: Monitor) -> Iterator[Event]:
    """Change what the replica knows of its members; the change names the member that it is about."""
    begun = time.monotonic()
    yield Started("members", common.locations, common.names)
    with _open(common, Access.WRITE, monitor) as session:
        standing = standing_of(session, 0)
        members, about = change(standing)
        if members != standing.members:
            _remember(session, Memory(members))
        yield from _shown(standing._replace(members=members), about, Contacts(common.state_dir))
        if members != standing.members:
            yield Notice(_TOLD)
        yield concluded(session, begun)


def _shown(standing: Standing, about: str, contacts: Contacts) -> Iterator[Enrolled]:
    yield from (each for each in enrolled(0, standing, contacts) if each.member.id == about)


def _said(word: Callable[P, T], *arguments: P.args, **named_ones: P.kwargs) -> T:
    """What a word on members comes to; raises `UsageError` where it makes no sense."""
    try:
        return word(*arguments, **named_ones)
    except ValueError as error:
        raise UsageError(str(error)) from None


def _open(common: Request, access: Access, monitor: Monitor) -> AbstractContextManager[Session]:
    return open_session(common, [Terms(access, Missing.REFUSE)], monitor, command="members")
