"""A session: the replicas of one run, opened, told apart, and asked together."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from aefsync.core.action import Action, Applied
from aefsync.core.compare import Span
from aefsync.core.digest import KEY_SIZE
from aefsync.core.entry import Entry
from aefsync.core.growth import Growth
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.past import Title
from aefsync.core.ports import Access, Missing, Monitor, Open, Opened
from aefsync.core.run_id import id_of
from aefsync.core.scope import Scope
from aefsync.core.tree import Answer, Question
from aefsync.core.version import Tombstone
from aefsync.core.writing import Writing
from aefsync.disk.crew import processors
from aefsync.errors import AefsyncError, IncompatibleError, LockedError
from aefsync.sync.acquaintance import Acquaintance
from aefsync.sync.admission import Admission
from aefsync.sync.child import Nursery
from aefsync.sync.connecting import connected, deploy_to, dial
from aefsync.sync.location import Location, parse
from aefsync.sync.overlap import check_apart
from aefsync.sync.present import of_all
from aefsync.sync.reconnecting import Patience, persistently
from aefsync.sync.request import Request
from aefsync.sync.together import together
from aefsync.wire.launching import NoAgentError
from aefsync.wire.login import Link

if TYPE_CHECKING:
    from aefsync.wire.remote import RemoteReplica

T = TypeVar("T")
ACTIONS = 512
"""Actions in one request."""


class Session(NamedTuple):
    """Open replicas, in the order A, B, C …, and what each said of itself."""

    locations: tuple[Location, ...]
    replicas: tuple[RemoteReplica, ...]
    opened: tuple[Opened, ...]
    run: str
    requests: tuple[Open, ...] = ()
    """what each was opened with"""
    mounts: tuple[tuple[bytes, ...] | None, ...] = ()
    """the mount points that are expected below each (none: nothing is expected)"""
    scope: Scope = Scope(())

    def each(self, call: Callable[[int, RemoteReplica], T]) -> list[T]:
        """Call something on every replica at once; an error names the replica's location."""
        return together([partial(self.call, number, call) for number in range(len(self.replicas))])

    def call(self, number: int, call: Callable[[int, RemoteReplica], T]) -> T:
        """Call something on one replica; an error names its location."""
        try:
            return call(number, self.replicas[number])
        except AefsyncError as error:
            if not any(error.message.startswith(f"{location.text}: ") for location in self.locations):
                error.put_before(self.locations[number].text)
            raise

    def apply(self, number: int, actions: Sequence[Action]) -> Iterator[tuple[Sequence[Action], Applied]]:
        """Have one replica carry out actions, some at a time, and what became of those."""
        for start in range(0, len(actions), ACTIONS):
            batch = actions[start : start + ACTIONS]
            yield batch, self.call(number, lambda _, replica: replica.apply(batch))  # noqa: B023

    def ask(self, questions: Sequence[Question | None]) -> Sequence[Answer | None]:
        """One question to each replica at once (`compare.Ask`)."""

        def put(number: int, replica: RemoteReplica) -> Answer | None:
            question = questions[number]
            return None if question is None else replica.fingerprints(question)

        return self.each(put)

    @property
    def places(self) -> tuple[bytes, ...]:
        """The locations as they can be written whatever the working directory."""
        pairs = zip(self.locations, self.opened, strict=True)
        return tuple(opened.root if each.login is None else os.fsencode(each.text) for each, opened in pairs)

    def fetch(self, replica: int, spans: Sequence[Span]) -> Sequence[Entry]:
        """Entries of one replica (`compare.Fetch`)."""
        entries = self.replicas[replica].entries(spans)
        self.scope.check(entry.path.key for entry in entries)
        return entries

    def fetch_tombstones(self, replica: int, spans: Sequence[Span]) -> Sequence[Tombstone]:
        """Tombstones of one replica (`compare.FetchTombstones`)."""
        tombstones = self.replicas[replica].tombstones(spans)
        self.scope.check(tombstone.path.key for tombstone in tombstones)
        return tombstones

    def grow(self, replica: int, spans: Sequence[Span]) -> Growth:
        """The first of what one replica has there, packed (`apart.Grow`)."""
        growth = self.replicas[replica].growth(spans)
        self.scope.check(growth.keys())
        return growth

    def peer(self, receiver: int, origin: int) -> int | None:
        """The number under which `receiver` can copy from `origin` directly; `None` where the bytes must come by here, or
        it is the same replica, which has them already."""
        if receiver == origin or any(self.locations[each].login is not None for each in (receiver, origin)):
            return None
        return sum(location.login is None for location in self.locations[:origin])

    def opened_now(self, number: int, replica: RemoteReplica) -> Opened:
        """What a replica says of itself now: this run may have been the first to write to its root."""
        opened, request = self.opened[number], self.requests[number]
        return opened if opened.identity or request.access is Access.READ else replica.hello(request)

    @property
    def clocks_ahead_ns(self) -> tuple[int, ...]:
        """How much later it is on each replica's clock than here."""
        return tuple(replica.clock_ahead_ns for replica in self.replicas)

    @property
    def sent_bytes(self) -> int:
        """Protocol bytes to agents on other hosts; what is said to processes of this machine costs nobody anything."""
        return sum(replica.sent_bytes for replica in self._far)

    @property
    def received_bytes(self) -> int:
        """Protocol bytes from agents on other hosts."""
        return sum(replica.received_bytes for replica in self._far)

    @property
    def _far(self) -> Iterator[RemoteReplica]:
        pairs = zip(self.locations, self.replicas, strict=True)
        return (replica for location, replica in pairs if location.login is not None)

    @property
    def round_trips(self) -> int:
        """Round trips one after the other: those of the replica that had most."""
        return max(replica.round_trips for replica in self.replicas)


