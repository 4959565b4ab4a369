"""Moves, found for all replicas at once: each is asked what may move along with its directories."""

from __future__ import annotations

from collections.abc import Sequence

from aefsync.core.differences import Differences
from aefsync.core.moves import Moves, find_moves
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.plan import Plan
from aefsync.core.ports import Replica
from aefsync.core.reconcile import Decisions, reconcile
from aefsync.core.relocated import AfterMoves, OwnFates, outlook, plan_of, relocated
from aefsync.core.renamed import Rename
from aefsync.core.verdict import Rules
from aefsync.sync.session import Session
from aefsync.sync.survey import Survey

ASKED = 4096
"""Renames in one question."""


class Relocation(NamedTuple):
    """The moves of all replicas, and the decisions on what is left after them; `differences` if there are other ones."""

    plan: Plan
    decisions: Decisions | AfterMoves
    differences: Differences | None = None


def relocate(session: Session, survey: Survey, decisions: Decisions, rules: Rules) -> Relocation | None:
    """What can be moved; `None` if that is nothing."""
    ahead = outlook(decisions, survey.unknown)
    if not ahead.move:
        return None

    def find(number: int, replica: Replica) -> Moves | None:
        if number not in ahead.move:
            return None
        fates = OwnFates(decisions, number, ahead.late.get(number, ()))
        return find_moves(fates, ahead.barred, lambda renames: _movable(replica, renames), decisions.aspects)

    found = session.each(find)
    moves = {number: own for number, own in enumerate(found) if own is not None and own.actions}
    if not moves:
        return None
    replicas = len(session.replicas)
    if not rules.mirror:
        return Relocation(plan_of(moves, replicas, decisions, "renamed"), AfterMoves(decisions, moves, replicas))
    differences = relocated(decisions, moves, replicas, survey.view)
    return Relocation(
        plan_of(moves, replicas, decisions, "mirror"), reconcile(differences, rules, survey.unknown), differences
    )


def _movable(replica: Replica, renames: Sequence[Rename]) -> list[bool]:
    starts = range(0, len(renames), ASKED)
    return [told for start in starts for told in replica.movable(renames[start : start + ASKED])]
