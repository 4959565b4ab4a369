"""Gauging: how things stand at the end of a run, for a file of figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aefsync.core.copies import grouped
from aefsync.core.members import State
from aefsync.sync.attending import Attending
from aefsync.sync.copies import search_copies
from aefsync.sync.events import Gauges
from aefsync.sync.outcome import Tally
from aefsync.sync.past import Past

if TYPE_CHECKING:
    from aefsync.core.path import RelPath
    from aefsync.wire.remote import RemoteReplica


def gauged(attending: Attending, past: Past | None, tally: Tally, *, sees_all: bool) -> Gauges:
    """What the replicas that are still there say, of which the run looked at everything or at a part; of members, and of
    what runs before it left standing, only what its past says."""
    spaces = attending.each(lambda _, replica: replica.space(), lambda _: ())
    active = [each for each in past.members if each.state is State.ACTIVE] if past is not None else []
    # One copy is on all replicas.
    copies = frozenset().union(*attending.each(lambda _, replica: _copies(replica), lambda _: frozenset()))
    left = max(tally.standing, sum(past.left[:2]) if past is not None else 0)
    return Gauges(
        sum(space.trash_bytes for each in spaces for space in each),
        tuple((member.name or member.id[:8], member.last_s) for member in active),
        len(copies),
        left + tally.suspects,
        sees_all and not attending.lost,
    )


def _copies(replica: RemoteReplica) -> frozenset[RelPath]:
    """The conflict copies of what the replica was scanned for."""
    return frozenset(each.path for copies in grouped(search_copies(replica)).values() for each in copies)
