"""`doctor`: says step by step what works at a location, what does not, and the remedy."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial

from aefsync import __version__
from aefsync.core.digest import KEY_SIZE
from aefsync.core.finding import Finding, State
from aefsync.core.ports import Access, Missing, Monitor, Open
from aefsync.core.run_id import id_of
from aefsync.errors import AefsyncError, RootError
from aefsync.sync.admission import key_of, key_of_path
from aefsync.sync.approaching import INSTALLED, PYTHON, SHELL, approach, at_the_shell, on_the_way
from aefsync.sync.child import Nursery
from aefsync.sync.connecting import connected, dial
from aefsync.sync.decide import SKEW_NS
from aefsync.sync.events import Event, Examined, Started, Summary
from aefsync.sync.known import KnownRoots
from aefsync.sync.location import Location, parse
from aefsync.wire.failures import Step
from aefsync.wire.login import Link, Login
from aefsync.wire.remote import RemoteReplica

AGENT, ROOT, SFTP = "agent", "root", "sftp"
_FATAL = {
    **dict.fromkeys((ROOT, "reading"), 3),
    **dict.fromkeys((SHELL, PYTHON, INSTALLED, AGENT, SFTP), 8),
    **{step.value: 7 for step in Step},
}
"""Exit codes of trouble with which no run could do anything."""
_PARTLY = 4


def doctor(text: str, state_dir: str, link: Link, monitor: Monitor) -> Iterator[Event]:
    """Examine a location; exit code 0 all is well, 3, 7 or 8 no run could do anything, 4 some would be left undone."""
    begun = time.monotonic()
    location, is_host = located(text)
    yield Started("doctor", (text,))
    known = KnownRoots(state_dir)
    if location.login is None:
        findings = _here(location.path, known)
    elif location.agentless:
        findings = _by_sftp(location, known, link, monitor)
    else:
        findings = _there(location, location.login, known, link, monitor, whole=not is_host)
    troubles: list[Finding] = []
    for finding in findings:
        yield Examined(finding)
        if finding.state is State.TROUBLE:
            troubles.append(finding)
    codes = [_FATAL.get(finding.step, _PARTLY) for finding in troubles]
    yield Summary(
        exit_code=next((code for code in (3, 8, 7, _PARTLY) if code in codes), 0),
        causes=tuple(finding.step for finding in troubles),
        run=id_of(datetime.now(UTC)),
        equal=True,
        problems=len(troubles),
        verified=False,
        elapsed_s=time.monotonic() - begun,
    )


def located(text: str) -> tuple[Location, bool]:
    """What is to be examined, and whether that is a host as such: a bare word that is nothing here."""
    is_host = bool(text) and not any(mark in text for mark in "/:") and not text.startswith((".", "@"))
    if is_host and not os.path.lexists(text):
        return parse(f"{text}:"), True
    return parse(text), False


def _here(path: bytes, known: KnownRoots) -> Iterator[Finding]:
    from aefsync.disk.examining import examine
    from aefsync.disk.opening import identity_at

    place = os.path.realpath(path)
    yield from examine(path)
    yield _remembered(known, key_of_path(place), identity_at(place))


def _there(
    location: Location, login: Login, known: KnownRoots, link: Link, monitor: Monitor, *, whole: bool
) -> Iterator[Finding]:
    """The way to a host, then what it has, then its agent, and by that, if `whole`, the root."""
    seen = approach(login, link)
    found = list(on_the_way(login, seen))
    if seen.far is not None:
        found += at_the_shell(login, seen.far, link)
    yield from found
    if not any(finding.state is State.TROUBLE for finding in found):
        stream = dial(login, link, partial(monitor.heard, 0))
        replica = RemoteReplica(stream, label=str(login), compress=link.compress)
        try:
            yield from _served(replica, location, known, whole=whole)
        finally:
            replica.close()


def _by_sftp(location: Location, known: KnownRoots, link: Link, monitor: Monitor) -> Iterator[Finding]:
    """The root as SFTP shows it; no shell is asked for anything."""
    with connected([location], link, monitor, Nursery()) as (replica,):
        yield from _served(replica, location, known, whole=True)


def _served(replica: RemoteReplica, location: Location, known: KnownRoots, *, whole: bool) -> Iterator[Finding]:
    request = Open(location.path, "", os.urandom(KEY_SIZE), Access.READ, Missing.EMPTY, b"")
    refusal: RootError | None = None
    try:
        try:
            replica.hello(request)
            opened = replica.hello(request)  # for the clock: the first one waits for the agent to come up
        except RootError as error:
            refusal = error
    except AefsyncError as error:
        step = SFTP if location.agentless else AGENT
        yield Finding(step, State.TROUBLE, error.message.removeprefix(f"{replica.label}: "), error.hint or "")
        return
    yield Finding(SFTP, State.FINE, "answers") if location.agentless else _agent(replica.peer_version or "")
    if refusal is not None:
        yield Finding(ROOT, State.TROUBLE, refusal.message, refusal.hint or "")
        return
    yield _clock(replica.clock_ahead_ns)
    if whole:
        yield from replica.examine()
        yield _remembered(known, key_of(location, opened), opened.identity)


def _agent(version: str) -> Finding:
    text = f"answers, {version}" if version == __version__ else f"answers, {version}, and understands {__version__}"
    return Finding(AGENT, State.FINE, text)


def _clock(ahead_ns: int) -> Finding:
    if abs(ahead_ns) <= SKEW_NS:
        return Finding("clock", State.FINE, "tells the time that it is here")
    text = f"{abs(ahead_ns) // 10**9} s {'ahead of' if ahead_ns > 0 else 'behind'} the one here"
    remedy = "set both by the same time server: the newest version wins, and that is told by the clock"
    return Finding("clock", State.NOTE, text, remedy)


def _remembered(known: KnownRoots, key: str, identity: str) -> Finding:
    """What the last run from here found at this place."""
    step, root = "memory of runs", known.load().get(key)
    if root is None:
        return Finding(step, State.FINE, "no run from here has seen this root")
    if root.identity and root.identity != identity:
        other = "another replica" if identity else "a replica there"
        text = f"the last run from here saw {other}, {root.identity[:8]}"
        return Finding(step, State.TROUBLE, text, "mount the right disk, or --allow-new-root")
    return Finding(step, State.FINE, "as the last run from here saw it")
