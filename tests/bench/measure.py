"""Runs commands alternately (A B A B) and sums up: medians, and the median of the ratios of each pair of runs."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

Step = Callable[[], None]


def nothing() -> None:
    """What is to be done before a run: nothing."""


@dataclass(frozen=True)
class Command:
    """A program to time; `before` runs each time, untimed; `codes` are the exit codes that mean success."""

    argv: Sequence[str | Path]
    before: Step = nothing
    env: Mapping[str, str] = field(default_factory=dict)
    codes: tuple[int, ...] = (0,)

    def run(self) -> float:
        """Seconds of one run."""
        self.before()
        environment = {**os.environ, **self.env}
        begin = time.perf_counter()
        done = subprocess.run(
            list(self.argv), env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False
        )
        seconds = time.perf_counter() - begin
        if done.returncode not in self.codes:
            said = (done.stdout + done.stderr)[-2000:].decode(errors="replace")
            raise SystemExit(f"{' '.join(map(str, self.argv))}\nended with {done.returncode}:\n{said}")
        return seconds


@dataclass(frozen=True)
class Case:
    """One line of the table.

    `goal` is the greatest ratio ours / peer that is fine (`None`: for information); `goal_s` a limit in seconds for
    ours on a machine where a bare Python takes 10 ms, scaled by what the peer, which is that bare Python, takes here.
    """

    what: str
    ours: Command
    peer_name: str
    peer: Command
    goal: float | None = None
    goal_s: float | None = None
    max_runs: int = 1000


@dataclass(frozen=True)
class Result:
    case: Case
    ours: list[float]
    peer: list[float]

    @property
    def ratio(self) -> float:
        return statistics.median(ours / peer for ours, peer in zip(self.ours, self.peer, strict=True))

    @property
    def limit(self) -> float | None:
        """The goal as a ratio."""
        if self.case.goal_s is not None:
            return self.case.goal_s / 0.010
        return self.case.goal

    @property
    def cells(self) -> list[str]:
        limit = self.limit
        verdict = "" if limit is None else ("ok" if self.ratio <= limit else "SHORT")
        goal = "" if limit is None else f"<= {limit:.2g}"
        if self.case.goal_s is not None:
            goal += f" ({self.case.goal_s * 1000:.0f} ms at 10)"
        spread = f"{seconds(statistics.median(self.ours))} ({seconds(min(self.ours))}-{seconds(max(self.ours))})"
        peer = f"{seconds(statistics.median(self.peer))} {self.case.peer_name}"
        return [self.case.what, spread, peer, f"{self.ratio:.2f}", goal, verdict]


HEADINGS = ["what", "aefsync, median (min-max)", "peer, median", "ratio", "goal", ""]


def seconds(value: float) -> str:
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.2f} s"


def measure(case: Case, runs: int) -> Result:
    """Once each unmeasured, so that caches are warm for both; then in turns, each first every other time."""
    print(f"... {case.what} / {case.peer_name}", file=sys.stderr, flush=True)
    result = Result(case, [], [])
    case.ours.run()
    case.peer.run()
    for number in range(min(runs, case.max_runs)):
        turns = [(result.ours, case.ours), (result.peer, case.peer)]
        for times, command in turns if number % 2 == 0 else reversed(turns):
            times.append(command.run())
    return result


def table(results: Sequence[Result]) -> str:
    """The results as a Markdown table."""
    rows = [HEADINGS, *(result.cells for result in results)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    lines.insert(1, "| " + " | ".join("-" * width for width in widths) + " |")
    return "\n".join(lines)
