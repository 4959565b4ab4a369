"""What a repair came to: everything counted as it happens, and summed up at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from aefsync.core.action import RETURNED, Act
from aefsync.core.hint import MOST_HINTS
from aefsync.core.path import RESERVED, RelPath
from aefsync.core.ports import Scanned
from aefsync.core.problem import ROT, SUSPECT, Problem
from aefsync.core.step import Pass
from aefsync.core.unsettled import MOST, Sighting, StandingPath
from aefsync.core.verdict import Decision, Stand, Why
from aefsync.sync.attending import Attending
from aefsync.sync.concluding import append_only
from aefsync.sync.decide import Decided
from aefsync.sync.events import Event, Summary, Troubled
from aefsync.sync.passes import Outcome
from aefsync.sync.request import RepairRequest
from aefsync.sync.session import Session
from aefsync.sync.survey import Survey, agree

_ELSEWHERE = (Why.UNKNOWN, Why.UNREAD, Why.KEPT)
"""Reasons that are reported as problems already, or are as the user wished."""
_MOST_BLIND = 4096
"""Paths of which replicas need be told that nothing is known of them."""
_PARTLY = {"problems", "max duration", "still different"}
"""Causes for which the job counts as partly done."""


def is_standing(decision: Decision) -> bool:
    """Whether a path is left standing and that is said of it, and not of what made it so."""
    return isinstance(decision.verdict, Stand) and decision.verdict.why not in _ELSEWHERE


class Tally:
    """Counts over all that was done, and of problems beyond those of the scan."""

    def __init__(self) -> None:
        self.acts: Counter[Act] = Counter()
        """How many actions of each sort were done, over all replicas; permissions taken last not counted again."""
        self.copies = 0
        self.moved = 0
        self.returned: Counter[int] = Counter()
        """How many entries went to quarantine, by replica: it came back with them, and all others had seen them go."""
        self.literal_bytes = self.reused_bytes = 0
        self.sent_bytes = self.received_bytes = self.round_trips = 0
        self.changed: set[int] = set()
        """The replicas on which something was done."""
        self.begin(())

    def begin(self, scans: Sequence[Scanned]) -> None:
        """Count from now on how things are; of earlier attempts it counts on only what they did, and what that cost."""
        self._known = {(number, problem) for number, scanned in enumerate(scans) for problem in scanned.problems}
        self._told = {(number, problem.path) for number, problem in self._known}
        self.reasons: Counter[Why] = Counter()
        """Why paths are left standing."""
        self.stood: list[StandingPath] = []
        """The first of them."""
        damaged = [problem.reason for _, problem in self._known if problem.is_damage]
        self.rot, self.suspects = damaged.count(ROT), damaged.count(SUSPECT)
        """files that are not as they were recorded"""
        self.problems = sum(problem.is_failure for _, problem in self._known)
        self.folded = len(self._known) - len(damaged) - self.problems
        """names that one replica has beside each other, and another could not"""
        self._own = sum(problem.path.startswith(RESERVED + b"/") for _, problem in self._known)
        self.skipped = self.spared = 0
        self.undone: set[bytes] = set()
        """Paths of what was skipped."""

    def renumber(self, before: Sequence[int], now: Sequence[int]) -> None:
        """Call replicas by their places in `now`, no longer by those in `before`: both are the numbers of who is there.
        Of who is there no more nothing is told again."""
        places = {before.index(number): own for own, number in enumerate(now) if number in before}
        self.changed = {places[each] for each in self.changed if each in places}
        self.returned = Counter({places[each]: n for each, n in self.returned.items() if each in places})

    def spend(self, session: Session) -> None:
        """Count what an attempt cost, at its end."""
        self.sent_bytes += session.sent_bytes
        self.received_bytes += session.received_bytes
        self.round_trips += session.round_trips

    def add(self, outcome: Outcome, read_only: frozenset[int]) -> None:
        """Count what one pass over one window came to; nothing is ever done on replicas that are `read_only`."""
        self.problems += len(set(outcome.problems) - self._known)
        self._told |= {(number, problem.path) for number, problem in outcome.problems}
        self.changed |= {number for number, flags in enumerate(outcome.done[outcome.step]) if any(flags)}
        self.skipped += outcome.skipped
        if outcome.skipped and len(self.undone) <= MOST_HINTS:
            self.undone.update(outcome.undone(read_only))
        self.spared += outcome.spared
        self._stand((path, Why.FILTERED) for path in outcome.barred)
        self.copies += len(outcome.kept)
        self.literal_bytes += outcome.literal_bytes
        self.reused_bytes += outcome.reused_bytes
        if outcome.step is Pass.PUT:
            self._count(outcome)

    def is_news(self, event: Event) -> bool:
        """Whether it is anything but trouble that was told of when the replicas were scanned."""
        return not isinstance(event, Troubled) or (event.replica, event.problem) not in self._known

    def look_again(self, scans: Sequence[Scanned]) -> list[tuple[int, Problem]]:
        """Trouble with further paths, which came up at the end, when everything was looked at again."""
        found = [(number, problem) for number, scanned in enumerate(scans) for problem in scanned.problems]
        fresh = [(number, each) for number, each in found if (number, each.path) not in self._told]
        damaged = [problem.reason for _, problem in fresh if problem.is_damage]
        self.rot, self.suspects = self.rot + damaged.count(ROT), self.suspects + damaged.count(SUSPECT)
        failed = sum(problem.is_failure for _, problem in fresh)
        self.problems, self.folded = self.problems + failed, self.folded + len(fresh) - len(damaged) - failed
        return fresh

    def _count(self, outcome: Outcome) -> None:
        # What gave way to something that was moved to its path is no delete: the path lives on.
        self.acts.update(act for act in _done(outcome, Pass.MOVE) if act is not Act.DELETE)
        for step in (Pass.DELETE, Pass.PUT):
            self.acts.update(_done(outcome, step))
        if outcome.grown is not None:
            self.acts.update(dict(outcome.grown.acts()))
        steps = outcome.window.plan.steps
        self.copies += sum(step.action == "conflict_copy" for step in steps)
        moves = (step for step in steps if step.action == Act.MOVE.value)
        self.moved += sum(
            outcome.is_done(*each) for step in moves for each in zip(step.receivers, step.places, strict=True)
        )
        for each in steps:
            if each.reason == RETURNED:
                pairs = zip(each.receivers, each.places, strict=True)
                self.returned.update(replica for replica, place in pairs if outcome.is_done(replica, place))
        self._count_standing(outcome.window.decisions)

    def _count_standing(self, decisions: Sequence[Decision]) -> None:
        self._stand((each.path, each.verdict.why) for each in decisions if isinstance(each.verdict, Stand))

    def _stand(self, paths: Iterable[tuple[RelPath, Why]]) -> None:
        for path, why in paths:
            self.reasons[why] += 1
            if why not in _ELSEWHERE and len(self.stood) < MOST:
                self.stood.append(StandingPath(path, why is Why.SUSPECT))

    @property
    def standing(self) -> int:
        """Paths that are left standing, suspects among them."""
        return sum(count for why, count in self.reasons.items() if why not in _ELSEWHERE)

    @property
    def are_paths_unclear(self) -> bool:
        """Whether there was trouble with the tree; what is damaged of our own says nothing of that."""
        return self.problems > self._own

    @property
    def damaged(self) -> int:
        """Files that are not as they were recorded, on all replicas together."""
        return self.rot + self.suspects


def is_troubled(tally: Tally) -> bool:
    """Whether anything was not done that was to be."""
    return bool(tally.problems or tally.damaged or tally.folded or tally.standing or tally.skipped)


def is_complete(tally: Tally, found: Survey, scans: Sequence[Scanned]) -> bool:
    """Whether all replicas have now seen all that any of them knew, and done it: whoever keeps what others deleted
    (`--no-delete`, or a directory for what is left out in it) still needs their tombstones, without which it would be new."""
    partial = tally.reasons[Why.KEPT] or tally.spared or any(scanned.excluded for scanned in scans)
    return not partial and not any(map(len, found.unknown))


def sighting(tally: Tally, found: Survey, attending: Attending, *, late: bool) -> Sighting:
    """What the run left standing, and where it could not tell."""
    told = (problem.path for scanned in found.scans for problem in scanned.problems)
    blind = {*told, *(path for own in found.unknown for path in own)}
    is_complete = not late and not attending.lost and len(blind) <= _MOST_BLIND
    return Sighting(tuple(tally.stood), tuple(sorted(blind)[:_MOST_BLIND]), is_complete)


def _done(outcome: Outcome, step: Pass) -> Iterator[Act]:
    """What was done in one pass."""
    for actions, flags in zip(outcome.window.plan.of(step), outcome.done[step], strict=True):
        yield from (action.act for action, done in zip(actions, flags, strict=True) if done)


def summary(
    attending: Attending,
    decided: Decided,
    tally: Tally,
    scans: Sequence[Scanned],
    request: RepairRequest,
    elapsed_s: float,
    *,
    late: bool,
) -> Summary:
    """The last event; `scans` are how the replicas are now, `late` says that the time was up before all was done."""
    session = attending.session
    equal = not attending.lost and not tally.are_paths_unclear and agree(session, decided.survey, scans)
    alike, standing = tally.reasons[Why.SUSPECT], tally.standing
    pending = request.dry_run and not decided.is_empty
    causes = _causes(attending, tally, settled=equal or pending, late=late)
    keeping = append_only(session)
    return Summary(
        exit_code=7 if attending.lost else 4 if _PARTLY.intersection(causes) else 1 if causes else 0,
        causes=causes,
        run=session.run,
        dry_run=request.dry_run,
        equal=equal,
        roots=tuple(scanned.root for scanned in scans),
        entries=tuple(scanned.entries for scanned in scans),
        differences=decided.differences,
        conflicts=tally.copies + standing - alike,
        suspects=alike + tally.suspects,
        rot=tally.rot,
        problems=tally.problems,
        copied_files=tally.acts[Act.CREATE] + tally.acts[Act.COPY],
        replaced_files=tally.acts[Act.COPY],
        deleted=tally.acts[Act.DELETE],
        moved=tally.moved,
        metadata=tally.acts[Act.METADATA],
        skipped=tally.skipped,
        sent_bytes=tally.sent_bytes + session.sent_bytes,
        received_bytes=tally.received_bytes + session.received_bytes,
        round_trips=tally.round_trips + session.round_trips,
        literal_bytes=tally.literal_bytes,
        reused_bytes=tally.reused_bytes,
        verified=not tally.are_paths_unclear,
        keeps_trash=request.writing.keeps_trash or (bool(tally.changed) and tally.changed <= {*keeping}),
        elapsed_s=elapsed_s,
        caveats=() if request.dry_run else tuple(_caveats(session, tally)),
        append_only=keeping,
        undone=frozenset(tally.undone),
    )


def _caveats(session: Session, tally: Tally) -> Iterator[tuple[int, str]]:
    for number in sorted(tally.changed):
        yield from ((number, caveat) for caveat in session.opened[number].caveats)


def _causes(attending: Attending, tally: Tally, *, settled: bool, late: bool) -> tuple[str, ...]:
    """Why the exit code is not 0; `settled`: the replicas agree, or would if this were no rehearsal."""
    suspects, standing = tally.reasons[Why.SUSPECT], tally.standing
    refused = tally.skipped and attending.read_only
    # Not known on some replica, or kept, by the user's wish, or kept for the sake of what filters leave out.
    excused = tally.reasons[Why.UNKNOWN] or tally.reasons[Why.KEPT] or tally.spared or refused or attending.lost
    excused = excused or tally.damaged or tally.folded
    words = (
        ("problems", tally.problems),
        ("conflicts", tally.copies),
        ("rot", tally.rot),
        ("suspects", suspects + tally.suspects),
        ("read-only", refused),
        ("lost", attending.lost),
        ("left standing", standing > suspects or tally.folded),
        ("max duration", late),
        ("still different", not (settled or tally.problems or excused or standing or late)),
    )
    return tuple(word for word, is_cause in words if is_cause)
