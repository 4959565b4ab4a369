"""Runs commands alternately (A B A B) and sums up: medians, and the median of the ratios of each pair of runs."""

from __future__ import annotations

import gc
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

Step = Callable[[], None]


def nothing() -> None:
    """What is to be done before a run: nothing."""


class Run(NamedTuple):
    """`peak_mib` is the peak of the largest single process among the program and those it waited for, and never less than
    what the process that started it took (Linux counts that as the program's own)."""

    seconds: float
    cpu_seconds: float
    peak_mib: float


@dataclass(frozen=True)
class Command:
    """A program to time; `before` runs each time, untimed; `codes` are the exit codes that mean success."""

    argv: Sequence[str | Path]
    before: Step = nothing
    env: Mapping[str, str] = field(default_factory=dict)
    codes: tuple[int, ...] = (0,)

    def run(self) -> Run:
        """Time one run."""
        self.before()
        environment = {**os.environ, **self.env}
        with tempfile.TemporaryFile() as said:
            begin = time.perf_counter()
            process = subprocess.Popen(
                list(self.argv), env=environment, stdin=subprocess.DEVNULL, stdout=said, stderr=said
            )
            _, status, used = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - begin
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode not in self.codes:
                said.seek(max(0, said.tell() - 2000))
                text = said.read().decode(errors="replace")
                raise SystemExit(f"{' '.join(map(str, self.argv))}\nended with {process.returncode}:\n{text}")
        return Run(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


@dataclass(frozen=True)
class Call:
    """Something to time in this process; its peak is that of the benchmark so far."""

    step: Step

    def run(self) -> Run:
        """Time one run, garbage collected as our program does."""
        usual = gc.get_threshold()
        gc.set_threshold(200_000, 20, 100)
        gc.collect()
        begin, begin_cpu = time.perf_counter(), time.process_time()
        self.step()
        seconds, cpu_seconds = time.perf_counter() - begin, time.process_time() - begin_cpu
        gc.set_threshold(*usual)
        return Run(seconds, cpu_seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


@dataclass(frozen=True)
class Case:
    """One line of the table.

    `goal` is the greatest ratio ours / peer that is fine (`None`: for information); `goal_s` a limit in seconds for
    ours on a machine where a bare Python takes 10 ms, scaled by what the peer, which is that bare Python, takes here.
    `goal_mib` limits the peak of any one process; with `entries` the table tells the time for each of them, and
    `goal_rate` is how many there are to be in a second of one core.
    """

    what: str
    ours: Command | Call
    peer_name: str
    peer: Command | Call
    goal: float | None = None
    goal_s: float | None = None
    goal_mib: float | None = None
    entries: int | None = None
    goal_rate: float | None = None
    max_runs: int = 1000


@dataclass(frozen=True)
class Result:
    case: Case
    ours: list[Run]
    peer: list[Run]

    @property
    def ratio(self) -> float:
        return statistics.median(ours.seconds / peer.seconds for ours, peer in zip(self.ours, self.peer, strict=True))

    @property
    def peak_mib(self) -> float:
        return max(run.peak_mib for run in self.ours)

    @property
    def rate(self) -> float:
        """Entries in a second of one core."""
        return (self.case.entries or 0) / statistics.median(run.cpu_seconds for run in self.ours)

    @property
    def limit(self) -> float | None:
        """The goal as a ratio."""
        if self.case.goal_s is not None:
            return self.case.goal_s / 0.010
        return self.case.goal

    @property
    def is_short(self) -> bool:
        """Whether a goal is missed."""
        too_slow = self.limit is not None and self.ratio > self.limit
        too_few = self.case.goal_rate is not None and self.rate < self.case.goal_rate
        return too_slow or too_few or (self.case.goal_mib is not None and self.peak_mib > self.case.goal_mib)

    @property
    def cells(self) -> list[str]:
        goals = [] if self.limit is None else [f"<= {self.limit:.2g}"]
        goals += [] if self.case.goal_s is None else [f"({self.case.goal_s * 1000:.0f} ms at 10)"]
        goals += [] if self.case.goal_mib is None else [f"<= {self.case.goal_mib:.0f} MiB"]
        goals += [] if self.case.goal_rate is None else [f"{self.rate:,.0f}/s >= {self.case.goal_rate:,.0f}/s"]
        verdict = "" if not goals else "SHORT" if self.is_short else "ok"
        times = [run.seconds for run in self.ours]
        spread = f"{seconds(statistics.median(times))} ({seconds(min(times))}-{seconds(max(times))})"
        if self.case.entries:
            spread += f", {statistics.median(times) / self.case.entries * 1e6:.1f} us each"
        peak = f"{self.peak_mib:.0f} / {max(run.peak_mib for run in self.peer):.0f} MiB"
        cpu = (
            f"{statistics.median(a.cpu_seconds / b.cpu_seconds for a, b in zip(self.ours, self.peer, strict=True)):.2f}"
        )
        peer = f"{seconds(statistics.median(run.seconds for run in self.peer))} {self.case.peer_name}"
        return [self.case.what, spread, peer, f"{self.ratio:.2f}", cpu, peak, " ".join(goals), verdict]

    @property
    def line(self) -> str:
        """The row as it is told before the table is there."""
        what, ours, peer, ratio, cpu, peaks, goal, verdict = self.cells
        judged = f", goal {goal}: {verdict}" if verdict else ""
        return f"{what}: {ours}; {peer}; ratio {ratio}, of CPU {cpu}; peaks {peaks}{judged}"


HEADINGS = ["what", "aefsync, median (min-max)", "peer, median", "ratio", "of CPU", "peaks", "goal", ""]


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
