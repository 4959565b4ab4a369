"""`repair`: survey, decide, bring the bytes, apply, look again.

Nothing is changed anywhere before all guards have passed and all content is staged; each step of the plan is reported
as it turned out.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from aefsync.core.action import Act, Action, Applied, KeptCopy
from aefsync.core.path import RelPath
from aefsync.core.plan import Plan, Step
from aefsync.core.ports import Access, Missing, Monitor, Phase, Scanned
from aefsync.core.problem import Problem
from aefsync.core.verdict import Why
from aefsync.core.view import View
from aefsync.sync.child import Nursery
from aefsync.sync.decide import Decided, decide
from aefsync.sync.events import Acted, Conflicted, Event, Notice, Started, Summary, Troubled
from aefsync.sync.request import RepairRequest
from aefsync.sync.session import Session, Terms, open_session
from aefsync.sync.survey import observations, survey
from aefsync.sync.transfer import transfer

BATCH = 512
"""Actions in one request."""


class Outcome(NamedTuple):
    """How the plan turned out: for each replica, which of its actions were carried out."""

    done: tuple[tuple[bool, ...], ...]
    problems: tuple[tuple[int, Problem], ...]
    kept: tuple[Conflicted, ...]
    literal_bytes: int
    scans: tuple[Scanned, ...]


def repair(request: RepairRequest, monitor: Monitor, nursery: Nursery | None = None) -> Iterator[Event]:
    """Make replicas agree; exit codes as in CLI.md."""
    begun = time.monotonic()
    common = request.common
    yield Started("repair", common.locations)
    terms = _terms(request)
    with open_session(common.locations, terms, common.cache_dir, monitor, nursery=nursery, link=common.link) as session:
        yield from _created(session)
        found = survey(session, common, View.FULL)
        yield from observations(found)
        decided = decide(session, found, request)
        yield from _standing(decided)
        if request.dry_run:
            done = tuple((True,) * len(own) for own in decided.plan.actions)
            outcome = Outcome(done, (), (), 0, decided.survey.scans)
        else:
            outcome = _carry_out(session, decided, monitor)
        yield from (Troubled(replica, problem) for replica, problem in outcome.problems)
        yield from _steps(decided.plan, outcome)
        yield from outcome.kept
        yield _summary(session, decided, outcome, request, time.monotonic() - begun)


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


def _created(session: Session) -> Iterator[Event]:
    for location, opened in zip(session.locations, session.opened, strict=True):
        if opened.created:
            yield Notice(f"{location.text}: created")


def _standing(decided: Decided) -> Iterator[Event]:
    for decision in decided.standing:
        why = getattr(decision.verdict, "why", None)
        yield Conflicted(decision.path, "skip", None, None, str(why))


def _carry_out(session: Session, decided: Decided, monitor: Monitor) -> Outcome:
    """Bring what is needed, apply, look again."""
    plan = decided.plan
    transferred = transfer(session, plan.transfers, monitor)
    applied = session.each(lambda i, _: _apply(session, i, plan.actions[i], transferred.failed[i], monitor))
    scans: list[Scanned] = list(decided.survey.scans)
    if not plan.is_empty or any(scanned.unread_files for scanned in scans):
        scans = session.each(lambda number, replica: replica.record())
    problems = list(transferred.problems)
    known = decided.survey.scans
    problems += [(i, each) for i, now in enumerate(scans) for each in now.problems if each not in known[i].problems]
    problems += [(number, problem) for number, own in enumerate(applied) for problem in own.problems]
    kept = [
        Conflicted(copy.path, "keep-both", number, copy.kept_as, "edited during the run")
        for number, own in enumerate(applied)
        for copy in own.kept
    ]
    done = tuple(own.done for own in applied)
    return Outcome(done, tuple(problems), tuple(kept), transferred.literal_bytes, tuple(scans))


def _apply(
    session: Session, number: int, actions: Sequence[Action], failed: frozenset[RelPath], monitor: Monitor
) -> Applied:
    """Apply a replica's actions in batches, without those whose content did not arrive."""
    done: list[bool] = []
    problems: list[Problem] = []
    kept: list[KeptCopy] = []
    for start in range(0, len(actions), BATCH):
        batch = actions[start : start + BATCH]
        able = [not (action.act in (Act.CREATE, Act.COPY) and action.path in failed) for action in batch]
        result = session.replicas[number].apply([a for a, ok in zip(batch, able, strict=True) if ok])
        outcomes = iter(result.done)
        done += [ok and next(outcomes) for ok in able]
        problems += result.problems
        kept += result.kept
        monitor.progress(number, Phase.APPLY, start + len(batch), len(actions))
    return Applied(tuple(done), tuple(problems), tuple(kept))


