"""`scrub`: read replicas anew, say what is rot or suspect, and bring back what should be there (`mending`).

All replicas are scrubbed at the same time, portion by portion; where time or share are used up the next run goes on.
What is damaged is dealt with at the end: until then it is remembered beside the replica, and comes first the next time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

from aefsync.core.entry import Entry
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.path import RelPath
from aefsync.core.policy import Globs
from aefsync.core.ports import Access, Missing, Monitor
from aefsync.core.problem import Problem
from aefsync.core.rot import PORTION_BYTES, REASONS, Damage, Scrub, Scrubbed, Verdict
from aefsync.errors import UsageError
from aefsync.sync.attending import Attending
from aefsync.sync.child import Nursery
from aefsync.sync.concluding import concluded
from aefsync.sync.events import Event, Notice, Started, Summary, Troubled
from aefsync.sync.location import parse
from aefsync.sync.mending import Mended, Peers, mend
from aefsync.sync.present import others_done
from aefsync.sync.request import Request
from aefsync.sync.session import Session, Terms, open_session
from aefsync.sync.survey import scan_of
from aefsync.sync.voting import may_be_polled, poll

_RATED = 1 << 20
"""Bytes of one portion, at least, where a rate holds."""


class ScrubRequest(NamedTuple):
    """`peers` are locations beside those of the replicas; `accepted` and `mended` choose among suspects, and the former among
    rot as well; `edits` are suspects that are always accepted."""

    common: Request
    peers: tuple[str, ...] = ()
    dry_run: bool = False
    mended: Globs = Globs()
    accepted: Globs = Globs()
    edits: Globs = Globs()
    time_limit_s: int | None = None
    read_percent: int = 100
    bytes_per_s: int = 0


def scrub(
    request: ScrubRequest,
    monitor: Monitor,
    nursery: Nursery | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Event]:
    """Scrub replicas; exit code 1 where anything was found, be it mended."""
    start = nursery or Nursery()
    return others_done(request.common, lambda present: _scrub(request._replace(common=present), monitor, start, clock))


def _scrub(request: ScrubRequest, monitor: Monitor, nursery: Nursery, clock: Callable[[], float]) -> Iterator[Event]:
    begun, common = time.monotonic(), request.common
    for text in (*common.locations, *request.peers):
        if parse(text).agentless:
            raise UsageError(f"{text}: a replica without an agent cannot be scrubbed, nor does it mend others")
    yield Started("scrub", common.locations, common.names)
    access = Access.READ if request.dry_run else Access.WRITE
    terms = [Terms(access, Missing.REFUSE)] * len(common.locations)
    with open_session(common, terms, monitor, nursery=nursery, command="scrub") as session:
        with Peers(common, request.peers, session, monitor) as peers:
            run = _Run(request, session, peers, clock)
            yield from run.look()
            yield from run.read()
            yield from run.accept()
            yield from run.mend()
        yield run.summary(begun)


class _Run:
    """What one run found, by replica."""

    def __init__(self, request: ScrubRequest, session: Session, peers: Peers, clock: Callable[[], float]) -> None:
        self._request = request
        self._session = session
        self._attending = Attending(session)
        self._peers = peers
        self._asks = [may_be_polled(peers, number) for number in range(len(session.replicas))]
        self._doubted: dict[int, tuple[RelPath, ...]] = {}
        """what was outvoted of the fresh files that a replica told of last"""
        self._disputed = 0
        self._clock = clock
        self._until = None if request.time_limit_s is None else clock() + request.time_limit_s
        self._damaged: list[list[Damage]] = [[] for _ in session.replicas]
        self._standing: list[Scrubbed] = []
        self._budgets: list[int] = []
        self._problems = 0
        self._mended = Mended()
        self._files = self._size = 0

    def look(self) -> Iterator[Event]:
        """Scan, and take stock."""
        session = self._session
        scan = scan_of(session, self._request.common)
        remembers = [opened.standing is not None for opened in session.opened]
        scans = session.each(lambda number, replica: replica.scan(scan._replace(versions=remembers[number])))
        for number, scanned in enumerate(scans):
            # What the scan itself finds damaged comes up again when it is read.
            yield from self._trouble(number, [each for each in scanned.problems if not each.is_damage])
        self._standing = session.each(lambda _, replica: replica.scrub(Scrub(begins=True, files=0)))
        self._budgets = [-(-each.left_size * self._request.read_percent // 100) for each in self._standing]

    def read(self) -> Iterator[Event]:
        """Read portion after portion, as far as time and share go."""
        read = [0] * len(self._standing)
        going = [each.left_files > 0 for each in self._standing]
        while any(going) and not self._is_late():
            at_work = tuple(going)
            for number, found in enumerate(
                self._attending.each(
                    lambda i, replica: replica.scrub(self._portion(i)) if at_work[i] else None,  # noqa: B023
                    lambda _: None,
                )
            ):
                if found is None:
                    going[number] = False
                    continue
                self._standing[number] = found
                self._files, self._size = self._files + found.files, self._size + found.size
                read[number] += found.size
                going[number] = found.left_files > 0 and found.files > 0 and read[number] < self._budgets[number]
                self._damaged[number] += found.damaged
                yield from self._trouble(number, found.problems)
                yield from self._poll(number, found.fresh)
        for number in self._doubted.keys() - self._attending.lost.keys():
            told = Scrub(files=0, doubted=self._doubted.pop(number))
            self._standing[number] = self._session.call(number, lambda _, replica: replica.scrub(told))  # noqa: B023
        left = sum(each.left_files for each in self._standing)
        if left:
            why = "the time is up (--time-limit)" if self._is_late() else "the share is read (--read-percent)"
            yield Notice(f"{why}: the next scrub goes on with the other {left} files")

    def _poll(self, number: int, fresh: Sequence[Entry]) -> Iterator[Event]:
        """Ask others about files of which a replica has no record."""
        if not fresh:
            return
        found = poll(self._session, number, fresh, self._peers)
        self._damaged[number] += found.outvoted
        self._doubted[number] = tuple(each.recorded.path for each in found.outvoted)
        self._disputed += len(found.disputed)
        yield from (Troubled(number, problem) for problem in found.disputed)

    def _portion(self, number: int) -> Scrub:
        rate = self._request.bytes_per_s
        size = min(PORTION_BYTES, max(_RATED, rate)) if rate else PORTION_BYTES
        budget, doubted = self._budgets[number], self._doubted.pop(number, ())
        portion = Scrub(size=min(size, max(1, budget)), bytes_per_s=rate, budget=budget)
        return portion._replace(tells_fresh=self._asks[number], doubted=doubted)

    def _is_late(self) -> bool:
        return self._until is not None and self._clock() >= self._until

    def accept(self) -> Iterator[Event]:
        """Take for edits what the user takes for such."""
        request = self._request
        for number, damaged in enumerate(self._damaged):
            chosen = [each for each in damaged if self._is_accepted(each)]
            if not chosen or request.dry_run or number in self._attending.lost:
                continue
            paths = tuple(each.recorded.path for each in chosen)
            accepting = Scrub(files=0, accepted=paths)
            found = self._session.call(number, lambda _, replica: replica.scrub(accepting))  # noqa: B023
            failed = {each.path for each in found.problems}
            yield from self._trouble(number, found.problems)
            done = [path for path in paths if path not in failed]
            yield from (self._accepted_notice(number, path) for path in done)
            self._damaged[number] = [each for each in damaged if each.recorded.path not in done]

    def _is_accepted(self, damage: Damage) -> bool:
        path = damage.recorded.path
        if not damage.content:
            return False
        is_edit = damage.verdict is Verdict.SUSPECT and self._request.edits.fits(path)
        return is_edit or self._request.accepted.fits(path)

    def _accepted_notice(self, number: int, path: RelPath) -> Notice:
        return Notice(f"{self._session.locations[number].text}: {path}: accepted as an edit")

    def mend(self) -> Iterator[Event]:
        """Bring back what should be there, and say what stays damaged."""
        for number, damaged in enumerate(self._damaged):
            chosen = [each for each in damaged if self._is_to_be_mended(number, each)]
            done: set[RelPath] = set()
            for event in mend(self._session, number, chosen, self._peers, self._mended) if chosen else ():
                done |= {event.path} if not isinstance(event, Notice | Troubled) else set()
                yield event
            for each in damaged:
                if each.recorded.path not in done:
                    yield Troubled(number, Problem(each.recorded.path, self._reason(each, is_tried=each in chosen)))
        if not self._request.dry_run:
            self._standing = self._attending.each(
                lambda _, replica: replica.scrub(Scrub(files=0)), self._standing.__getitem__
            )
        yield from (Notice(f"{why}; the others are done", warning=True) for why in self._attending.lost.values())

    def _is_to_be_mended(self, number: int, damage: Damage) -> bool:
        if self._request.dry_run or self._session.opened[number].read_only or number in self._attending.lost:
            return False
        return damage.verdict is Verdict.ROT or self._request.mended.fits(damage.recorded.path)

    @staticmethod
    def _reason(damage: Damage, *, is_tried: bool) -> str:
        reason = REASONS[damage.verdict] if damage.content else "cannot be read"
        return f"{reason}; nobody reached has it as it was recorded" if is_tried else reason

    def _trouble(self, number: int, problems: Sequence[Problem]) -> Iterator[Event]:
        self._problems += len(problems)
        yield from (Troubled(number, problem) for problem in problems)

    def summary(self, begun: float) -> Summary:
        """The last event."""
        rot, suspects = sum(each.rot for each in self._standing), sum(each.suspects for each in self._standing)
        suspects += self._disputed
        found_rot = rot or any(each.verdict is Verdict.ROT for own in self._damaged for each in own)
        words = (("rot", found_rot or self._mended.files), ("suspects", suspects))
        causes = tuple(word for word, is_cause in words if is_cause)
        lost = bool(self._mended.lost or self._attending.lost)
        done = concluded(self._session, begun, problems=self._problems, lost=lost, dry_run=self._request.dry_run)
        return done._replace(
            exit_code=done.exit_code or (1 if causes else 0),
            causes=(*done.causes, *causes),
            equal=not causes,
            suspects=suspects,
            rot=rot,
            oldest_verified_s=min((each.oldest_s for each in self._standing), default=0),
            verified_files=self._files,
            verified_bytes=self._size,
            copied_files=self._mended.files,
            replaced_files=0,
            literal_bytes=self._mended.literal_bytes,
            reused_bytes=self._mended.reused_bytes,
            verified=not self._problems and not any(each.left_files for each in self._standing),
        )
