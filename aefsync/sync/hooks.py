"""Hooks: commands of the user, run after a run with the paths it is about, NUL-separated, on their standard input.

`on_change` hears of the paths that were created, replaced, moved or deleted, `on_conflict` of conflicts made or left
standing, `on_error` of paths in trouble, and also of a run that an error ended (then of none).  No shell is involved.
Their output goes to standard error; one that fails is told of, and needs a person: the run is exit code 1 at least.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from typing import IO, NamedTuple, Protocol, cast

from aefsync.errors import AefsyncError, UsageError
from aefsync.sync.events import Acted, Conflicted, Event, Grew, Notice, Summary, Troubled

_IN_MEMORY = 1 << 20
RUN = "AEFSYNC_RUN"
"""The environment variable in which a hook finds the id of the run."""


class Hooks(NamedTuple):
    """The commands, in words; empty: none."""

    on_change: tuple[str, ...] = ()
    on_conflict: tuple[str, ...] = ()
    on_error: tuple[str, ...] = ()


class _Closable(Protocol):
    def close(self) -> None: ...


def hook(option: str, text: str | None) -> tuple[str, ...]:
    """The words of a command as a shell would take them apart; raises `UsageError`."""
    if text is None:
        return ()
    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        raise UsageError(f"{option}: {text!r}: {str(error).lower()}") from None
    if not words:
        raise UsageError(f"{option}: an empty command")
    return words


def hooked(events: Iterator[Event], hooks: Hooks) -> Iterator[Event]:
    """The events of a run, and at its end what the hooks came to; nothing is run with `-n`."""
    if not any(hooks):
        yield from events
        return
    with ExitStack() as stack:
        stack.enter_context(closing(cast("_Closable", events)))
        spools = {name: stack.enter_context(_spool()) for name, words in hooks._asdict().items() if words}
        try:
            for event in events:
                if isinstance(event, Summary) and not event.dry_run:
                    yield from _ended(event, hooks, spools)
                    continue
                _collect(event, spools)
                yield event
        except AefsyncError:
            yield from _failures(hooks, spools, ["on_error"] if hooks.on_error else [], "")
            raise


def _spool() -> IO[bytes]:
    import tempfile  # 5 ms that nobody pays who has no hooks

    # A million paths need no memory.
    return cast("IO[bytes]", tempfile.SpooledTemporaryFile(_IN_MEMORY))


def _collect(event: Event, spools: Mapping[str, IO[bytes]]) -> None:
    if isinstance(event, Acted):
        _put(spools.get("on_change"), [event.path] if event.old is None else [event.old, event.path])
    elif isinstance(event, Grew):
        _put(spools.get("on_change"), [entry.path for entry in event.growth.entries()] if "on_change" in spools else [])
    elif isinstance(event, Conflicted):
        _put(spools.get("on_conflict"), [event.path] if event.kept_as is None else [event.path, event.kept_as])
    elif isinstance(event, Troubled):
        _put(spools.get("on_error"), [event.problem.path])


def _put(spool: IO[bytes] | None, paths: Sequence[bytes]) -> None:
    if spool is not None:
        spool.write(b"".join(path + b"\0" for path in paths))


def _ended(summary: Summary, hooks: Hooks, spools: Mapping[str, IO[bytes]]) -> Iterator[Event]:
    wanted = [name for name, spool in spools.items() if spool.tell()]
    failures = list(_failures(hooks, spools, wanted, summary.run))
    yield from failures
    if failures:
        summary = summary._replace(exit_code=summary.exit_code or 1, causes=(*summary.causes, "hook failed"))
    yield summary


def _failures(hooks: Hooks, spools: Mapping[str, IO[bytes]], names: Sequence[str], run: str) -> Iterator[Notice]:
    """Run hooks one after the other; what went wrong."""
    for name in names:
        words = getattr(hooks, name)
        reason = _run(words, spools[name], run)
        if reason:
            yield Notice(f"--{name.replace('_', '-')}: {shlex.join(words)}: {reason}", warning=True)


def _run(words: Sequence[str], spool: IO[bytes], run: str) -> str:
    """Run one; why it failed, or nothing."""
    spool.seek(0)
    sys.stderr.flush()
    try:
        done = subprocess.run(words, stdin=spool, stdout=2, env={**os.environ, RUN: run}, check=False)
    except OSError as error:
        return (error.strerror or str(error)).lower()
    if done.returncode < 0:
        return f"ended by signal {-done.returncode}"
    return f"exit code {done.returncode}" if done.returncode else ""
