"""What is measured: a function for each workload, which prepares its trees and names the commands to compare.

A workload yields its cases one at a time; what it does between two of them is not timed.
"""

from __future__ import annotations

import collections
import functools
import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.bench.deciding import MIXTURES, decide, differing
from tests.bench.measure import Call, Case, Command
from tests.bench.place import LARGE, Place, deep, flat, large_files, small_files
from tests.support.sshd import Sshd

Workload = Callable[[Place], Iterator[Case]]
BURST = 10_000
"""Files that are edited together."""
SLOW_PEER = 3
"""Runs of peers that take minutes."""


def start_up(place: Place) -> Iterator[Case]:
    """`--version`, and `diff` of two trees of ten files, against a bare Python."""
    bare = Command([sys.executable, "-c", "pass"])
    a, b = place.tiny_pair
    yield Case("--version", place.aefsync("--version"), "python -c pass", bare, goal_s=0.060)
    yield Case("diff of ten files", place.aefsync("diff", a, b), "python -c pass", bare, goal_s=0.300)


def no_op(place: Place) -> Iterator[Case]:
    """`repair` where there is nothing to do, index warm."""
    a, b = place.pair
    repair = place.aefsync("repair", a, b)
    repair.run()
    rsync = place.peer("rsync", "-a", "--exclude=.aefsync", f"{a}/", f"{b}/")
    yield Case("repair, nothing to do", repair, "rsync -a", rsync, goal=0.8)
    if place.slow_peers and shutil.which("unison"):
        print("... unison's first run", file=sys.stderr, flush=True)
        unison = place.peer("unison", a, b, "-batch", "-auto", "-silent", "-ignore", "Name .aefsync")
        yield Case("repair, nothing to do", repair, "unison", unison, max_runs=SLOW_PEER)


def first_diff(place: Place) -> Iterator[Case]:
    """`diff` without any index, page cache warm."""
    a, b = place.pair
    place.forget()
    diff = place.aefsync("diff", a, b, before=place.forget_and_warm)
    yield Case("diff, no index", diff, "diff -rq", place.peer("diff", "-rq", a, b, before=place.warm), goal=0.5)
    rsync = place.peer("rsync", "-acn", f"{a}/", f"{b}/", before=place.warm)
    yield Case("diff, no index", diff, "rsync -acn", rsync)
    if place.slow_peers and shutil.which("rclone"):
        rclone = place.peer("rclone", "check", "--download", "-q", a, b, before=place.warm)
        yield Case("diff, no index", diff, "rclone check --download", rclone, max_runs=SLOW_PEER)


def second_diff(place: Place) -> Iterator[Case]:
    """`diff` with a warm index, where nothing was read for it but stats."""
    a, b = place.pair
    place.forget()
    diff = place.aefsync("diff", a, b)
    diff.run()
    yield Case("diff, index warm", diff, "rsync -an", place.peer("rsync", "-an", f"{a}/", f"{b}/"))


def first_copy(place: Place) -> Iterator[Case]:
    """First `repair` into nothing: of the small files, and of one large file, which `cp` and `sync` are the measure of."""
    a, b, c = place.pair[0], place.root / "copy-B", place.root / "copy-C"

    def begin_anew() -> None:
        place.forget()
        for tree in (b, c):
            shutil.rmtree(tree, ignore_errors=True)

    def case(what: str, source: Path, peer_name: str, peer: Command, goal: float) -> Case:
        return Case(what, place.aefsync("repair", source, b, before=begin_anew), peer_name, peer, goal=goal)

    rsync = place.peer("rsync", "-a", "--exclude=.aefsync", f"{a}/", c, before=begin_anew)
    yield case("first copy, small files", a, "rsync -a", rsync, 1.0)
    large = place.large
    plain = place.peer("sh", "-c", 'cp -a "$0" "$1" && sync "$1"/*', large, c, before=begin_anew)
    yield case(f"first copy, {LARGE >> 20} MiB in one file", large, "cp + sync", plain, 1.2)
    begin_anew()


def far_copy(place: Place) -> Iterator[Case]:
    """The same over SSH, against rsync over the very same ssh: many small files, and 1 GiB in eight."""
    folder = place.root / "sshd"
    folder.mkdir()
    sshd = Sshd(folder)
    sshd.far(folder)
    b, c = place.root / "far-B", place.root / "far-C"

    def begin_anew() -> None:
        place.forget()
        for tree in (b, c):
            shutil.rmtree(tree, ignore_errors=True)

    def case(what: str, source: Path) -> Case:
        repair = place.aefsync("repair", "--ssh", sshd.ssh, source, f"box:{b}", before=begin_anew)
        words = ("rsync", "-a", "-e", sshd.ssh, "--exclude=.aefsync", f"{source}/", f"box:{c}")
        return Case(what, repair, "rsync -a", place.peer(*words, before=begin_anew), goal=1.0)

    try:
        yield case("first copy over SSH, small files", place.pair[0])
        large = place.root / "large-files"
        large_files(large, 8, 1 << 27, place.seed)
        yield case("first copy over SSH, 1 GiB in eight files", large)
        shutil.rmtree(large)
    finally:
        sshd.stop()
        begin_anew()


def curve(place: Place) -> Iterator[Case]:
    """Time and memory against the number of files, in one flat directory and 40 directories deep."""
    for shape in (flat, deep):
        for files in (10_000, 100_000, 1_000_000):
            if files <= place.most:
                yield from _point(place, shape, files)


