"""Log in to a host looking at each step, and ask the shell there what it has for an agent to run on (`doctor`)."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

from aefsync import __version__
from aefsync.core.finding import Finding, State
from aefsync.core.named_tuple import NamedTuple
from aefsync.errors import AefsyncError, UsageError
from aefsync.sync.connecting import dial, is_by_paramiko
from aefsync.wire import failures, openssh, probing
from aefsync.wire.failures import ObstacleError, Step
from aefsync.wire.launching import remedies
from aefsync.wire.login import Link, Login
from aefsync.wire.probing import FarSide
from aefsync.wire.tracing import Trace, trace_of

FINE, NOTE, TROUBLE = State.FINE, State.NOTE, State.TROUBLE
SHELL, PYTHON, INSTALLED = "shell", "python", "aefsync"
_SHOWN = 60
"""Characters that are shown of what a shell says."""


class Approach(NamedTuple):
    """How far a login came, and what was found there; `error` says why no further."""

    trace: Trace
    far: FarSide | None
    error: AefsyncError | None


def approach(login: Login, link: Link) -> Approach:
    """Log in, and ask; raises `UsageError` only."""
    lines: list[str] = []
    by_paramiko = is_by_paramiko(link)
    with _overhearing(lines) if by_paramiko else contextlib.nullcontext():
        stream = dial(login, link if by_paramiko else openssh.talkative(link), lines.append, probing.COMMAND)
        far: FarSide | None = None
        error: AefsyncError | None = None
        try:
            far = probing.ask(stream)
        except UsageError:
            raise
        except AefsyncError as why:
            error = why
        except OSError as why:
            error = failures.passing(f"connection lost: {why}")
    return Approach(trace_of(lines), far, error)


@contextlib.contextmanager
def _overhearing(lines: list[str]) -> Iterator[None]:
    """Have what paramiko says of itself added to the lines."""
    logger, handler = logging.getLogger("paramiko"), logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        logger.setLevel(before)
        logger.removeHandler(handler)


def on_the_way(login: Login, seen: Approach) -> Iterator[Finding]:
    """What was found up to the login; the last is of the step that was not passed, if there is one."""
    trace, error = seen.trace, seen.error
    last = _obstacle(trace, error) if error is not None else None
    texts = {
        Step.NAME: f"{login.host} leads to {trace.target}" if trace.target else f"{login.host} resolves",
        Step.PORT: f"an SSH server answers{f': {trace.software}' if trace.software else ''}",
        Step.HOST_KEY: f"known{f': {trace.host_key}' if trace.host_key else ''}",
        Step.LOGIN: f"by {trace.way}{_offered(trace, ', having offered ')}" if trace.way else "logged in",
    }
    for step, text in texts.items():
        if step is last and error is not None:
            yield _refused(step, trace, error)
            return
        yield Finding(step, FINE, text)
    if error is not None:
        yield Finding(SHELL, TROUBLE, error.message, error.hint or "")


def _obstacle(trace: Trace, error: AefsyncError) -> Step | None:
    """The step that was not passed; `None` where the trouble came behind the login."""
    if trace.way:
        return None
    if isinstance(error, ObstacleError):
        return error.step
    return Step.LOGIN if trace.offered else Step.PORT


def _refused(step: Step, trace: Trace, error: AefsyncError) -> Finding:
    remedies = {
        Step.NAME: "look at the spelling, at Host entries of ~/.ssh/config, and at the network",
        Step.PORT: "is the host up, and its SSH server?  -p PORT names another port",
        Step.LOGIN: "ssh-copy-id puts your key there; --identity FILE names another one",
    }
    text, remedy = error.message, remedies.get(step, error.hint or "")
    if step is Step.LOGIN:
        text += _offered(trace, "; refused: ") or "; no key was offered"
    if step is Step.HOST_KEY and trace.host_key:
        text += f": {trace.host_key}"
    return Finding(step, TROUBLE, text, remedy)


def _offered(trace: Trace, before: str) -> str:
    return before + ", ".join(trace.offered) if trace.offered else ""


def at_the_shell(login: Login, far: FarSide, link: Link) -> Iterator[Finding]:
    """What was found behind the login: whether its shell talks, and what an agent could run on."""
    yield _talk(far.talk)
    if far.is_forced:
        yield Finding(INSTALLED, FINE, "an agent is the forced command of this key")
        return
    named = bool(link.remote_command)
    state = FINE if far.installed or __version__ in far.deployed else NOTE if named else TROUBLE
    yield _python(far, TROUBLE if state is TROUBLE else NOTE)
    yield _installed(login, far, state)


def _talk(talk: bytes) -> Finding:
    lines = [line for line in talk.decode("utf-8", "replace").splitlines() if line.strip()]
    if not lines:
        return Finding(SHELL, FINE, "says nothing of its own")
    text = f"says {len(lines)} lines of its own: {lines[0][:_SHOWN]}" if lines[1:] else f"says: {lines[0][:_SHOWN]}"
    remedy = "have its start-up files print only where there is a terminal"
    if probing.hides_agents(talk):
        return Finding(SHELL, TROUBLE, f"{text}; an agent behind that is not found", remedy)
    return Finding(SHELL, NOTE, f"{text}; that does no harm here", remedy)


def _python(far: FarSide, otherwise: State) -> Finding:
    """The Python that an agent would be deployed for; where one is there already none is needed."""
    found = far.python
    remedy = "3.11 or newer is needed to deploy an agent; anywhere on the PATH will do"
    if found is None:
        return Finding(PYTHON, otherwise, "there is none on the PATH", remedy)
    if found.numbers < probing.OLDEST_PYTHON:
        text = f"{found.version} is too old" if found.version else "does not run"
        return Finding(PYTHON, otherwise, f"{text} ({found.path})", remedy)
    return Finding(PYTHON, FINE, f"{found.version} ({found.path})")


def _installed(login: Login, far: FarSide, state: State) -> Finding:
    places = [f"{far.installed.version or 'does not run'} on the PATH ({far.installed.path})"] if far.installed else []
    places += [f"{version} deployed" for version in far.deployed]
    text = ", ".join(places) or "there is none: not on the PATH, and none was deployed"
    return Finding(INSTALLED, state, text, "" if state is FINE else remedies(login))
