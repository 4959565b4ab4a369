"""Accepting: suspects that a rule of the user's takes for edits become edits, before anything is decided about them."""

from __future__ import annotations

from collections.abc import Sequence

from aefsync.core.path import RelPath
from aefsync.core.policy import Policies, edits_of
from aefsync.core.ports import Scanned
from aefsync.core.problem import SUSPECT
from aefsync.core.rot import Scrub
from aefsync.sync.session import Session


def accept(session: Session, scans: Sequence[Scanned], policies: Policies) -> bool:
    """Whether there were any: then everything has to be looked at again."""
    edits = edits_of(policies.rules)
    found = [[each.path for each in scanned.problems if each.reason == SUSPECT] for scanned in scans]
    chosen = [tuple(path for path in map(RelPath, own) if edits.fits(path)) for own in found]
    chosen = [() if opened.read_only else own for own, opened in zip(chosen, session.opened, strict=True)]
    session.each(lambda number, replica: chosen[number] and replica.scrub(Scrub(files=0, accepted=chosen[number])))
    return any(chosen)
