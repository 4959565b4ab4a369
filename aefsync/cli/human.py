"""The renderer for people: results on stdout, everything else on stderr; nothing to say, nothing printed."""

from __future__ import annotations

from aefsync.cli.advice import advised
from aefsync.cli.diff_lines import DiffLines, NullLines
from aefsync.cli.escape import escape, escape_text
from aefsync.cli.listing_lines import listed
from aefsync.cli.replica_names import history_starts, labels
from aefsync.cli.resolved_lines import resolved
from aefsync.cli.scrubbed_lines import scrubbed
from aefsync.cli.sentences import Tally, caveats, compared, figures, itemized, repaired
from aefsync.cli.undo_lines import undone
from aefsync.cli.writer import Writer
from aefsync.core.labels import label
from aefsync.core.named_tuple import NamedTuple
from aefsync.sync.events import (
    Acted,
    Begun,
    Conflicted,
    CopyKept,
    Differs,
    Digested,
    Event,
    Examined,
    Filtered,
    Grew,
    LeftUndone,
    Notice,
    Ran,
    Started,
    Summary,
    Trashed,
    Troubled,
)
from aefsync.sync.standing import Enrolled, Stood

_STYLES = {"<": "31", ">": "32", "*": "33", "?": "1;35", "m": "34", "k": "35", "!": "1;31"}
_SENTENCES = {
    **dict.fromkeys(("repair", "watch", "gossip"), repaired), "undo": undone, "conflicts": resolved, "scrub": scrubbed,
    "status": advised,
}  # fmt: skip


class Style(NamedTuple):
    """How much to say."""

    verbose: int = 0
    quiet: bool = False
    stats: bool = False
    itemize: bool = False
    null: bool = False


class Human:
    """Shows events as text (CLI.md, Output)."""

    def __init__(self, out: Writer, err: Writer, style: Style) -> None:
        self._out = out
        self._err = err
        self._style = style
        self._started = Started("", ())
        self._tally = Tally()
        self._differences = NullLines(out.raw) if style.null else DiffLines(self._coded, expanded=style.verbose > 0)

    def show(self, event: Event) -> None:
        match event:
            case Differs():
                if self._compares and not self._style.quiet:
                    self._differences.differs(event)
            case Acted() | Grew():
                self._acted(event)
            case Troubled():
                self._troubled(event)
            case Conflicted():
                self._conflicted(event)
            case Notice() | LeftUndone() | Begun():
                self._noticed(event)
            case Filtered():
                self._filtered(event)
            case Examined():
                self._examined(event)
            case Digested() | Trashed() | Ran() | CopyKept() | Stood() | Enrolled():
                self._out.line(listed(event, verbose=self._style.verbose > 0))
            case Started():
                self._started = event
                self._differences.start(len(event.locations))
            case Summary():
                self._summed_up(event)

    def finish(self) -> None:
        self._differences.flush()
        self._out.flush()

    @property
    def _compares(self) -> bool:
        return self._started.command == "diff"

    def _coded(self, code: str, text: str) -> None:
        self._out.line(f" {text}", marked=code, style=_STYLES.get(code, "33"))

    def _say(self, text: str) -> None:
        self._err.line(f" {text}", marked="aefsync:", style="1")

    def _acted(self, event: Acted | Grew) -> None:
        if isinstance(event, Acted):
            self._tally = self._tally.add(event)
            self._itemize(event)
            return
        self._tally = self._tally.grow(event)
        for each in event.acted() if self._style.itemize else ():
            self._itemize(each)

    def _itemize(self, event: Acted) -> None:
        if self._style.itemize:
            source = "" if event.source is None else label(event.source)
            slash = "/" if event.is_directory else ""
            old = "" if event.old is None else f"{escape(event.old)}{slash} -> "
            leader = "" if event.leader is None else f" => {escape(event.leader)}"
            told = itemized(event, verbose=self._style.verbose > 0)
            text = f"{event.action} {old}{escape(event.path)}{slash}{leader}{told}"
            self._out.line(f" {text}", marked=f"{source}>{labels(event.to)}", style="36")

    def _troubled(self, event: Troubled) -> None:
        if self._compares:
            if not self._style.quiet:
                self._differences.troubled(event)
                return
        path, reason = escape(event.problem.path) or ".", escape_text(event.problem.reason)
        # What a scrub finds is what it was started for.
        out = self._out if self._started.command == "scrub" and not self._style.quiet else self._err
        out.line(f" {label(event.replica)} {path}: {reason}", marked="!", style=_STYLES["!"])

    def _conflicted(self, event: Conflicted) -> None:
        if event.kept_as is None:
            self._say(f"conflict: {escape(event.path)}: left standing: {escape_text(event.reason)}")
        else:
            winner = "" if event.winner is None else f" is {label(event.winner)}'s"
            self._say(f"conflict: {escape(event.path)}{winner}; the other version: {escape(event.kept_as)}")

    def _noticed(self, event: Notice | LeftUndone | Begun) -> None:
        if isinstance(event, Begun):
            if not self._style.quiet:
                self._say(history_starts(event.replicas))
        elif isinstance(event, LeftUndone):
            self._say(f"{labels(event.to)} is read-only: {event.action} {escape(event.path)} left undone")
        elif event.warning or not self._style.quiet:
            self._say(escape_text(event.text))

    def _examined(self, event: Examined) -> None:
        step, state, text, remedy = event.finding
        style = {"note": "33", "trouble": "1;31"}.get(state, "32")
        self._out.line(f"{escape_text(step)}: {escape_text(text)}", marked=f"{state:<8}", style=style)
        for line in remedy.splitlines():
            self._out.line(f"          {escape_text(line)}")

    def _filtered(self, event: Filtered) -> None:
        slash = "/" if event.is_directory else ""
        self._out.line(f" {label(event.replica)} {escape(event.path)}{slash}", marked="f", style="2")

    def _summed_up(self, summary: Summary) -> None:
        self._differences.flush()
        if self._compares and self._style.verbose and not self._style.quiet:
            self._say(compared(self._started, summary))
        sentence = _SENTENCES.get(self._started.command)
        if sentence and not self._style.quiet:
            line = sentence(self._started, summary, self._tally)
            if line:
                self._out.line(line)
            for caveat in caveats(summary):
                self._say(caveat)
        if self._style.stats:
            self._say(figures(summary))
        self._tally = Tally()
