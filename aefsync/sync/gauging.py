"""Gauging: how things stand at the end of a run, for a file of figures."""

from __future__ import annotations

from aefsync.core.members import State
from aefsync.sync.attending import Attending
from aefsync.sync.events import Gauges
from aefsync.sync.past import Past


def gauged(attending: Attending, past: Past | None) -> Gauges:
    """What the replicas that are still there say; of members only what the past of the run says."""
    spaces = attending.each(lambda _, replica: replica.space(), lambda _: ())
    active = [each for each in past.members if each.state is State.ACTIVE] if past is not None else []
    return Gauges(
        sum(space.trash_bytes for each in spaces for space in each),
        tuple((member.name or member.id[:8], member.last_s) for member in active),
    )
