"""Telling: what a repair has to say of each step, and of the replicas themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial

from aefsync.core.entry import Kind
from aefsync.core.members import Members, State
from aefsync.core.path import RelPath
from aefsync.core.ports import Opened, Scanned
from aefsync.core.step import Pass, Step
from aefsync.core.verdict import Decision, KeepBoth, Why, at
from aefsync.sync.decide import SKEW_NS
from aefsync.sync.events import Acted, Begun, Conflicted, Event, Grew, LeftUndone, Notice, Troubled, made
from aefsync.sync.growing import Grown
from aefsync.sync.outcome import is_standing
from aefsync.sync.passes import Outcome
from aefsync.sync.session import Session


def created(session: Session) -> Iterator[Event]:
    """The roots that had to be made."""
    for location, opened in zip(session.locations, session.opened, strict=True):
        if opened.created:
            instead = f"; {opened.instead}" if opened.instead else ""
            yield Notice(f"{location.text}: created{instead}", warning=bool(instead))


def restored(session: Session, scans: Sequence[Scanned]) -> Iterator[Event]:
    """Replicas that are an older state of what the others know them as."""
    for location, scanned in zip(session.locations, scans, strict=True):
        if scanned.restored:
            text = "was restored from an older state: what it has since counts as new, and replaces nothing unseen"
            yield Notice(f"{location.text}: {text}", warning=True)


def bereft(session: Session, members: Members) -> Iterator[Event]:
    """Replicas that the others know though they know of nothing themselves; of a damaged history there is a problem to
    tell, and where nothing may be written none is kept."""
    known = {each.id for each in members}
    for location, opened in zip(session.locations, session.opened, strict=True):
        if opened.standing is None and opened.identity in known and not (opened.unreadable or opened.read_only):
            text = "it joins as a new replica, and nothing tells any more what was edited or deleted there"
            yield Notice(f"{location.text}: its history is gone (.aefsync/sidecar.db): {text}", warning=True)


def guests(session: Session, members: Members) -> Iterator[Event]:
    """Replicas that have left: they agree with the others now, and nobody waits for them to do so again."""
    left = {each.id for each in members if each.state is State.LEFT}
    for location, opened in zip(session.locations, session.opened, strict=True):
        if opened.identity in left:
            yield Notice(f"{location.text}: has left its group; aefsync init {location.text} takes it in again")


def begun(before: Iterable[Opened], now: Iterable[Opened]) -> Iterator[Event]:
    """The replicas whose history starts with this run."""
    pairs = enumerate(zip(before, now, strict=True))
    fresh = tuple(number for number, (then, opened) in pairs if opened.seen_before and not then.seen_before)
    if fresh:
        yield Begun(fresh)


def skewed(session: Session) -> Iterator[Event]:
    """Clocks that differ so much that the newest version may not be the last one."""
    for location, ahead_ns in zip(session.locations, session.clocks_ahead_ns, strict=True):
        if abs(ahead_ns) > SKEW_NS:
            direction = "ahead" if ahead_ns > 0 else "behind"
            yield Notice(f"{location.text}: its clock is {abs(ahead_ns) // 10**9} s {direction}", warning=True)


def quarantined(session: Session, returned: Mapping[int, int], dry_run: bool) -> Iterator[Event]:  # noqa: FBT001
    """What replicas that were away for long, are restored or were forgotten had alone, and have no more."""
    for number, count in sorted(returned.items()):
        text = session.locations[number].text
        what = "1 entry" if count == 1 else f"{count} entries"
        goes = "would go" if dry_run else "went"
        late = "what it alone had of old was deleted by the others meanwhile"
        yield Notice(f"{text}: {late}: {what} {goes} to quarantine (aefsync trash ROOT list)", warning=True)


def told(outcome: Outcome, read_only: frozenset[int]) -> Iterator[Event]:
    """What a pass over a window has to say: problems, then, if it is PUT, its steps and what stands, in key order."""
    yield from (Troubled(replica, problem) for replica, problem in outcome.problems)
    if outcome.step is Pass.PUT:
        if outcome.grown is not None:
            yield from _grew(outcome, outcome.grown, partial(_step, outcome, read_only))
        else:
            steps: list[Step | Decision] = [*outcome.window.plan.steps, *filter(is_standing, outcome.window.decisions)]
            for each in sorted(steps, key=lambda each: each.path.key):
                yield from _step(outcome, read_only, each) if isinstance(each, Step) else _stands(each)
    yield from (Conflicted(path, "skip", None, None, str(Why.FILTERED)) for path in outcome.barred)
    for replica, copy in outcome.kept:
        yield Conflicted(copy.path, "keep-both", replica, copy.kept_as, "edited during the run")


def _stands(decision: Decision) -> Iterator[Event]:
    yield Conflicted(decision.path, "skip", None, None, str(getattr(decision.verdict, "why", "")))


def _grew(outcome: Outcome, grown: Grown, tell: Callable[[Step, tuple[int, ...]], Iterator[Event]]) -> Iterator[Event]:
    """What came by columns, and what came entry by entry: one event a path, whichever way its receivers got it."""
    found = grown.found
    if grown.is_whole:
        yield Grew(found.growth, found.holder, tuple(n for n, flags in enumerate(grown.flags) if flags), found.reason)
        return
    steps = {step.path: step for step in outcome.window.plan.steps}
    for entry, to in grown.arrived():
        step = steps.get(entry.path)
        if step is not None:
            yield from tell(step, to)
        elif to:
            yield made(entry, found.holder, to, found.reason)


def _step(outcome: Outcome, read_only: frozenset[int], step: Step, others: tuple[int, ...] = ()) -> Iterator[Event]:
    """What was done (or would be), on `others` already, and what a replica does not let be done."""
    places = zip(step.receivers, step.places, strict=True)
    to = tuple(sorted([*others, *(replica for replica, place in places if outcome.is_done(replica, place))]))
    refused = tuple(replica for replica in step.receivers if replica in read_only)
    if refused:
        yield LeftUndone(step.action, step.path, refused)
    if to:
        yield Acted(step.action, step.path, step.origin, to, *step[5:])
        if step.action == "conflict_copy" and step.old is not None:
            yield _kept_both(outcome, step.old, step.path)


def _kept_both(outcome: Outcome, path: RelPath, kept_as: RelPath) -> Conflicted:
    """A conflict of which both versions are kept."""
    verdicts = ((each.entries, each.verdict) for each in outcome.window.decisions if each.path == path)
    for entries, verdict in verdicts:
        if isinstance(verdict, KeepBoth) and at(entries, verdict.winner).kind is not Kind.DIRECTORY:
            return Conflicted(path, "keep-both", verdict.winner, kept_as, "edited on several replicas")
    return Conflicted(path, "keep-both", None, kept_as, "a directory is in its place")
