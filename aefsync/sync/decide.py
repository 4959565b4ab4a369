"""From a survey to a plan: what is decided for each difference, judged by the guards before anything is changed.

One pass over the differences packs them; a second one adds up what the plan comes to, which is what the guards judge.
After that, windows of the plan can be had one at a time, in any order (`Decided.window`).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence

from aefsync.core.compare import Span
from aefsync.core.differences import KEPT, Differences
from aefsync.core.guards import mirror_of_empty, parse_max_delete, too_many_deletes, unrelated_roots
from aefsync.core.linked import NO_LINKS, Links, links
from aefsync.core.load import Load, load_of, load_of_growth, total
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.one_sided import OneSided
from aefsync.core.path import RelPath
from aefsync.core.plan import Plan, plan, plan_after
from aefsync.core.reconcile import Decisions, needs_content, reconcile
from aefsync.core.relocated import AfterMoves
from aefsync.core.settling import PREFERRED, settle
from aefsync.core.step import Transfer
from aefsync.core.stores import Folding, collisions
from aefsync.core.surplus import buried
from aefsync.core.verdict import Decision, Remove, Rules, Take, Versions, at
from aefsync.core.version import Dot
from aefsync.errors import GuardError, UsageError
from aefsync.sync.absence import appeared
from aefsync.sync.census import Census, take_census
from aefsync.sync.growing import Grown, nothing_grown
from aefsync.sync.locating import Finder
from aefsync.sync.merging import Merge, merges
from aefsync.sync.moves import relocate
from aefsync.sync.past import Past
from aefsync.sync.request import RepairRequest
from aefsync.sync.room import Room
from aefsync.sync.session import Session
from aefsync.sync.surplus import find_surplus
from aefsync.sync.survey import Survey, compare

SKEW_NS = 5_000_000_000
"""Clocks of hosts may be this far apart before a file counts as dated in the future."""


class Window(NamedTuple):
    """A part of what is to be done: decisions in key order, and the plan that was made of them.

    Where it is about what only one replica has, there are no decisions, and the plan is what follows when all others have
    it.
    """

    number: int
    decisions: Sequence[Decision]
    plan: Plan
    one_sided: OneSided | None = None


class Decided(NamedTuple):
    """What is to be done, and what is left standing; `loads` tell what each window's plan comes to.

    `moves`, if there are any, are the plan of the first window; the others are about what is left after that, as is how
    many paths each replica has `alone`.  `links` say which names are to be one file.
    """

    survey: Survey
    decisions: Decisions | AfterMoves
    loads: tuple[Load, ...]
    differences: int
    alone: tuple[int, ...]
    moves: Plan | None = None
    links: Links = NO_LINKS
    merges: tuple[Merge, ...] = ()
    """conflicts that a command is to settle, before anything else is done"""
    plans: tuple[Plan, ...] = ()
    """of the first few windows: most runs have no more, and each is looked at twice"""

    @property
    def replicas(self) -> int:
        return len(self.survey.scans)

    @property
    def load(self) -> Load:
        """What the whole plan comes to."""
        return total(self.loads, self.replicas)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to be done."""
        return not any(any(own) for own in self.load.actions)

    def window(self, number: int) -> Window:
        """One part of it, worked out anew but for the first few plans."""
        if self.moves is not None and number == 0:
            return Window(number, (), self.moves)
        own = number if self.moves is None else number - 1
        found = self.decisions.one_sided(own)
        if found is not None:
            return Window(number, (), plan_after(found, self.replicas), found)
        decisions = self.decisions.window(own)
        if number < len(self.plans):
            return Window(number, decisions, self.plans[number])
        return self._planned(number, decisions)

    def rest(self, number: int, grown: Grown) -> Window:
        """What is left to do in a window where not everybody has got what one replica has."""
        holder, reason = grown.found.holder, grown.found.reason
        lacking = ((path, versions, at(versions, holder).version) for path, versions in grown.lacking())
        return self._planned(number, [Decision(path, own, Take(holder, reason, each)) for path, own, each in lacking])

    def _planned(self, number: int, decisions: Sequence[Decision]) -> Window:
        return Window(number, decisions, plan(decisions, self.replicas, self.survey.aspects, self.links))

    def transfers(self, number: int) -> list[Transfer]:
        """All files that one part brings, one by one."""
        window = self.window(number)
        if window.one_sided is not None:
            window = self.rest(number, nothing_grown(window.one_sided, self.replicas))
        return [*window.plan.early, *window.plan.transfers]

    @property
    def windows(self) -> int:
        """How many parts it has."""
        return self.decisions.windows + (self.moves is not None)