class Terms(NamedTuple):
    """How each replica of a session is to be opened."""

    access: Access
    missing: Missing
    writing: Writing = Writing()


@contextlib.contextmanager
def open_session(
    common: Request,
    terms: Sequence[Terms],
    monitor: Monitor,
    *,
    nonce: bytes | None = None,
    nursery: Nursery | None = None,
    admission: Admission | None = None,
    command: str = "",
    lock_wait_s: float = 0,
) -> Iterator[Session]:
    """Connect to each replica (or take its process from the nursery) and open them together, as `begin` does."""
    with connected(places(common), common.link, monitor, nursery or Nursery()) as replicas:
        yield begin(
            replicas, common, terms, monitor, nonce=nonce, admission=admission, command=command, lock_wait_s=lock_wait_s
        )


def places(common: Request) -> tuple[Location, ...]:
    """Where the replicas are; raises `UsageError`."""
    return tuple(parse(text) for text in common.locations)


def begin(
    replicas: Sequence[RemoteReplica],
    common: Request,
    terms: Sequence[Terms],
    monitor: Monitor,
    *,
    nonce: bytes | None = None,
    admission: Admission | None = None,
    command: str = "",
    lock_wait_s: float = 0,
) -> Session:
    """Open replicas together, whether they rested or were never opened; raises `AefsyncError`.

    `admission` judges the roots before any of them is written to; a root that another run is at work on is waited for
    so long.  `command` is what the journals of the replicas call the run.
    """
    locations = places(common)
    session = Session(locations, tuple(replicas), (), id_of(datetime.now(UTC)), scope=Scope(common.paths))
    ours = tuple(os.fsencode(place) for place in (common.state_dir, *common.own) if place)
    renewed = admission.renewed if admission is not None else {}
    key, cache = nonce or os.urandom(KEY_SIZE), os.fsencode(common.cache_dir)
    acquaintance = Acquaintance.of(common.acquainted, len(replicas))
    hello = _Hello(session, terms, key, cache, ours, renewed, common.link, monitor, acquaintance)
    # Roots are looked at before anything is created or locked in any of them.
    opened = of_all([partial(session.call, number, hello.look) for number in range(len(replicas))])
    check_apart(locations, opened)
    if admission is not None:
        admission.judge(locations, opened, [term.access for term in terms])
    for number, (each, term) in enumerate(zip(opened, terms, strict=True)):
        if each.is_missing and term.missing is Missing.REFUSE:
            session.call(number, hello.insist)
    if any(term.access is Access.WRITE for term in terms):
        title = Title(command, session._replace(opened=tuple(opened)).places)
        hello = hello._replace(title=title, acquaintance=acquaintance.after(opened))
        # One after the other in the same order everywhere, so that of two runs on one pair one gets both locks.
        order = sorted(range(len(opened)), key=lambda i: (opened[i].host, opened[i].root))
        until = time.monotonic() + lock_wait_s
        again = {i: session.call(i, partial(hello.enter, until)) for i in order}
        opened = [again[i] for i in range(len(opened))]
    requests = tuple(hello.request(number) for number in range(len(opened)))
    mounts = tuple(map(admission.mounts, range(len(opened)))) if admission is not None else ()
    return session._replace(opened=tuple(opened), requests=requests, mounts=mounts)


