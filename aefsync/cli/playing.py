"""Plays a run to the end: the engine's events go to a renderer, progress to stderr; comes back with the exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from typing import BinaryIO, Protocol, TextIO

from aefsync.cli import environment, signals
from aefsync.cli.escape import escape_text
from aefsync.cli.human import Human, Style
from aefsync.cli.options import Output
from aefsync.cli.progress import Progress
from aefsync.cli.reporting import Log
from aefsync.cli.writer import Writer
from aefsync.core.labels import label
from aefsync.core.ports import Monitor, Phase
from aefsync.core.silent import Silent
from aefsync.errors import AefsyncError, UnreachableError
from aefsync.sync.events import Event, Notice, Summary, closing

Begin = Callable[[Monitor], Iterator[Event]]
"""Starts a run that reports its progress to a monitor."""


class Renderer(Protocol):
    """Shows events, in order, as they come."""

    def show(self, event: Event) -> None:
        """Show one event, perhaps only when the next one comes."""

    def finish(self) -> None:
        """Show what was held back: the run is over, well or not."""


class Drawing(Protocol):
    """Something drawn on a terminal, which `pause` takes away before anything is printed."""

    def progress(self, replica: int, phase: Phase, done: int, total: int) -> None: ...

    def pause(self) -> None: ...


class _Watching:
    """Shows progress on one monitor, and on stderr what the far sides have to say."""

    def __init__(self, drawing: Drawing | Silent, err: Writer) -> None:
        self.progress = drawing.progress
        self._err = err

    def heard(self, replica: int, line: str) -> None:
        self._err.line(f" {escape_text(line)}", marked=f"{label(replica)}|", style="2")


def play(
    output: Output,
    begin: Begin,
    *,
    itemize: bool = False,
    null: bool = False,
    drawing: Drawing | None = None,
    log: Log | None = None,
) -> int:
    """Run to the end, and return the exit code of the last summary; raises what the run raises.

    Progress is shown by `drawing`, or else by bars.  What is said to people is said in the `log`, too.
    """
    style = Style(output.verbose, output.quiet, output.stats, itemize, null)
    colored = environment.colors_on(output.color, sys.stdout, os.environ)
    styled_err = environment.colors_on(output.color, sys.stderr, os.environ)
    if drawing is None and shows_progress(output, sys.stderr):
        drawing = Progress(sys.stdout)
    before = drawing.pause if drawing else None
    is_seen = environment.is_terminal(sys.stdout, os.environ)
    out = Writer(binary(sys.stdout), encoding=encoding(sys.stdout), colored=colored, prompt=is_seen, before=before)
    err = Writer(binary(sys.stderr), encoding=encoding(sys.stderr), colored=styled_err, prompt=True, before=before)
    renderer: Renderer = _json_lines(out) if output.json else Human(out, err, style)
    if log is not None:
        renderer = _Both(renderer, Human(log, log, style._replace(quiet=False)))
    try:
        return _show(begin(_Watching(drawing or Silent(), err)), renderer)
    except (AefsyncError, KeyboardInterrupt, signals.SignalledError) as error:
        if log is not None:
            words = error.message if isinstance(error, AefsyncError) else signals.WORDS[signals.exit_code(error)]
            log.line(f" {escape_text(words)}", marked="aefsync:")
        raise
    except BrokenPipeError as error:
        raise UnreachableError("the process of a replica has gone away") from error
    finally:
        if drawing:
            drawing.pause()
        renderer.finish()
        err.flush()
        if log is not None:
            log.close()


class _Both:
    """A renderer, and one that writes the log."""

    def __init__(self, shown: Renderer, logged: Renderer) -> None:
        self._renderers = (shown, logged)

    def show(self, event: Event) -> None:
        for each in self._renderers:
            each.show(event)

    def finish(self) -> None:
        for each in self._renderers:
            each.finish()


def _json_lines(out: Writer) -> Renderer:
    from aefsync.cli.json_lines import JsonLines

    return JsonLines(out)


def _show(events: Iterator[Event], renderer: Renderer) -> int:
    exit_code = 0
    with closing(events):
        for event in events:
            renderer.show(event)
            if isinstance(event, Summary):
                exit_code = event.exit_code
                renderer.finish()
    return exit_code


def announced(events: Iterator[Event], *notices: Notice) -> Iterator[Event]:
    """The events of a run with notices of the command line after the first."""
    with closing(events):
        for number, event in enumerate(events):
            yield event
            if number == 0:
                yield from notices


def shows_progress(output: Output, stream: TextIO | None) -> bool:
    """Whether to draw progress: as asked, else on terminals."""
    if stream is None or output.progress is not None:
        return bool(output.progress) and stream is not None
    return not output.quiet and environment.is_terminal(stream, os.environ)


def binary(stream: TextIO | None) -> BinaryIO:
    """Where to write bytes (nowhere, if the stream is closed)."""
    return open(os.devnull, "wb") if stream is None else stream.buffer


def encoding(stream: TextIO | None) -> str:
    """What the stream's reader expects text to be in."""
    return (stream and stream.encoding) or "utf-8"
