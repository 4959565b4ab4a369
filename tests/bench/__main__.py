"""`python -m tests.bench`: prints a table of ratios; exit code 1 when a goal is missed."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.bench.measure import Result, measure, table
from tests.bench.place import Place
from tests.bench.workloads import WORKLOADS, versions


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="aefsync and its peers, side by side")
    parser.add_argument("--files", type=int, default=200_000, help="small files in each tree (200,000)")
    parser.add_argument("--size", type=int, default=16_000, help="bytes of the largest small file (16,000)")
    parser.add_argument("--runs", type=int, default=5, help="runs of each command (5)")
    parser.add_argument("--seed", type=int, default=1, help="seed of names and contents (1)")
    parser.add_argument("--most", type=int, default=1_000_000, help="files at the end of the curve (1,000,000)")
    everything = "this workload; repeatable (all but the curve, which takes long)"
    parser.add_argument("--only", action="append", choices=WORKLOADS, help=everything)
    slow = "`all`: also those that take many minutes, unison and rclone (quick)"
    parser.add_argument("--peers", choices=("quick", "all"), default="quick", help=slow)
    parser.add_argument("--dir", type=Path, help="make the temporary directory in here")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory(prefix="aefsync-bench-", dir=options.dir) as directory:
        place = Place(Path(directory), options.files, options.size, options.seed, options.most, options.peers == "all")
        results = list(_measured(place, options.only or [name for name in WORKLOADS if name != "curve"], options.runs))
    print(f"{options.files:,} small files a tree, {os.cpu_count()} cores, {platform.system()} {platform.release()},")
    print(", ".join(versions()), end="\n\n")
    print(table(results))
    return 1 if any(result.is_short for result in results) else 0


def _measured(place: Place, names: list[str], runs: int) -> Iterator[Result]:
    """Each result, told as soon as it is there."""
    for name in names:
        for case in WORKLOADS[name](place):
            result = measure(case, runs)
            print(result.line, file=sys.stderr, flush=True)
            yield result


if __name__ == "__main__":
    raise SystemExit(main())
