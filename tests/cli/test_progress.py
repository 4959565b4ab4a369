"""Progress: when it draws, and that it goes away before anything is printed."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from aefsync.cli import progress as progress_module
from aefsync.cli import progress_bar
from aefsync.cli.options import Output
from aefsync.cli.playing import shows_progress
from aefsync.cli.progress import Progress
from aefsync.cli.progress_bar import Bars
from aefsync.cli.writer import Writer
from aefsync.core.ports import Phase


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Recorded:
    """Stands in for the bars."""

    def __init__(self) -> None:
        self.calls: list[object] = []

    def update(self, *call: object) -> None:
        self.calls.append(call)

    def stop(self) -> None:
        self.calls.append("stop")


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Recorded]:
    made: list[Recorded] = []

    def make() -> Recorded:
        made.append(Recorded())
        return made[-1]

    monkeypatch.setattr(progress_bar, "Bars", make)
    return made


def test_a_short_run_draws_nothing(drawn: list[Recorded]) -> None:
    progress = Progress(None, Clock())
    progress.progress(0, Phase.SCAN, 1, 0)
    progress.pause()
    assert drawn == []


def test_printing_takes_the_drawing_away_for_a_moment(drawn: list[Recorded]) -> None:
    clock = Clock()
    progress = Progress(io.StringIO(), clock)
    clock.now = 1
    progress.progress(0, Phase.SCAN, 5, 0)
    Writer(io.BytesIO(), before=progress.pause).line("text")
    progress.progress(0, Phase.SCAN, 6, 0)
    assert [each.calls for each in drawn] == [[(0, Phase.SCAN, 5, 0), "stop"]]
    clock.now += progress_module.PATIENCE_S
    progress.progress(0, Phase.READ, 7, 9)
    assert drawn[1].calls == [(0, Phase.READ, 7, 9)]


def test_bars_show_phase_and_amount() -> None:
    out = io.StringIO()
    bars = Bars(Console(file=out, force_terminal=True, width=80, color_system=None))
    bars.update(0, Phase.SCAN, 1200, 0)
    bars.update(1, Phase.COPY, 1_200_000, 5_000_000)
    bars.update(0, Phase.APPLY, 3, 10)
    bars._progress.refresh()
    bars.stop()
    assert "B copy" in out.getvalue()
    assert "1.2 MB / 5.0 MB" in out.getvalue()
    assert "A apply" in out.getvalue()
    assert "3 / 10" in out.getvalue()


@pytest.mark.parametrize(("width", "bar"), [(40, 5), (80, 20)])
def test_a_bar_stays_on_its_line(width: int, bar: int) -> None:
    out = io.StringIO()
    bars = Bars(Console(file=out, force_terminal=True, width=width, color_system=None))
    bars.update(0, Phase.READ, 187_800, 187_800)
    bars._progress.refresh()
    bars.stop()
    (drawn,) = out.getvalue().split("\x1b[2K")[-2].split("\n")[:-1]
    assert drawn.startswith("A read " + "\u2501" * bar + " 187.8 kB / 187.8 kB ")


def test_a_replica_that_waits_for_the_others_says_that_it_is_done() -> None:
    out = io.StringIO()
    bars = Bars(Console(file=out, force_terminal=True, width=80, color_system=None))
    bars.update(0, Phase.SCAN, 1200, 0)
    bars.update(1, Phase.SCAN, 90, 0)
    bars.update(0, Phase.SCAN, 1200, 1200)
    bars._progress.refresh()
    bars.stop()
    first, second = out.getvalue().split("\n")[-3:-1]
    assert ("1200 / 1200" in first, "done" in first, "done" in second) == (True, True, False)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_for_terminals_or_on_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    assert shows_progress(Output(), Terminal())
    assert not shows_progress(Output(quiet=True), Terminal())
    assert not shows_progress(Output(progress=False), Terminal())
    assert not shows_progress(Output(), io.StringIO())
    assert shows_progress(Output(progress=True), io.StringIO())
    assert not shows_progress(Output(progress=True), None)