def _point(place: Place, shape: Callable[[Path, int, int], None], files: int) -> Iterator[Case]:
    """First repair into nothing, `repair` with nothing to do, `diff` where every file differs."""
    what = f"{files:,} {shape.__name__}"
    a, b, c, other = (place.root / f"curve-{name}" for name in ("A", "B", "C", "other"))
    print(f"... writing {what} files, twice", file=sys.stderr, flush=True)
    shape(a, files, 0)
    shape(other, files, 1)

    def case(name: str, ours: Command, peer_name: str, peer: Command) -> Case:
        runs = SLOW_PEER if files > 100_000 else 1000
        return Case(f"{name}, {what}", ours, peer_name, peer, goal_mib=200, entries=files, max_runs=runs)

    def begin_anew() -> None:
        place.forget()
        shutil.rmtree(b, ignore_errors=True)

    first = place.aefsync("repair", a, b, before=begin_anew)
    copied = place.peer(
        "rsync", "-a", "--exclude=.aefsync", f"{a}/", c, before=lambda: shutil.rmtree(c, ignore_errors=True)
    )
    yield case("first repair", first, "rsync -a", copied)
    rsync = place.peer("rsync", "-a", "--exclude=.aefsync", f"{a}/", f"{b}/")
    yield case("repair, nothing to do", place.aefsync("repair", a, b), "rsync -a", rsync)
    different = place.peer("diff", "-rq", "--exclude=.aefsync", a, other, codes=(0, 1))
    yield case("diff, all different", place.aefsync("diff", a, other, codes=(1,)), "diff -rq", different)
    for tree in (a, b, c, other):
        shutil.rmtree(tree)


def rename(place: Place) -> Iterator[Case]:
    """`repair --mirror` after a directory with 1 GiB in it got another name, against one with nothing to do."""
    a, b = place.root / "renamed-A", place.root / "renamed-B"
    print("... writing 1 GiB, twice", file=sys.stderr, flush=True)
    one, other = a / "one", a / "other"
    large_files(one, 1024, 1 << 20, place.seed)
    subprocess.run(["cp", "-a", a, b], check=True)
    place.aefsync("repair", a, b).run()

    def turn() -> None:
        old, new = (one, other) if one.exists() else (other, one)
        old.rename(new)

    repair = place.aefsync("repair", "--mirror", "--max-delete", "0", a, b)
    renamed = place.aefsync("repair", "--mirror", "--max-delete", "0", a, b, before=turn)
    yield Case("repair --mirror, 1 GiB renamed", renamed, "nothing to do", repair, goal=1.2)
    for tree in (a, b):
        shutil.rmtree(tree)


def burst(place: Place) -> Iterator[Case]:
    """One `repair` of 10,000 small files that were edited on one side, with versions and as a mirror."""
    a, b, c = (place.root / f"burst-{name}" for name in "ABC")
    small_files(a, BURST, place.size, place.seed)
    for copy in (b, c):
        subprocess.run(["cp", "-a", a, copy], check=True)
    turns = itertools.count(1)

    def edit() -> None:
        turn = next(turns)
        for number, file in enumerate(a.glob("d*/*.dat")):
            with file.open("r+b") as content:
                content.write(turn.to_bytes(8))
            when = 1_700_000_000_000_000_000 + turn * 10**10 + number * 1_000_001
            os.utime(file, ns=(when, when))

    place.aefsync("repair", a, b).run()
    rsync = place.peer("rsync", "-a", "--exclude=.aefsync", f"{a}/", f"{c}/", before=edit)
    yield Case("10,000 edits", place.aefsync("repair", a, b, before=edit), "rsync -a", rsync, goal=1.5)
    mirror = place.aefsync("repair", "--mirror", a, b, before=edit)
    yield Case("10,000 edits, --mirror", mirror, "rsync -a", rsync, goal=1.5)
    for tree in (a, b, c):
        shutil.rmtree(tree)


def reconcile(place: Place) -> Iterator[Case]:
    """The decisions on as many differing paths as there are files, without a disk, against a look at each of them."""
    for mixture, replicas in itertools.product(MIXTURES, (2, 3)):
        differences = differing(place.files, replicas, mixture, place.seed)
        ours = Call(functools.partial(decide, differences, replicas))
        peer = Call(functools.partial(collections.deque, differences, maxlen=0))
        what = f"reconcile, {replicas} replicas, edits {mixture}"
        yield Case(what, ours, "a look at each", peer, entries=place.files, goal_rate=200_000)


def versions() -> list[str]:
    """What was compared, for the head of the table."""
    lines = [f"python {sys.version.split()[0]}"]
    for program in ("rsync", "unison", "rclone", "diff"):
        if path := shutil.which(program):
            flag = "-version" if program == "unison" else "--version"
            said = subprocess.run([path, flag], capture_output=True, text=True, check=False)
            lines.append(" ".join((said.stdout.splitlines() or [program])[0].split()))
    return lines


WORKLOADS: dict[str, Workload] = {
    "start-up": start_up,
    "first-diff": first_diff,
    "second-diff": second_diff,
    "no-op": no_op,
    "first-copy": first_copy,
    "far-copy": far_copy,
    "curve": curve,
    "rename": rename,
    "burst": burst,
    "reconcile": reconcile,
}
