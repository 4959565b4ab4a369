"""`gossip`: a replica has sessions with its peers, one after the other, without anybody who coordinates the group.

A session is the very same repair of two replicas.  A peer that cannot be had, for whatever reason, is told of and
skipped; another one takes its turn.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Generator, Iterator

from aefsync.core.gossip import Peer, pause_s, peers_of, turns
from aefsync.core.members import Member, Standing, State
from aefsync.core.policy import Policies, PolicyKind
from aefsync.core.ports import Access, Missing, Monitor
from aefsync.errors import AefsyncError, GuardError, IncompatibleError, LockedError
from aefsync.sync.attempts import Attempts
from aefsync.sync.child import Nursery
from aefsync.sync.contacts import Contacts
from aefsync.sync.events import Event, Notice, Started, Summary
from aefsync.sync.hooks import Hooks, hooked
from aefsync.sync.members import standing_of
from aefsync.sync.preferring import waiting
from aefsync.sync.reconnecting import may_pass
from aefsync.sync.repair import repair
from aefsync.sync.request import GossipRequest, RepairRequest
from aefsync.sync.session import Terms, open_session
from aefsync.sync.surroundings import Surroundings
from aefsync.sync.toll import Toll

_UNREACHABLE = 7
_OWN_CODES = (GuardError, LockedError, IncompatibleError)
"""What a peer may be in the way of a session with; in all other cases it could not be reached."""


def gossip(
    request: GossipRequest,
    monitor: Monitor,
    hooks: Hooks,
    nursery: Nursery | None = None,
    around: Surroundings | None = None,
    now_s: Callable[[], float] = time.time,
) -> Iterator[Event]:
    """Rounds of sessions, each of which begins anew with what the two replicas are called; each round ends with a
    summary, whose exit code is that of all that came before it, unless there is no end to them."""
    common = request.repair.common
    yield Started("gossip", common.locations, common.names)
    yield from _Gossip(request, monitor, hooks, around or Surroundings(), now_s).run(nursery or Nursery())


class _Gossip:
    def __init__(
        self, request: GossipRequest, monitor: Monitor, hooks: Hooks, around: Surroundings, now_s: Callable[[], float]
    ) -> None:
        common = request.repair.common
        self._request = request
        self._monitor = monitor
        self._hooks = hooks
        self._around = around
        self._now_s = now_s
        self._root = common.locations[0]
        self._contacts, self._attempts = Contacts(common.state_dir), Attempts(common.state_dir)
        self._toll = Toll(dry_run=request.repair.dry_run)
        self._has_begun = False

    def run(self, nursery: Nursery) -> Iterator[Event]:
        limit = self._request.rounds
        for number in itertools.count() if limit is None else range(limit):
            if number:
                self._rest()
            try:
                yield from self._toll.summed_up(self._round(nursery))
            except AefsyncError as error:
                if limit is not None or not may_pass(error, has_begun=self._has_begun):
                    raise
                yield Notice(f"{error.message}: trying again", warning=True)
            if limit is None:
                self._toll = Toll(dry_run=self._request.repair.dry_run)

    def _rest(self) -> None:
        around = self._around
        until_s = around.clock() + pause_s(self._request.every_s, around.chance)
        while (due_s := until_s - around.clock()) > 0:
            around.on_rest(due_s)
            around.sleep(min(due_s, self._request.tick_s))

    def _round(self, nursery: Nursery) -> Iterator[Event]:
        """Sessions with as many peers as are wanted, of those that can be had."""
        standing = self._look(nursery)
        peers = peers_of(standing.members, standing.id, self._contacts.of(standing.id), self._attempts.of(standing.id))
        if not peers:
            raise AefsyncError(
                f"{self._root}: no other member is reached from here",
                hint=f"aefsync members {self._root} add NAME LOCATION, or a repair with one, tells where it is",
            )
        self._has_begun, busy, met = True, list[LockedError](), 0
        for peer in turns(peers, self._around.chance):
            if met == self._request.fanout:
                return
            met += yield from self._meet(standing, peer, busy)
        # Who is busy with somebody else gets the news there: that matters only where nobody else could be met.
        for error in busy if met < self._request.fanout else ():
            self._toll.add(error.exit_code, error.cause)

    def _look(self, nursery: Nursery) -> Standing:
        """What the replica says of itself and its group; raises `AefsyncError` where it is in none."""
        common = self._request.repair.common
        terms = [Terms(Access.READ, Missing.REFUSE)]
        with open_session(common, terms, self._monitor, nursery=nursery) as session:
            standing = standing_of(session, 0)
        if _own(standing).state is not State.ACTIVE:
            raise AefsyncError(
                f"{self._root}: has left its group",
                hint=f"aefsync init {self._root} takes it in again",
            )
        return standing

    def _meet(self, standing: Standing, peer: Peer, busy: list[LockedError]) -> Generator[Event, None, bool]:
        """A session with one peer; whether it came to its end."""
        request = _with(self._request.repair, standing, peer)
        if not request.dry_run:
            self._attempts.note(standing.id, peer.member.id, self._now_s())
        called = f"{_name(peer.member)} ({peer.location})"
        try:
            yield from _introduced(hooked(repair(request, self._monitor), self._hooks), f"B is {called}")
        except AefsyncError as error:
            if error.message.startswith(f"{self._root}: "):
                raise
            reason = error.message.removeprefix(f"{peer.location}: ")
            if isinstance(error, LockedError):
                busy.append(error)
            elif isinstance(error, _OWN_CODES):
                self._toll.add(error.exit_code, error.cause)
            elif not _may_be_away(self._request.repair, peer.member, self._now_s()):
                self._toll.add(_UNREACHABLE, "unreachable")
            yield Notice(f"{called}: {reason}: skipped", warning=True)
            return False
        return True


def _introduced(events: Iterator[Event], who: str) -> Iterator[Event]:
    """The events of a session; who B is, is said before anything else has to be."""
    is_said = False
    for event in events:
        if isinstance(event, Started):
            yield event._replace(command="gossip")
            continue
        if not is_said and not (isinstance(event, Summary) and not event.exit_code):
            is_said = True
            yield Notice(who)
        yield event


def _with(request: RepairRequest, standing: Standing, peer: Peer) -> RepairRequest:
    """The request for a session with one peer."""
    (root,), own = request.common.locations, _own(standing)
    common = request.common._replace(locations=(root, peer.location), names=(own.name, peer.member.name))
    request = request._replace(common=common._replace(acquainted=standing), create_root=False, away_s=None)
    if request.policies is None:
        return request
    called = (("A", root, own.name), ("B", peer.location, peer.member.name))
    policies, preferred = _here(request.policies, called)
    return request._replace(policies=policies, preferred=preferred)


def _here(policies: Policies, called: tuple[tuple[str, ...], ...]) -> tuple[Policies, tuple[tuple[str, int], ...]]:
    """The policies for replicas that are called so; whose word counts that is not among them, is waited for."""
    words = {policy.argument for policy in policies.all if policy.kind is PolicyKind.PREFER}
    here = {word: number for number in reversed(range(len(called))) for word in words.intersection(called[number])}
    return waiting(policies, words - here.keys()), tuple(here.items())


def _may_be_away(request: RepairRequest, member: Member, now_s: float) -> bool:
    """Whether a member that cannot be reached has been away for no longer than the user allows."""
    return request.away_s is not None and now_s - (member.last_s or -math.inf) <= request.away_s


def _own(standing: Standing) -> Member:
    return next((each for each in standing.members if each.id == standing.id), Member(standing.id))


def _name(member: Member) -> str:
    return member.name or member.id[:8]
