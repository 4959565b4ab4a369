"""Conflict copies that are too many once a run has kept more, found in the snapshots of all replicas."""

from __future__ import annotations

from collections.abc import Collection

from aefsync.core.differences import Differences
from aefsync.core.path import RelPath
from aefsync.core.surplus import Surplus, surplus
from aefsync.core.verdict import Rules
from aefsync.sync.copies import search_copies
from aefsync.sync.session import Session


def find_surplus(session: Session, kept: Collection[RelPath], differences: Differences, rules: Rules) -> list[Surplus]:
    """What goes where these copies are kept; nobody is asked where none are, or where nothing may be deleted."""
    if not kept or rules.policies is None or rules.no_delete:
        return []
    return surplus(kept, session.each(lambda _, replica: list(search_copies(replica))), differences, rules)
