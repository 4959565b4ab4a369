"""`python -m tests.bench.plots DIR`: time and traffic against the number of files and of changes, over ssh, beside rsync.

Writes `files.svg` and `changes.svg` (log axes, medians) into DIR, and prints the points.  Bytes are what each program
says that it sent and received.  Needs the extra `bench` (matplotlib).
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.bench.measure import Command, Step, nothing
from tests.bench.place import Place, small_files
from tests.support.sshd import Sshd

Traffic = Callable[[bytes], int]


class Point(NamedTuple):
    """What one program took at one place of an axis; `sent` are bytes both ways."""

    program: str
    at: int
    seconds: float
    sent: int


class Contestant(NamedTuple):
    """A program, and how its traffic is told from what it prints."""

    name: str
    command: Command
    traffic: Traffic


def _ours(said: bytes) -> int:
    summary = json.loads(said.splitlines()[-1])
    return int(summary["sent_bytes"] + summary["received_bytes"])


def _theirs(said: bytes) -> int:
    return sum(int(each.replace(b",", b"")) for each in re.findall(rb"Total bytes (?:sent|received): ([\d,]+)", said))


def _contest(place: Place, sshd: Sshd, a: Path) -> list[Contestant]:
    """Repair and rsync over the very same ssh, each after a first copy."""
    b, c = a.with_name(a.name + "-B"), a.with_name(a.name + "-C")
    ours = place.aefsync("repair", "--json", "--ssh", sshd.ssh, a, f"box:{b}")
    words = ("rsync", "-a", "--delete", "--stats", "-e", sshd.ssh, "--exclude=.aefsync", f"{a}/", f"box:{c}")
    contest = [
        Contestant("aefsync repair", ours, _ours),
        Contestant("rsync -a --delete", place.peer(*words), _theirs),
    ]
    for command in (contest[0].command, contest[1].command, contest[0].command):
        command.run()
    return contest


def _taken(contest: list[Contestant], at: int, runs: int, before: Step = nothing) -> Iterator[Point]:
    """The medians of so many runs in turns; what `before` does is for both to find."""
    times: list[list[float]] = [[] for _ in contest]
    sent: list[list[int]] = [[] for _ in contest]
    for _ in range(runs):
        before()
        for number, (_, command, traffic) in enumerate(contest):
            begin = time.perf_counter()
            environment = {**os.environ, **command.env}
            done = subprocess.run(command.argv, env=environment, capture_output=True, check=True)
            times[number].append(time.perf_counter() - begin)
            sent[number].append(traffic(done.stdout))
    for each, own_times, own_sent in zip(contest, times, sent, strict=True):
        yield Point(each.name, at, statistics.median(own_times), round(statistics.median(own_sent)))


def by_files(place: Place, sshd: Sshd, most: int, runs: int) -> Iterator[Point]:
    """Nothing to do, in trees of more and more files."""
    for files in _steps(100, most):
        a = place.root / f"of-{files}"
        small_files(a, files, 4000, place.seed)
        yield from _taken(_contest(place, sshd, a), files, runs)


def by_changes(place: Place, sshd: Sshd, files: int, runs: int) -> Iterator[Point]:
    """More and more files with new content, in one tree."""
    a = place.root / "changed"
    small_files(a, files, 4000, place.seed)
    contest, paths, turn = _contest(place, sshd, a), sorted(a.rglob("*.dat")), iter(range(10**9))
    for changes in _steps(1, files):

        def change(some: Sequence[Path] = paths[:: files // changes][:changes]) -> None:
            stamp = b"%09d" % next(turn)
            for path in some:
                with path.open("r+b") as file:
                    file.write(stamp)

        yield from _taken(contest, changes, runs, change)


def _steps(first: int, last: int) -> Iterator[int]:
    """`first`, and on in steps of about √10 as far as `last`."""
    at, number = first, 0
    while at <= last:
        yield at
        number += 1
        at = round(first * 10 ** (number / 2))


def draw(points: Sequence[Point], axis: str, title: str, to: Path) -> None:
    """Time and traffic beside each other, on log axes."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "aefsync"  # the same file from the same points
    from matplotlib import pyplot as plt

    figure, panels = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    for panel, what, pick in ((panels[0], "seconds", 2), (panels[1], "bytes sent and received", 3)):
        for program in dict.fromkeys(point.program for point in points):
            own = [point for point in points if point.program == program]
            panel.loglog([point.at for point in own], [point[pick] for point in own], marker="o", label=program)
        panel.set(xlabel=axis, ylabel=what)
        panel.grid(visible=True, which="major", alpha=0.3)
        panel.legend()
    figure.suptitle(title)
    figure.savefig(to, metadata={"Date": None})
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.plots", description="plots for the README")
    parser.add_argument("out", type=Path, help="where the pictures go")
    parser.add_argument("--files", type=int, default=100_000, help="files of the largest tree (100,000)")
    parser.add_argument("--changed", type=int, default=10_000, help="files of the tree that is changed (10,000)")
    parser.add_argument("--runs", type=int, default=3, help="runs of each command (3)")
    parser.add_argument("--dir", type=Path, help="make the temporary directory in here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="aefsync-plots-", dir=options.dir) as directory:
        root = Path(directory)
        place = Place(root, options.changed, 4000, 1, options.files, slow_peers=False)
        (root / "sshd").mkdir()
        sshd = Sshd(root / "sshd")
        try:
            sshd.far(root / "sshd")
            for name, axis, title, points in (
                (
                    "files",
                    "files in the tree",
                    "nothing to do, over ssh",
                    by_files(place, sshd, options.files, options.runs),
                ),
                (
                    "changes",
                    "files with new content",
                    f"changes among {options.changed:,} files, over ssh",
                    by_changes(place, sshd, options.changed, options.runs),
                ),
            ):
                found = []
                for point in points:
                    print(
                        f"{name:8} {point.at:>7} {point.program:18} {point.seconds:8.3f} s {point.sent:>12,} B",
                        flush=True,
                    )
                    found.append(point)
                draw(found, axis, title, options.out / f"{name}.svg")
        finally:
            sshd.stop()


if __name__ == "__main__":
    main()
