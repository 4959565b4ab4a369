"""Bars on stderr, one for each replica: phase, how far, rate and time left.  The one place that imports rich."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Column
from rich.text import Text

from aefsync.core.labels import label
from aefsync.core.ports import Phase
from aefsync.core.space import size_text

_IN_BYTES = (Phase.READ, Phase.COPY)
_ROOMY = 64
"""Columns that a bar takes with everything beside it; on a narrower terminal it is shorter, and there is no rate."""


class AmountColumn(ProgressColumn):
    """`1200 / 5000` or `1.2 MB / 5.0 MB`."""

    def render(self, task: Task) -> Text:
        total = "" if task.total is None else f" / {_amount(task, task.total)}"
        return Text(_amount(task, task.completed) + total)


class RateColumn(ProgressColumn):
    """`52000/s` or `810.0 MB/s`."""

    def render(self, task: Task) -> Text:
        return Text(f"{_amount(task, task.speed)}/s" if task.speed else "")


class LeftColumn(TimeRemainingColumn):
    """The time left; `done` where a replica waits for the others."""

    def render(self, task: Task) -> Text:
        return Text("done") if task.finished else super().render(task)


def _amount(task: Task, value: float) -> str:
    return size_text(int(value)) if task.fields["in_bytes"] else str(int(value))


def _line() -> Column:
    """A column that stays on its line."""
    return Column(no_wrap=True)


class Bars:
    """A bar for each replica that has something to tell."""

    def __init__(self, console: Console | None = None) -> None:
        shown = console or Console(stderr=True, highlight=False)
        is_roomy = shown.width >= _ROOMY
        self._progress = Progress(
            TextColumn("{task.description}", markup=False, table_column=_line()),
            BarColumn(bar_width=20 if is_roomy else 5),
            AmountColumn(_line()),
            *([RateColumn(_line())] if is_roomy else ()),
            LeftColumn(compact=True, table_column=_line()),
            console=shown,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._tasks: dict[int, tuple[Phase, TaskID]] = {}
        self._progress.start()

    def update(self, replica: int, phase: Phase, done: int, total: int) -> None:
        """Show how far a replica is; a new phase starts a new bar in its place."""
        known = self._tasks.get(replica)
        if known is None or known[0] is not phase:
            if known is not None:
                self._progress.remove_task(known[1])
            task = self._progress.add_task(f"{label(replica)} {phase}", total=None, in_bytes=phase in _IN_BYTES)
            known = self._tasks[replica] = phase, task
        self._progress.update(known[1], completed=done, total=total or None)

    def stop(self) -> None:
        """Take the bars away."""
        self._progress.stop()
