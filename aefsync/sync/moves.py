"""Moves, found for all replicas at once: each is asked what may move along with its directories."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from aefsync.core.differences import Differences
from aefsync.core.moves import Moves, find_moves
from aefsync.core.plan import Plan
from aefsync.core.ports import Replica
from aefsync.core.reconcile import Decisions
from aefsync.core.relocated import OwnFates, outlook, plan_of, relocated
from aefsync.core.renamed import Rename
from aefsync.sync.session import Session
from aefsync.sync.survey import Survey

ASKED = 4096
"""Renames in one question."""


class Relocation(NamedTuple):
    """The moves of all replicas, and what is left to be decided after them."""

    plan: Plan
    differences: Differences


def relocate(session: Session, survey: Survey, decisions: Decisions) -> Relocation | None:
    """What can be moved where all shall be as the first replica is; `None` if that is nothing."""
    ahead = outlook(decisions, survey.unknown)
    if not ahead.goes:
        return None

    def find(number: int, replica: Replica) -> Moves | None:
        if number not in ahead.goes:
            return None
        return find_moves(OwnFates(decisions, number), ahead.barred, lambda renames: _movable(replica, renames))

    found = session.each(find)
    moves = {number: own for number, own in enumerate(found) if own is not None and own.actions}
    if not moves:
        return None
    replicas = len(session.replicas)
    return Relocation(plan_of(moves, replicas), relocated(decisions, moves, replicas, survey.view))


def _movable(replica: Replica, renames: Sequence[Rename]) -> list[bool]:
    starts = range(0, len(renames), ASKED)
    return [told for start in starts for told in replica.movable(renames[start : start + ASKED])]
