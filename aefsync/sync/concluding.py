"""The last event of commands that are no comparison: what their counts say of how it went."""

from __future__ import annotations

import time
from typing import Any

from aefsync.sync.events import Summary
from aefsync.sync.session import Session


def concluded(
    session: Session, begun: float, *, standing: str = "", problems: int = 0, dry_run: bool = False, **counts: Any
) -> Summary:
    """The summary of a command begun at that time of the monotonic clock; `standing`: what a person has to look at."""
    causes = tuple(filter(None, ("problems" if problems else "", standing)))
    return Summary(
        exit_code=4 if problems else 1 if standing else 0,
        causes=causes,
        run=session.run,
        dry_run=dry_run,
        equal=True,
        roots=(),
        entries=(),
        problems=problems,
        sent_bytes=session.sent_bytes,
        received_bytes=session.received_bytes,
        round_trips=session.round_trips,
        verified=False,
        elapsed_s=time.monotonic() - begun,
        append_only=append_only(session),
        **counts,
    )


def append_only(session: Session) -> tuple[int, ...]:
    """The replicas that keep all that gives way."""
    return tuple(number for number, opened in enumerate(session.opened) if opened.append_only)