def _steps(plan: Plan, outcome: Outcome) -> Iterator[Event]:
    """What was done (or would be), step by step, in path order."""
    for step in sorted(plan.steps, key=lambda step: step.path.key):
        to = tuple(r for r, at in zip(step.receivers, step.positions, strict=True) if outcome.done[r][at])
        if to:
            yield _acted(step, to)
            if step.action == "conflict_copy" and step.old is not None:
                yield Conflicted(step.old, "keep-both", None, step.path, "a directory is in its place")


def _acted(step: Step, to: tuple[int, ...]) -> Acted:
    return Acted(step.action, step.path, step.origin, to, step.size, step.reason, step.old, step.is_directory)


def _summary(session: Session, decided: Decided, outcome: Outcome, request: RepairRequest, elapsed_s: float) -> Summary:
    plan, scans = decided.plan, outcome.scans
    counts = _count(plan, outcome)
    copies = sum(1 for step in plan.steps if step.action == "conflict_copy") + len(outcome.kept)
    suspects = sum(1 for each in decided.standing if getattr(each.verdict, "why", None) is Why.SUSPECT)
    scan_problems = {(i, problem) for i, scanned in enumerate(decided.survey.scans) for problem in scanned.problems}
    problems = len(scan_problems | set(outcome.problems))
    skipped = sum(not ok for own in outcome.done for ok in own)
    equal = len({scanned.root for scanned in scans}) == 1 and not problems
    # Not known on some replica, by the user's wish, or kept for the sake of what filters leave out.
    excused = decided.unknown or (skipped and not outcome.problems)
    pending = request.dry_run and not plan.is_empty
    causes = [
        word
        for word, is_cause in (
            ("problems", problems),
            ("conflicts", copies),
            ("suspects", suspects),
            ("left standing", len(decided.standing) > suspects),
            ("still different", not (equal or pending or problems or excused or decided.standing)),
        )
        if is_cause
    ]
    return Summary(
        exit_code=4 if "problems" in causes or "still different" in causes else 1 if causes else 0,
        causes=tuple(causes),
        run=session.run,
        dry_run=request.dry_run,
        equal=equal,
        roots=tuple(scanned.root for scanned in scans),
        entries=tuple(scanned.entries for scanned in scans),
        differences=decided.differences,
        conflicts=copies + len(decided.standing) - suspects,
        suspects=suspects,
        problems=problems,
        skipped=skipped,
        sent_bytes=session.sent_bytes,
        received_bytes=session.received_bytes,
        round_trips=session.round_trips,
        literal_bytes=outcome.literal_bytes,
        verified=not problems,
        elapsed_s=elapsed_s,
        **counts,
    )


def _count(plan: Plan, outcome: Outcome) -> dict[str, int]:
    """How many actions of each sort were done, over all replicas."""
    pairs = zip(plan.actions, outcome.done, strict=True)
    acts = [action.act for own, done in pairs for action, ok in zip(own, done, strict=True) if ok]
    return {
        "copied_files": acts.count(Act.CREATE) + acts.count(Act.COPY),
        "replaced_files": acts.count(Act.COPY),
        "deleted": acts.count(Act.DELETE),
        "moved": sum(step.action == Act.MOVE.value for step in plan.steps),
        "metadata": acts.count(Act.METADATA),
    }
