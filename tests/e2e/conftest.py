"""Fixtures of the tests that run the real program."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.e2e.program import Program, wait_until
from tests.e2e.warm import Warm


class Pair(NamedTuple):
    a: Path
    b: Path


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    """Where two replicas are to be made."""
    return Pair(tmp_path / "A", tmp_path / "B")


@pytest.fixture
def last_write_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Repairs go by the newest mtime, and keep no versions, unless told otherwise."""
    monkeypatch.setenv("AEFSYNC_RESOLVE", "lww")


@pytest.fixture(scope="session")
def warm() -> Iterator[Warm | None]:
    """Who runs the program without starting an interpreter; with COLD_START set, nobody."""
    if sys.platform != "linux" or os.environ.get("COLD_START"):
        yield None
        return
    server = Warm(Program(Path()).environment())
    yield server
    server.close()


@pytest.fixture
def aefsync(home: Path, warm: Warm | None) -> Iterator[Program]:
    """The program; after the test none of its processes may be left."""
    program = Program(home, warm=warm)
    yield program
    try:
        wait_until(lambda: not program.processes(), "its processes to end", 5.0)
    finally:
        for process in program.processes():
            os.kill(process, signal.SIGKILL)
