"""Hooks: commands of the user, run after a run with the paths it is about, NUL-separated, on their standard input.

`on_change` hears of the paths that were created, replaced, moved or deleted, `on_conflict` of conflicts made or left
standing, `on_error` of paths in trouble, and also of a run that an error ended or that missed a replica (maybe of none).
No shell is involved.  Their output goes to standard error; one that fails is told of, and needs a person: the run is
exit code 1 at least.
"""

from __future__ import annotations

import itertools
import os
import shlex
import subprocess
import sys
from array import array
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import IO, cast

from aefsync.core.named_tuple import NamedTuple
from aefsync.core.problem import reason_of
from aefsync.errors import AefsyncError, UnreachableError, UsageError
from aefsync.sync.events import Acted, Conflicted, Event, Grew, Notice, Summary, Troubled, closing

_IN_MEMORY = 1 << 20
RUN = "AEFSYNC_RUN"
"""The environment variable in which a hook finds the id of the run."""


class Hooks(NamedTuple):
    """The commands, in words; empty: none."""

    on_change: tuple[str, ...] = ()
    on_conflict: tuple[str, ...] = ()
    on_error: tuple[str, ...] = ()


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
        stack.enter_context(closing(events))
        told = {name: stack.enter_context(_Paths()) for name, words in hooks._asdict().items() if words}
        try:
            for event in events:
                if isinstance(event, Summary) and not event.dry_run:
                    yield from _ended(event, hooks, told)
                    continue
                _collect(event, told)
                yield event
        except AefsyncError:
            yield from _failures(hooks, told, ["on_error"] if hooks.on_error else [], "")
            raise


class _Paths:
    """The paths for one hook, each told once: a million of them need little memory."""

    def __init__(self) -> None:
        self._spool = _spool()
        self._hashes = array("q")

    def __enter__(self) -> _Paths:
        return self

    def __exit__(self, *_: object) -> None:
        self._spool.close()

    def __len__(self) -> int:
        return len(self._hashes)

    def put(self, paths: Iterable[bytes]) -> None:
        write, note = self._spool.write, self._hashes.append
        for path in paths:
            write(path + b"\0")
            note(hash(path))

    def file(self) -> IO[bytes]:
        """They, each followed by NUL, in the order in which they were first told."""
        repeated = {one for one, other in itertools.pairwise(sorted(self._hashes)) if one == other}
        if repeated:
            once = _Paths()
            once.put(_firsts(self._spool, repeated))
            self._spool.close()
            self._spool, self._hashes = once._spool, once._hashes
        self._spool.seek(0)
        return self._spool


def _firsts(spool: IO[bytes], repeated: Container[int]) -> Iterator[bytes]:
    """The paths in a file, of those with such a hash only the first of each."""
    seen: set[bytes] = set()
    for path in _split(spool):
        if hash(path) in repeated:
            if path in seen:
                continue
            seen.add(path)
        yield path


def _split(spool: IO[bytes]) -> Iterator[bytes]:
    spool.seek(0)
    rest = b""
    while part := spool.read(_IN_MEMORY):
        *paths, rest = (rest + part).split(b"\0")
        yield from paths


def _spool() -> IO[bytes]:
    import tempfile  # 5 ms that nobody pays who has no hooks

    return cast("IO[bytes]", tempfile.SpooledTemporaryFile(_IN_MEMORY))


def _collect(event: Event, told: Mapping[str, _Paths]) -> None:
    if isinstance(event, Acted):
        _put(told.get("on_change"), [event.path] if event.old is None else [event.old, event.path])
    elif isinstance(event, Grew):
        _put(told.get("on_change"), (entry.path for entry in event.growth.entries()))
    elif isinstance(event, Conflicted):
        _put(told.get("on_conflict"), [event.path] if event.kept_as is None else [event.path, event.kept_as])
    elif isinstance(event, Troubled):
        _put(told.get("on_error"), [event.problem.path])


def _put(known: _Paths | None, paths: Iterable[bytes]) -> None:
    if known is not None:
        known.put(paths)


def _ended(summary: Summary, hooks: Hooks, told: Mapping[str, _Paths]) -> Iterator[Event]:
    is_short = summary.exit_code == UnreachableError.exit_code
    wanted = [name for name, paths in told.items() if paths or (is_short and name == "on_error")]
    failures = list(_failures(hooks, told, wanted, summary.run))
    yield from failures
    if failures:
        summary = summary._replace(exit_code=summary.exit_code or 1, causes=(*summary.causes, "hook failed"))
    yield summary


def _failures(hooks: Hooks, told: Mapping[str, _Paths], names: Sequence[str], run: str) -> Iterator[Notice]:
    """Run hooks one after the other; what went wrong."""
    for name in names:
        words = getattr(hooks, name)
        reason = _run(words, told[name].file(), run)
        if reason:
            yield Notice(f"--{name.replace('_', '-')}: {shlex.join(words)}: {reason}", warning=True)


def _run(words: Sequence[str], spool: IO[bytes], run: str) -> str:
    """Run one; why it failed, or nothing."""
    sys.stderr.flush()
    try:
        done = subprocess.run(words, stdin=spool, stdout=2, env={**os.environ, RUN: run}, check=False)
    except OSError as error:
        return reason_of(error)
    if done.returncode < 0:
        return f"ended by signal {-done.returncode}"
    return f"exit code {done.returncode}" if done.returncode else ""
