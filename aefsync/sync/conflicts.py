"""`conflicts`: conflict copies in bulk, over all replicas given: list them, resolve them, drop those that say nothing.

What is resolved is an edit of each replica that has the copy, made by its agent like any other: the trash keeps what
gave way, `undo` takes it back, and the next run spreads it.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial

from aefsync.core.action import Act, Action
from aefsync.core.copies import Copies, Take, Way, are_meant, prune, resolve
from aefsync.core.entry import Entry, Kind
from aefsync.core.labels import label
from aefsync.core.members import Members, merge_members
from aefsync.core.membership import named
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.path import RelPath
from aefsync.core.patterns import parse_patterns
from aefsync.core.ports import Access, Missing, Monitor, Scan
from aefsync.core.problem import FOLDED, ROT, SUSPECT, Problem
from aefsync.errors import AefsyncError, UsageError
from aefsync.sync.concluding import concluded
from aefsync.sync.contacts import Contacts
from aefsync.sync.copies import claims, find_copies, read_copies
from aefsync.sync.events import Acted, CopyKept, Event, Notice, Started, Troubled
from aefsync.sync.present import others_done
from aefsync.sync.request import Request
from aefsync.sync.session import Session, Terms, open_session
from aefsync.sync.survey import scan_of
from aefsync.sync.turns import Turns


class Found(NamedTuple):
    """The conflict copies of each replica, who takes part, and trouble with looking.

    `called` are the authors by what else than its name a replica is called here, best first.
    """

    copies: tuple[tuple[Copies, ...], ...]
    members: Members
    problems: tuple[tuple[int, Problem], ...]
    called: Mapping[str, bytes]

    @property
    def standing(self) -> list[str]:
        """Why files are left alone though nothing failed: that they may be damaged, or have names that fold, hinders nobody."""
        return [problem.reason for _, problem in self.problems if not problem.is_failure]

    @property
    def harm(self) -> str:
        """What a person has to look at; empty: nothing."""
        words = {ROT: "rot", SUSPECT: "suspects", FOLDED: "left standing"}
        return next((word for reason, word in words.items() if reason in self.standing), "")

    def by(self, entry: Entry) -> str:
        """What the replica is called whose version an entry is (empty: nobody knows)."""
        author = entry.version.author if entry.version else b""
        own = next((each for each in self.members if author and each.author == author), None)
        if own is None or own.name:
            return own.name if own else ""
        names = {each.name for each in self.members}
        return next((word for word, each in self.called.items() if each == author and word not in names), own.id[:8])

    def author(self, name: str) -> bytes:
        """The author that the member of this name is, or the replica that is called so; raises `UsageError`."""
        try:
            author = named(self.members, name).author
        except ValueError as error:
            if name not in self.called:
                raise UsageError(f"--take: {error}") from None
            author = self.called[name]
        if not author:
            raise UsageError(f"--take: which versions are by {name} is not known before the first session with it")
        return author


class Plan(NamedTuple):
    """What is to be done on each replica, and the paths of which nobody can say what."""

    actions: tuple[tuple[Action, ...], ...]
    unclear: tuple[tuple[int, Problem], ...] = ()


Decide = Callable[[Session, Found], Plan]


def list_conflicts(common: Request, paths: Sequence[RelPath], monitor: Monitor) -> Iterator[Event]:
    """The conflict copies of all replicas, or those that paths mean."""
    return others_done(common, lambda present: _list(present, common, paths, monitor))


def _list(common: Request, all_given: Request, paths: Sequence[RelPath], monitor: Monitor) -> Iterator[Event]:
    begun = time.monotonic()
    yield Started("conflicts", common.locations, common.names)
    with _open(common, Access.READ, monitor) as session:
        found = _find(session, common, all_given)
        yield from (Troubled(*each) for each in found.problems)
        listed = [(number, each) for number, own in enumerate(found.copies) for each in _meant(own, paths)]
        for number, copies in listed:
            for copy in copies.copies:
                yield CopyKept(number, copy, copies.original, copies.current is None, found.by(copy))
        number = sum(len(copies.copies) for _, copies in listed)
        problems = len(found.problems) - len(found.standing)
        yield concluded(session, begun, standing=found.harm, problems=problems, conflicts=number)


def resolve_conflicts(
    common: Request, paths: Sequence[RelPath], take: Take | str, monitor: Monitor, *, dry_run: bool = False
) -> Iterator[Event]:
    """Resolve the conflicts that paths mean (none: all) by taking a version, or that of the replica that is called so.

    Raises `AefsyncError` where no copy is meant, `UsageError` where none is called so.
    """

    def decide(session: Session, found: Found) -> Plan:
        chosen = [_meant(own, paths) for own in found.copies]
        if not any(chosen):
            what = ", ".join(map(str, paths)) or "these replicas"
            raise AefsyncError(f"{what}: no conflict copies", hint="aefsync conflicts ROOT list shows what there is")
        return _resolved(session, chosen, take if isinstance(take, Take) else Take(None, found.author(take)))

    return others_done(common, lambda present: _change(present, common, decide, monitor, dry_run=dry_run))


def _called(session: Session, common: Request, members: Members) -> dict[str, bytes]:
    """Whose versions those of replicas are, by what these are called: in a set, on the command line (`common`: all that
    stood there), or as where they are reached from here."""
    numbers = [common.locations.index(each.text) for each in session.locations]
    standings = [each.standing for each in session.opened]
    pairs = [(number, known.author) for number, known in zip(numbers, standings, strict=True) if known is not None]
    contacts, authors = Contacts(common.state_dir), {each.id: each.author for each in members}
    places = (contacts.of(known.id).items() for known in standings if known is not None)
    found = [
        *((common.names[number], author) for number, author in pairs if number < len(common.names)),
        *((label(number), author) for number, author in pairs),
        *((common.locations[number], author) for number, author in pairs),
        *((place, authors[member]) for each in places for member, place in each if member in authors),
    ]
    called: dict[str, bytes] = {}
    for word, author in found:
        called.setdefault(word, author)
    called.pop("", None)
    return called


def prune_conflicts(common: Request, monitor: Monitor, *, dry_run: bool = False) -> Iterator[Event]:
    """Delete the conflict copies that are the same as what is at their path."""

    def decide(session: Session, found: Found) -> Plan:
        read = (read_copies(session.replicas[number], own) for number, own in enumerate(found.copies))
        return Plan(tuple(tuple(action for copies in own for action in prune(copies)) for own in read))

    return others_done(common, lambda present: _change(present, common, decide, monitor, dry_run=dry_run))


def _change(common: Request, all_given: Request, decide: Decide, monitor: Monitor, *, dry_run: bool) -> Iterator[Event]:
    """Look, decide, and carry it out."""
    begun = time.monotonic()
    yield Started("conflicts", common.locations, common.names)
    with _open(common, Access.READ, monitor) as session:
        found = _find(session, common, all_given)
        plan = decide(session, found)
    tally: Counter[str] = Counter()
    lost: list[int] = []
    for event in (*(Troubled(*each) for each in (*found.problems, *plan.unclear)), *_rehearse(plan, dry_run=dry_run)):
        yield event
        tally.update(_counted(event))
    if any(plan.actions) and not dry_run:
        with _open(common, Access.WRITE, monitor) as session:
            turns = Turns(session)
            for event in turns.take(partial(_carry_out, session, common, plan)):
                yield event
                tally.update(_counted(event))
            lost = turns.lost
    skipped = len(plan.unclear) + tally["barred"]
    counts = {"moved": tally[Act.MOVE], "deleted": tally[Act.DELETE], "skipped": skipped}
    problems = tally["problem"] - len(plan.unclear) - len(found.standing)
    standing = "conflicts" if skipped else found.harm
    yield concluded(session, begun, standing=standing, problems=problems, lost=bool(lost), dry_run=dry_run, **counts)


def _open(common: Request, access: Access, monitor: Monitor) -> AbstractContextManager[Session]:
    terms = [Terms(access, Missing.REFUSE)] * len(common.locations)
    return open_session(common, terms, monitor, command="conflicts resolve")


def _find(session: Session, common: Request, all_given: Request) -> Found:
    """Take a snapshot of each replica, with versions where it has any, and look for conflict copies in it."""
    scan, standings = scan_of(session, common), [opened.standing for opened in session.opened]
    scans = session.each(lambda n, replica: replica.scan(scan._replace(versions=standings[n] is not None)))
    copies = tuple(session.each(lambda _, replica: find_copies(replica)))
    problems = tuple((number, problem) for number, scanned in enumerate(scans) for problem in scanned.problems)
    members = merge_members(each.members for each in standings if each is not None)
    return Found(copies, members, problems, _called(session, all_given, members))


def _meant(own: Sequence[Copies], paths: Sequence[RelPath]) -> tuple[Copies, ...]:
    return tuple(filter(None, (are_meant(copies, frozenset(paths)) for copies in own)))


def _resolved(session: Session, chosen: Sequence[Sequence[Copies]], take: Take) -> Plan:
    actions: list[tuple[Action, ...]] = []
    unclear: list[tuple[int, Problem]] = []
    for number, own in enumerate(chosen):
        planned: list[Action] = []
        claim = claims(session.replicas[number], own if take.way is Way.BOTH else ())
        for copies in own:
            try:
                planned += resolve(copies, take, claim)
            except ValueError as error:
                unclear.append((number, Problem(copies.original, str(error))))
        actions.append(tuple(planned))
    return Plan(tuple(actions), tuple(unclear))


def _rehearse(plan: Plan, *, dry_run: bool) -> Iterator[Event]:
    if dry_run:
        yield from (_acted(number, action) for number, own in enumerate(plan.actions) for action in own)


def _carry_out(session: Session, common: Request, plan: Plan, number: int) -> Iterator[Event]:
    """Do what is planned for one replica."""
    own = plan.actions[number]
    if not own:
        return
    # Only what is concerned is looked at again, so that nothing else is read at the end.
    paths = tuple({path for action in own for path in (action.path, action.source) if path is not None})
    wanted = scan_of(session, common)
    scan, left_out = Scan(paths=paths, mounts=None, aspects=wanted.aspects), parse_patterns(wanted.rules)
    session.call(number, lambda _, replica: replica.scan(scan))
    for batch, applied in session.apply(number, own):
        yield from (_acted(number, action) for action, done in zip(batch, applied.done, strict=True) if done)
        failed = (action for action, done in zip(batch, applied.done, strict=True) if not done and action.source)
        barred = {each.source for each in failed if any(left_out.fit(each.path, is_directory=is_) for is_ in _EITHER)}
        told = (each._replace(reason=_LEFT_OUT) if each.path in barred else each for each in applied.problems)
        yield from (Troubled(number, problem) for problem in told)
    session.call(number, lambda _, replica: replica.record())
    if session.opened[number].standing is None:
        yield Notice(_FORGETFUL.format(session.locations[number].text), warning=True)


_EITHER = (False, True)
_LEFT_OUT = "what filters leave out is in its place: move that away first, or --take current or both"
_FORGETFUL = "{}: has no history, so a repair brings back what is deleted here only: resolve on all replicas alike"


def _acted(number: int, action: Action) -> Acted:
    entry = action.wanted or action.found
    size = entry.size if entry is not None and entry.kind is Kind.FILE else 0
    return Acted(action.act.value, action.path, None, (number,), size, "resolved", action.source)


def _counted(event: Event) -> list[str]:
    if isinstance(event, Troubled):
        return ["barred" if event.problem.reason == _LEFT_OUT else "problem"]
    return [event.action] if isinstance(event, Acted) else []