def decide(session: Session, survey: Survey, request: RepairRequest, past: Past | None = None) -> Decided:
    """Reconcile all differences; raises `GuardError` where the plan must not be carried out."""
    latest_ns = time.time_ns() + max(0, *session.clocks_ahead_ns) + SKEW_NS
    rules = Rules(latest_ns, request.mirror, survey.aspects, request.no_delete)
    rules = rules._replace(policies=request.policies, preferred=request.preferred, above=survey.above)
    if past is not None:
        returned, shared = past.returned(survey.scans), past.shared(survey.scans)
        rules = rules._replace(returned=returned, shared=shared, watermark=past.watermark)
    _guard_roots(session, survey, request)
    room = Room(session, links=survey.aspects.links)
    if survey.selections:
        room.ask_ahead()
    census = take_census(session, survey, request)
    if not request.mirror:
        _guard_unrelated(session, survey, request, census.alone)
    if census.doubtful:
        spans = _unread(session, survey, needs_content(census.differences, rules))
        if any(spans):
            scans = session.each(lambda number, replica: replica.read_unread((), spans[number]))
            survey = compare(session, survey.view, scans, survey.aspects, survey.above)
            census = take_census(session, survey, request)
    rules = rules._replace(folded=_folded(census.differences, rules, survey.unknown))
    mint = (lambda: None) if past is None or request.dry_run else past.mint
    if rules.preferred and _has_edits(census.differences, rules):
        rules = rules._replace(dot=mint())
    decided = _decided(session, survey, census, rules, mint)
    if request.mirror:
        _guard_unrelated(session, survey, request, decided.alone)
    if survey.aspects.links:
        decided = decided._replace(links=links(decided.decisions, survey.aspects, survey.unknown))
    loads, plans = _looked_over(decided, room)
    decided = decided._replace(loads=loads, plans=plans, merges=tuple(merges(census.differences, rules)))
    _guard_deletes(session, decided, request)
    room.guard(request.min_free, map(decided.transfers, range(len(decided.loads))))
    return decided


def _has_edits(differences: Differences, rules: Rules) -> bool:
    """Whether a verdict is an edit, and so needs a dot."""
    verdicts = (settle(*each, rules) for each in differences)
    return any(isinstance(verdict, Take) and verdict.reason == PREFERRED for verdict in verdicts)


def _folded(differences: Differences, rules: Rules, unknown: Sequence[Collection[bytes]]) -> Collection[RelPath]:
    """The paths that cannot stand beside each other; what goes, or is gone, is in nobody's way."""
    folding = Folding(rules.aspects.folding)
    if not folding:
        return ()
    live = (path for path, entries, _ in differences if (entries[0] if rules.mirror else any(entries)))
    found = collisions(live, folding)
    if found and not rules.mirror:
        gone = {each.path for each in reconcile(differences, rules, unknown) if isinstance(each.verdict, Remove)}
        found = collisions(sorted(found - gone), folding)
    return found


