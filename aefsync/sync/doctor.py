"""`doctor`: says step by step what works at a location, what does not, and the remedy."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

from aefsync.core.finding import Finding, State
from aefsync.errors import UsageError
from aefsync.sync.admission import key_of_path
from aefsync.sync.events import Event, Examined, Started, Summary
from aefsync.sync.known import KnownRoots
from aefsync.sync.location import parse
from aefsync.sync.session import new_run


def doctor(text: str, state_dir: str) -> Iterator[Event]:
    """Examine a location; exit code 0 all is well, 3 no run could do anything, 4 some would be left undone."""
    from aefsync.disk.examining import examine

    begun = time.monotonic()
    location = parse(text)
    if location.login is not None:
        raise UsageError(f"{text}: doctor looks at directories of this machine; run it on {location.login}")
    yield Started("doctor", (text,))
    troubles: list[Finding] = []
    for finding in (*examine(location.path), *_remembered(location.path, state_dir)):
        yield Examined(finding)
        if finding.state is State.TROUBLE:
            troubles.append(finding)
    is_fatal = any(finding.step in ("root", "reading") for finding in troubles)
    yield Summary(
        exit_code=3 if is_fatal else 4 if troubles else 0,
        causes=tuple(finding.step for finding in troubles),
        run=new_run(),
        dry_run=False,
        equal=True,
        roots=(),
        entries=(),
        problems=len(troubles),
        verified=False,
        elapsed_s=time.monotonic() - begun,
    )


def _remembered(path: bytes, state_dir: str) -> Iterator[Finding]:
    """What the last run from here found at this place."""
    from aefsync.disk.opening import identity_at

    place = os.path.realpath(path)
    known = KnownRoots(state_dir).load().get(key_of_path(place))
    if known is None:
        yield Finding("memory of runs", State.FINE, "no run from here has seen this root")
    elif known.identity and known.identity != identity_at(place):
        text = f"the last run from here saw another replica, {known.identity[:8]}"
        yield Finding("memory of runs", State.TROUBLE, text, "mount the right disk, or --allow-new-root")
    else:
        yield Finding("memory of runs", State.FINE, "as the last run from here saw it")
