"""The last event: what every command tells of its session, and what the counts of those that compare nothing say of how
it went."""

from __future__ import annotations

import time
from typing import Any

from aefsync.sync.events import Summary
from aefsync.sync.session import Session


def concluded(
    session: Session,
    begun: float,
    *,
    standing: str = "",
    problems: int = 0,
    lost: bool = False,
    dry_run: bool = False,
    **counts: Any,
) -> Summary:
    """The summary of a command begun at that time of the monotonic clock; `standing`: what a person has to look at, `lost`:
    a replica was lost midway, and the others are done."""
    return told_of(
        session,
        begun,
        exit_code=7 if lost else 4 if problems else 1 if standing else 0,
        causes=tuple(filter(None, ("problems" if problems else "", standing, "lost" if lost else ""))),
        dry_run=dry_run,
        equal=True,
        problems=problems,
        verified=False,
        append_only=append_only(session),
        **counts,
    )


def told_of(session: Session, begun: float, **found: Any) -> Summary:
    """A summary of what was `found`, by its fields, with which run it was and what it cost."""
    return Summary(
        run=session.run,
        sent_bytes=session.sent_bytes,
        received_bytes=session.received_bytes,
        round_trips=session.round_trips,
        elapsed_s=time.monotonic() - begun,
        **found,
    )


def append_only(session: Session) -> tuple[int, ...]:
    """The replicas that keep all that gives way."""
    return tuple(number for number, opened in enumerate(session.opened) if opened.append_only)
