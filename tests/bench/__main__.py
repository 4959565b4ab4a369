"""`python -m tests.bench`: prints a table of ratios; exit code 1 when a goal is missed."""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
from pathlib import Path

from tests.bench.measure import measure, table
from tests.bench.place import Place
from tests.bench.workloads import WORKLOADS, versions


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="aefsync and its peers, side by side")
    parser.add_argument("--files", type=int, default=200_000, help="small files in each tree (200,000)")
    parser.add_argument("--size", type=int, default=16_000, help="bytes of the largest small file (16,000)")
    parser.add_argument("--runs", type=int, default=5, help="runs of each command (5)")
    parser.add_argument("--seed", type=int, default=1, help="seed of names and contents (1)")
    parser.add_argument("--only", action="append", choices=WORKLOADS, help="this workload; repeatable")
    parser.add_argument("--dir", type=Path, help="make the temporary directory in here")
    options = parser.parse_args()

    with tempfile.TemporaryDirectory(prefix="aefsync-bench-", dir=options.dir) as directory:
        place = Place(Path(directory), options.files, options.size, options.seed)
        results = [measure(case, options.runs) for name in options.only or WORKLOADS for case in WORKLOADS[name](place)]
    print(f"{options.files:,} small files a tree, {os.cpu_count()} cores, {platform.system()} {platform.release()},")
    print(", ".join(versions()), end="\n\n")
    print(table(results))
    missed = [result for result in results if result.limit is not None and result.ratio > result.limit]
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