class _Hello(NamedTuple):
    """Opens each replica: first only to look, then on its terms."""

    session: Session
    terms: Sequence[Terms]
    nonce: bytes
    cache_dir: bytes
    own: tuple[bytes, ...]
    renewed: Mapping[int, str]
    link: Link
    monitor: Monitor
    acquaintance: Acquaintance
    title: Title = Title()

    def greet(self, replica: RemoteReplica, request: Open) -> Opened:
        """What a replica says of itself, with what it was not asked for, as that is known."""
        return self.acquaintance.understood(replica.hello(request))

    def look(self, number: int, replica: RemoteReplica) -> Opened:
        """Whether a root may be missing is judged when all have been looked at."""
        request = self.request(number)._replace(access=Access.READ, missing=Missing.EMPTY)
        location = self.session.locations[number]
        login = location.login

        def attempt(failures: int) -> Opened:
            if failures and login is not None:
                replica.restart(dial(login, self.link, partial(self.monitor.heard, number)))
            return self.greet(replica, request)

        if login is None or location.agentless:
            return attempt(0)
        try:
            return persistently(attempt, Patience(self.link.retries))
        except NoAgentError as error:
            if not self.link.deploy:
                from aefsync.sync.offering import sftp_form  # hardly ever asked for

                error.hint = f"{error.hint}\n{sftp_form(location, login, self.link)}"
                raise
        except IncompatibleError:
            if not self.link.deploy:
                raise
        deploy_to(login, self.link, partial(self.monitor.heard, number))
        return attempt(1)

    def insist(self, number: int, replica: RemoteReplica) -> Opened:
        """Have the replica itself say that its root is missing."""
        return replica.hello(self.request(number)._replace(access=Access.READ))

    def enter(self, until: float, number: int, replica: RemoteReplica) -> Opened:
        """Open it as it is wanted, waiting until then for another run to end."""
        pause_s = 0.05
        while True:
            try:
                return self.greet(replica, self.request(number))
            except LockedError:
                left_s = until - time.monotonic()
                if left_s <= 0:
                    raise
                time.sleep(min(pause_s, left_s))
                pause_s = min(2 * pause_s, 1.0)

    def request(self, number: int) -> Open:
        """How a replica is to be opened."""
        location, (access, missing, writing) = self.session.locations[number], self.terms[number]
        here = sum(each.login is None for each in self.session.locations)
        parallel = max(1, processors() // here) if location.login is None else 0
        head = (location.path, self.session.run, self.nonce, access, missing, self.cache_dir, parallel)
        renewed = self.renewed.get(number, "")
        return Open(*head, writing, self.own, renewed, self.title, self.acquaintance.known[number])
