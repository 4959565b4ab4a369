"""From a survey to a plan: what is decided for each difference, judged by the guards before anything is changed."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

from aefsync.core.compare import Difference, Span
from aefsync.core.guards import mirror_of_empty, parse_max_delete, too_many_deletes, unrelated_roots
from aefsync.core.path import END
from aefsync.core.plan import Plan, plan
from aefsync.core.reconcile import needs_content, reconcile
from aefsync.core.tree import KeyRange, Question
from aefsync.core.verdict import Decision, Rules, Stand, Why
from aefsync.core.view import View
from aefsync.errors import GuardError, UsageError
from aefsync.sync.request import RepairRequest
from aefsync.sync.room import guard_space
from aefsync.sync.session import Session
from aefsync.sync.survey import Survey, compare

SKEW_NS = 5_000_000_000
"""Clocks of hosts may be this far apart before a file counts as dated in the future."""


class Decided(NamedTuple):
    """What is to be done, and what is left standing."""

    survey: Survey
    plan: Plan
    standing: tuple[Decision, ...]
    differences: int
    unknown: bool
    """whether paths had to be left out because some replica knows nothing of them"""


def decide(session: Session, survey: Survey, request: RepairRequest) -> Decided:
    """Reconcile all differences; raises `GuardError` where the plan must not be carried out."""
    rules = Rules(now_ns=max(opened.clock_ns for opened in session.opened) + SKEW_NS, mirror=request.mirror)
    _guard_roots(session, survey, request)
    differences = list(survey.differences(session))
    _guard_unrelated(session, survey, request, differences)
    wanted = needs_content(differences, rules)
    if wanted:
        keys = [[each.path.key for each in wanted if each.replica == number] for number in _numbers(session)]
        survey = _read(session, survey, keys)
        differences = list(survey.differences(session))
    decisions = reconcile(differences, rules, survey.unknown)
    decided = plan(decisions, len(session.replicas))
    _guard_deletes(session, survey, decided, request)
    guard_space(session, decided.transfers, request.min_free)
    standing = [each for each in decisions if isinstance(each.verdict, Stand) and each.verdict.why not in _ELSEWHERE]
    unknown = any(isinstance(each.verdict, Stand) and each.verdict.why is Why.UNKNOWN for each in decisions)
    return Decided(survey, decided, tuple(standing), len(differences), unknown)


_ELSEWHERE = (Why.UNKNOWN, Why.UNREAD)
"""Reasons that are reported as problems already."""


def _numbers(session: Session) -> range:
    return range(len(session.replicas))


def _read(session: Session, survey: Survey, keys: Sequence[Sequence[bytes]]) -> Survey:
    """Have single files read, found by key, and compare again."""
    spans = [_positions(session, number, own) for number, own in enumerate(keys)]
    scans = session.each(lambda number, replica: replica.read_unread((), spans[number]))
    return compare(session, survey.view, scans)


def _positions(session: Session, replica: int, keys: Sequence[bytes]) -> list[Span]:
    """Where entries stand in a replica's snapshot: the counts of the ranges that lie between them."""
    bounds = [b"", *(bound for key in keys for bound in (key, key + b"\0")), END]
    ranges = tuple(KeyRange(low, high) for low, high in itertools.pairwise(bounds))
    counts = session.replicas[replica].fingerprints(Question(View.QUICK, ranges, 0)).counts
    spans: list[Span] = []
    position = 0
    for number, count in enumerate(counts):
        if number % 2 and count:
            spans.append((position, position + count))
        position += count
    return spans


def _guard_roots(session: Session, survey: Survey, request: RepairRequest) -> None:
    roots = [location.text for location in session.locations]
    if request.mirror and not request.allow_empty_root:
        refusal = mirror_of_empty(roots, survey.entries)
        if refusal is not None:
            raise GuardError(refusal.message)


def _guard_unrelated(
    session: Session, survey: Survey, request: RepairRequest, differences: Sequence[Difference]
) -> None:
    if request.allow_unrelated_roots or all(opened.seen_before for opened in session.opened):
        return
    roots = [location.text for location in session.locations]
    alone = [sum(1 for each in differences if _is_alone(each, number)) for number in _numbers(session)]
    refusal = unrelated_roots(roots, survey.entries, alone)
    if refusal is not None:
        raise GuardError(refusal.message)


def _is_alone(difference: Difference, replica: int) -> bool:
    return difference.entries[replica] is not None and sum(entry is not None for entry in difference.entries) == 1


def _guard_deletes(session: Session, survey: Survey, decided: Plan, request: RepairRequest) -> None:
    try:
        limit = parse_max_delete(request.max_delete)
    except ValueError as error:
        raise UsageError(f"--max-delete: {error}") from None
    for location, deletes, entries in zip(session.locations, decided.deletes, survey.entries, strict=True):
        refusal = too_many_deletes(location.text, deletes, entries, limit)
        if refusal is not None and not (request.mirror and request.allow_empty_root and not survey.entries[0]):
            raise GuardError(refusal.message)
