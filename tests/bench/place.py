"""Where a benchmark happens: a temporary directory, the trees in it, and a home of its own for every program."""

from __future__ import annotations

import functools
import os
import random
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.bench.measure import Command, Step, nothing

CHECKOUT = Path(__file__).parents[2]
PER_DIRECTORY = 100
SMALLEST = 100
LARGE = 2 << 30
"""Bytes of the large file."""
_PIECE = 1 << 22
DEPTH = 40


@dataclass
class Place:
    """`root` is empty at first; `files`, `size` (bytes of the largest small file) and `seed` shape the trees.

    `most` is how far the curve goes; `slow_peers`: also those that take many minutes.
    """

    root: Path
    files: int
    size: int
    seed: int
    most: int
    slow_peers: bool

    @functools.cached_property
    def pair(self) -> tuple[Path, Path]:
        """Two equal trees of small files, 100 to a directory, sizes log-uniform."""
        a, b = self.root / "A", self.root / "B"
        print(f"... writing {self.files} files, twice", file=sys.stderr, flush=True)
        small_files(a, self.files, self.size, self.seed)
        subprocess.run(["cp", "-a", a, b], check=True)
        os.sync()
        return a, b

    @functools.cached_property
    def tiny_pair(self) -> tuple[Path, Path]:
        """Two equal trees of ten files."""
        a, b = self.root / "tiny-A", self.root / "tiny-B"
        small_files(a, 10, 1000, self.seed)
        subprocess.run(["cp", "-a", a, b], check=True)
        return a, b

    @functools.cached_property
    def large(self) -> Path:
        """A directory of one file of `LARGE` bytes that no compression makes smaller."""
        directory = self.root / "large"
        large_files(directory, 1, LARGE, self.seed)
        return directory

    @property
    def cache(self) -> Path:
        return self.root / "home" / "cache"

    @property
    def home(self) -> dict[str, str]:
        """The environment that keeps every program's files in the benchmark's directory."""
        home = self.root / "home"
        home.mkdir(exist_ok=True)
        names = {"XDG_CACHE_HOME": "cache", "XDG_STATE_HOME": "state", "XDG_CONFIG_HOME": "config", "UNISON": "unison"}
        return {"HOME": str(home), **{name: str(home / part) for name, part in names.items()}}

    def forget(self) -> None:
        """Delete every index and what is known of roots: cache and state, and `.aefsync/` in the trees."""
        shutil.rmtree(self.cache, ignore_errors=True)
        shutil.rmtree(self.root / "home" / "state", ignore_errors=True)
        for tree in self.root.iterdir():
            shutil.rmtree(tree / ".aefsync", ignore_errors=True)

    def warm(self) -> None:
        """Read every file of the pair: some machines reclaim page cache within minutes, and so between two runs."""
        script = 'find "$@" -type f -print0 | xargs -0 cat'
        subprocess.run(["sh", "-c", script, "sh", *self.pair], stdout=subprocess.DEVNULL, check=True)

    def forget_and_warm(self) -> None:
        self.forget()
        self.warm()

    def aefsync(self, *args: str | Path, before: Step = nothing, codes: tuple[int, ...] = (0,)) -> Command:
        """Our program, started by the same interpreter, through the installed command where there is one."""
        script = Path(sys.executable).with_name("aefsync")
        argv: list[str | Path] = [script] if script.exists() else [sys.executable, "-m", "aefsync"]
        # An installed program is compiled once, not at each start, whatever holds for this process.
        compiled = {"PYTHONPATH": str(CHECKOUT), "PYTHONDONTWRITEBYTECODE": ""}
        return Command([*argv, *args], before, {**self.home, **compiled}, codes)

    def peer(self, *args: str | Path, before: Step = nothing, codes: tuple[int, ...] = (0,)) -> Command:
        return Command(args, before, self.home, codes)


def small_files(root: Path, files: int, largest: int, seed: int) -> None:
    """`files` files with sizes log-uniform between 100 bytes and `largest`, dated in the past."""
    source = random.Random(seed)
    noise = source.randbytes(4 << 20)
    ratio = largest / SMALLEST
    for number in range(files):
        directory = root / f"d{number // PER_DIRECTORY:05}"
        if number % PER_DIRECTORY == 0:
            directory.mkdir(parents=True)
        size = round(SMALLEST * ratio ** source.random())
        start = source.randrange(len(noise) - size)
        descriptor = os.open(directory / f"file-{number:07}.dat", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        os.write(descriptor, noise[start : start + size])
        when = 1_600_000_000_000_000_000 + number * 1_000_001
        os.utime(descriptor, ns=(when, when))
        os.close(descriptor)


def large_files(root: Path, files: int, size: int, seed: int) -> None:
    """`files` files of `size` bytes, which nothing makes smaller and no chunk of which is that of another.

    Made piece by piece: what this process held at its largest, Linux counts as the peak of those it starts, too.
    """
    root.mkdir(parents=True)
    source = random.Random(seed)
    for number in range(files):
        with (root / f"file-{number:05}.dat").open("wb") as file:
            for at in range(0, size, _PIECE):
                file.write(source.randbytes(min(_PIECE, size - at)))


def flat(root: Path, files: int, age_s: int) -> None:
    """So many tiny files in one directory, all `age_s` older than in another tree of the kind."""
    root.mkdir()
    _tiny_files(root, range(files), age_s)


def deep(root: Path, files: int, age_s: int) -> None:
    """The same, 100 to a directory, in chains of directories 40 deep."""
    root.mkdir()
    directory = root
    for number, start in enumerate(range(0, files, PER_DIRECTORY)):
        directory = directory / "below" if number % DEPTH else root / f"chain-{number:05}"
        directory.mkdir()
        _tiny_files(directory, range(start, min(start + PER_DIRECTORY, files)), age_s)


def _tiny_files(directory: Path, numbers: range, age_s: int) -> None:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    for number in numbers:
        file = os.open(f"file-{number:07}.dat", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644, dir_fd=fd)
        os.write(file, b"%d" % number)
        when = 1_600_000_000_000_000_000 + number * 1_000_001 - age_s * 1_000_000_000
        os.utime(file, ns=(when, when))
        os.close(file)
    os.close(fd)