def _decided(session: Session, survey: Survey, census: Census, rules: Rules, mint: Callable[[], Dot | None]) -> Decided:
    """Decide on all paths; where things may go, what a replica has already is moved first."""
    decisions = reconcile(census.differences, rules, survey.unknown)
    if goes := find_surplus(session, decisions.kept, census.differences, rules):
        rules = rules._replace(dot=rules.dot or mint())
        decisions = reconcile(census.differences, rules, survey.unknown, buried(goes, rules))
    if rules.mirror and census.absent:
        # By a name that folds with another, what was renamed is found, too.
        respelt = collisions((each.path for each in census.differences), Folding(rules.aspects.folding))
        rules = rules._replace(appeared=appeared(session, decisions) - respelt)
        decisions = reconcile(census.differences, rules, survey.unknown) if rules.appeared else decisions
    # Groups of names are known by a path, which a move would take away.
    may_move = rules.mirror or (rules.policies is not None and not rules.aspects.links)
    found = relocate(session, survey, decisions, rules) if may_move else None
    if found is None:
        return Decided(survey, decisions, (), len(census.differences), census.alone)
    alone = census.alone if found.differences is None else _alone(found.differences, len(census.alone))
    return Decided(survey, found.decisions, (), len(census.differences), alone, found.plan)


def _alone(differences: Differences, replicas: int) -> tuple[int, ...]:
    """How many paths each replica has that no other one has."""
    holders = Counter(holder for each in differences if (holder := _holder(each.entries)) is not None)
    return tuple(holders[number] for number in range(replicas))


def _holder(entries: Versions) -> int | None:
    """The only replica that has a path; `None` where there are several."""
    holders = [number for number, entry in enumerate(entries) if entry is not None]
    return holders[0] if len(holders) == 1 else None


def _looked_over(decided: Decided, room: Room) -> tuple[tuple[Load, ...], tuple[Plan, ...]]:
    """What each window comes to, and the plans of the first few."""
    loads: list[Load] = []
    plans: list[Plan] = []
    for number in range(decided.windows):
        window = decided.window(number)
        if number < KEPT:
            plans.append(window.plan)
        if window.one_sided is not None:
            room.grow(window.one_sided)
            loads.append(load_of_growth(window.one_sided, window.plan))
        else:
            room.add([*window.plan.early, *window.plan.transfers])
            loads.append(load_of(window.plan))
    return tuple(loads), tuple(plans)


def _unread(session: Session, survey: Survey, wanted: Iterable[tuple[int, bytes]]) -> list[list[Span]]:
    """For each replica, the positions in its snapshot of the files that must be read, whose paths are in key order."""
    finders = [Finder(replica, survey.view) for replica in session.replicas]
    for number, path in wanted:
        finders[number].add(path.replace(b"/", b"\0"))
    return [finder.finish() for finder in finders]


def _guard_roots(session: Session, survey: Survey, request: RepairRequest) -> None:
    roots = [location.text for location in session.locations]
    # Where sub-trees were chosen, one that A does not have is no empty root.
    is_chosen = bool(request.common.paths) and not session.opened[0].empty
    if request.mirror and not is_chosen and not request.common.allowed.empty_root:
        refusal = mirror_of_empty(roots, survey.entries)
        if refusal is not None:
            raise GuardError(refusal.message)


def _guard_unrelated(session: Session, survey: Survey, request: RepairRequest, alone: Sequence[int]) -> None:
    if request.allow_unrelated_roots or all(opened.seen_before for opened in session.opened):
        return
    roots = [location.text for location in session.locations]
    refusal = unrelated_roots(roots, survey.entries, alone)
    if refusal is not None:
        raise GuardError(refusal.message)


def _guard_deletes(session: Session, decided: Decided, request: RepairRequest) -> None:
    try:
        limit = parse_max_delete(request.max_delete)
    except ValueError as error:
        raise UsageError(f"--max-delete: {error}") from None
    entries, allowed = decided.survey.entries, request.common.allowed
    for location, deletes, own in zip(session.locations, decided.load.deletes, entries, strict=True):
        refusal = too_many_deletes(location.text, deletes, own, limit)
        if refusal is not None and not (request.mirror and allowed.empty_root and not entries[0]):
            raise GuardError(refusal.message)
