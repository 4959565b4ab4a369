"""Reopening: where the undoing of a run takes away the copy of a conflict's loser, the winner is an edit of this replica.

That run did not touch the winner here, so the undo has nothing to put back at its path.  But its version follows those
of all replicas by then: whoever takes the run back elsewhere, too, and has his own edit again, would overwrite it.  With
a dot of its own it is concurrent with that, as it was before the run.
"""

from __future__ import annotations

from collections.abc import Collection

from aefsync.core.action import Act, Action
from aefsync.core.conflict_name import original_name
from aefsync.core.entry import Kind
from aefsync.core.path import RelPath
from aefsync.core.ports import Scan
from aefsync.core.version import FOUND, Version, explicit, minted
from aefsync.sync.locating import locate, positions
from aefsync.sync.request import Request
from aefsync.sync.session import Session
from aefsync.sync.survey import scan_of


def original_of(path: RelPath) -> RelPath | None:
    """The path of which this is a conflict copy; `None` where it is none."""
    original = path.sibling(original_name(path.name))
    return original if original != path else None


def reopen(session: Session, common: Request, number: int, paths: Collection[RelPath]) -> None:
    """Have what a replica that remembers has at these paths count as edited there (what the undo has put back does)."""
    if not paths or session.opened[number].standing is None:
        return
    replica = session.replicas[number]
    scan = Scan(paths=tuple(paths), mounts=None, aspects=scan_of(session, common).aspects, versions=True)
    session.call(number, lambda _, replica: replica.scan(scan))
    replica.read_unread((), positions(replica, paths))
    found = [entry for entry in locate(replica, paths).values() if entry.kind is not Kind.DIRECTORY and entry.is_read]
    if not found:
        return
    dot = replica.mint()
    actions = []
    for entry in found:
        vector = minted(explicit(entry.version or FOUND, entry), dot)
        actions.append(Action(Act.RECORD, entry.path, entry._replace(version=Version(vector, dot.author)), entry))
    for _ in session.apply(number, actions):
        pass
    session.call(number, lambda _, replica: replica.record())
