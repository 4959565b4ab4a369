"""`watch`: repair, and again whenever something has changed; trouble that may pass is waited out.

What replicas hear of are hints: they say which sub-trees the next pass looks at, and the very same repair decides
there.  So nothing goes wrong where a hint says too much, and what none tells of is found by the next pass over
everything.  Own writes are heard of, too: the pass over them finds nothing to do, and writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from aefsync.core.hint import ROOT
from aefsync.core.path import RelPath, outermost
from aefsync.core.ports import Monitor
from aefsync.errors import AefsyncError, GuardError, LockedError, UnreachableError
from aefsync.sync.agenda import Agenda
from aefsync.sync.child import Nursery
from aefsync.sync.connecting import connected
from aefsync.sync.events import RECOVERED, Event, Notice, Started, Summary
from aefsync.sync.hooks import Hooks, hooked
from aefsync.sync.reconnecting import may_pass, pause_s
from aefsync.sync.repair import one_pass
from aefsync.sync.request import RepairRequest, WatchRequest
from aefsync.sync.resting import Inbox, Resting, Said
from aefsync.sync.session import places
from aefsync.sync.surroundings import Surroundings

if TYPE_CHECKING:
    from aefsync.wire.remote import RemoteReplica

_LONGEST_SLEEP_S = 1.0
_BRIEF = 3
"""So often another run may be in the way before anything is said of it: two watches of one pair hear the same."""


def watch(
    request: WatchRequest,
    monitor: Monitor,
    inbox: Inbox,
    hooks: Hooks,
    nursery: Nursery | None = None,
    around: Surroundings | None = None,
) -> Iterator[Event]:
    """Repair again and again; each pass ends with a summary.  Ends by an error only, or when it is closed.

    Whatever is put into `inbox` counts as heard.
    """
    common = request.repair.common
    yield Started("watch", common.locations, common.names)
    yield from _Watch(request, monitor, inbox, hooks, around or Surroundings()).run(nursery or Nursery())


class _Watch:
    def __init__(
        self, request: WatchRequest, monitor: Monitor, inbox: Inbox, hooks: Hooks, around: Surroundings
    ) -> None:
        self._request = request
        self._monitor = monitor
        self._inbox = inbox
        self._hooks = hooks
        self._around = around
        self._agenda = Agenda(request.settle_s, request.rescan_s)
        self._has_begun = False
        """a pass went well: what goes wrong from now on went well before, and may do so again"""
        self._is_broken = False
        """a host could not be reached: the process here that speaks for it ends, if it has not yet"""
        self._has_complained = False
        """trouble was told of that is not over, as far as is known"""

    def run(self, nursery: Nursery) -> Iterator[Event]:
        """Connect, and connect again whenever a replica was lost."""
        common = self._request.repair.common
        while True:
            with connected(places(common), common.link, self._monitor, nursery) as replicas:
                yield from self._passes(replicas)
            while (due_s := self._due_s()) > 0:
                self._around.sleep(min(due_s, _LONGEST_SLEEP_S))

    def _passes(self, replicas: Sequence[RemoteReplica]) -> Iterator[Event]:
        """Passes over these replicas until one of them is lost."""
        self._is_broken = False
        resting = Resting(replicas, self._inbox, listens=not self._request.polls)
        while True:
            due_s = self._due_s()
            if due_s <= 0:
                yield from self._pass(replicas)
                said = resting.rest()
            elif self._agenda.is_settling:
                self._around.sleep(min(due_s, _LONGEST_SLEEP_S))
                said = resting.rest()
            else:
                said = resting.listen(min(due_s, self._request.tick_s))
            if self._has_lost(replicas):
                self._agenda.widen(self._around.clock())
                self._fail()
                return
            yield from self._hear(said)

    def _due_s(self) -> float:
        due_s = self._agenda.due_s(self._around.clock())
        self._around.on_rest(due_s)
        return due_s

    def _hear(self, said: Sequence[Said]) -> Iterator[Event]:
        for number, hints in said:
            self._agenda.hear(number, hints, self._around.clock())
            if number is not None and hints.reason:
                yield Notice(f"{self._request.repair.common.locations[number]}: {hints.reason}", warning=True)

    def _pass(self, replicas: Sequence[RemoteReplica]) -> Iterator[Event]:
        """One pass over what the agenda says."""
        scope = self._agenda.begin(self._around.clock())
        request = narrowed(self._request.repair, scope)
        if request is None:
            self._agenda.end(self._around.clock())
            return
        for replica in replicas:
            replica.count_anew()
        try:
            yield from hooked(self._attempt(request, replicas), self._hooks)
        except AefsyncError as error:
            if not may_pass(error, has_begun=self._has_begun):
                raise
            if not self._is_brief(error):
                self._has_complained = True
                yield Notice(f"{error.message}: trying again", warning=True)
            self._is_broken = isinstance(error, UnreachableError)
            if not self._has_lost(replicas):
                self._fail()
            return
        if self._has_complained and not self._agenda.failures and not self._is_broken:
            self._has_complained = False
            yield RECOVERED

    def _attempt(self, request: RepairRequest, replicas: Sequence[RemoteReplica]) -> Iterator[Event]:
        """A pass; where it takes more than a part of the tree to judge what was found, everything is due next."""
        try:
            for event in one_pass(request, replicas, self._monitor):
                if isinstance(event, Summary):
                    self._is_broken = event.exit_code == UnreachableError.exit_code
                    self._has_complained = self._has_complained or self._is_broken
                if isinstance(event, Summary) and not self._has_lost(replicas):
                    self._has_begun = True
                    self._agenda.end(self._around.clock(), event.differences, event.undone)
                yield event
        except GuardError:
            if not request.common.hinted:
                raise
            self._agenda.widen(self._around.clock())

    def _is_brief(self, error: AefsyncError) -> bool:
        """Whether it is another run's pass, which is over soon."""
        return isinstance(error, LockedError) and self._has_begun and self._agenda.failures < _BRIEF

    def _has_lost(self, replicas: Sequence[RemoteReplica]) -> bool:
        """Whether nothing can come of these replicas any more."""
        return self._is_broken or any(replica.is_lost for replica in replicas)

    def _fail(self) -> None:
        self._agenda.fail(self._around.clock(), pause_s(self._agenda.failures, self._around.chance))


def narrowed(request: RepairRequest, scope: Sequence[bytes]) -> RepairRequest | None:
    """The request for these sub-trees only; `None` where none of them is among those that the user has chosen."""
    if ROOT in scope:
        return request
    heard, chosen = list(map(RelPath, scope)), request.common.paths
    if chosen:
        inside = [path for path in heard if any(path == top or path.is_below(top) for top in chosen)]
        heard = inside + [top for top in chosen if any(top.is_below(path) for path in heard)]
    if not heard:
        return None
    return request._replace(common=request.common._replace(paths=outermost(heard), hinted=True))
