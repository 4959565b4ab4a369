"""Runs that are told to end, or lose a process, in each of their phases: one line, the right code, nobody left behind."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.e2e.conftest import Pair
from tests.e2e.freeze import Frozen, frozen
from tests.e2e.program import Program, wait_until
from tests.e2e.test_interrupted import command_line, converge, diverged, is_strace
from tests.support.trees import survey

pytestmark = pytest.mark.usefixtures("last_write_wins")

PHASES = {
    "scan": ("getdents64:when=1", signal.SIGHUP, 129),
    "copy": ("copy_file_range,sendfile,write,pwrite64:when=60", signal.SIGTERM, 143),
    "apply": ("renameat2:when=50", signal.SIGINT, 130),
    "record": ("syncfs,fsync,fdatasync:when=1", signal.SIGTERM, 143),
}


def held(aefsync: Program, pair: Pair, log: Path, phase: str, command: str) -> AbstractContextManager[Frozen]:
    """A run that is held by one of its replicas; the others list directories too, so that is told apart by where."""
    where = (pair.a / "d1",) if phase == "scan" else ()
    return frozen(aefsync, log, PHASES[phase][0], where, command, *pair)


def coordinator(aefsync: Program, command: str) -> int:
    mark = b"-m\0aefsync\0" + command.encode()
    (found,) = [pid for pid in aefsync.processes() if mark in command_line(pid) and not is_strace(pid)]
    return found


def replicas(aefsync: Program, run: Frozen) -> list[int]:
    """The processes of replicas that the call has stopped."""
    return [pid for pid in run.stopped if pid in aefsync.processes() and b"sync.parent" in command_line(pid)]


@pytest.mark.parametrize("phase", PHASES)
def test_a_signal_in_each_phase(aefsync: Program, pair: Pair, tmp_path: Path, phase: str) -> None:
    _, number, code = PHASES[phase]
    allowed = diverged(pair)
    with held(aefsync, pair, tmp_path / "log", phase, "repair") as run:
        os.kill(coordinator(aefsync, "repair"), number)
        done = run.go_on()
    assert done.code == code, done
    assert len(done.err.splitlines()) == 1, done
    wait_until(lambda: not aefsync.processes(), "the children to end")
    converge(aefsync, pair, allowed)


def test_a_signal_to_diff(aefsync: Program, pair: Pair, tmp_path: Path) -> None:
    diverged(pair)
    before = [survey(root, exact=True) for root in pair]
    with held(aefsync, pair, tmp_path / "log", "scan", "diff") as run:
        os.kill(coordinator(aefsync, "diff"), signal.SIGINT)
        done = run.go_on()
    assert (done.code, done.out, len(done.err.splitlines())) == (130, b"", 1), done
    assert [survey(root, exact=True) for root in pair] == before
    assert not any((root / ".aefsync").exists() for root in pair)


@pytest.mark.parametrize("phase", ["scan", "apply"])
def test_a_replica_that_is_killed(aefsync: Program, pair: Pair, tmp_path: Path, phase: str) -> None:
    allowed = diverged(pair)
    with held(aefsync, pair, tmp_path / "log", phase, "repair") as run:
        wait_until(lambda: replicas(aefsync, run), "a replica to be held")
        os.kill(replicas(aefsync, run)[0], signal.SIGKILL)
        done = run.go_on()
    assert done.code == 7, done
    assert done.err.startswith((b"aefsync: %s: " % os.fsencode(pair.a), b"aefsync: %s: " % os.fsencode(pair.b))), done
    assert len(done.err.splitlines()) == 1, done
    wait_until(lambda: not aefsync.processes(), "the other processes to end")
    converge(aefsync, pair, allowed)


def test_nobody_reads_what_a_repair_says(aefsync: Program, pair: Pair) -> None:
    allowed = diverged(pair)
    read, write = os.pipe()
    os.close(read)
    # How much Python holds back before it notices differs from version to version.
    environment = aefsync.environment({"PYTHONUNBUFFERED": "1"})
    argv = [*aefsync.argv, "repair", "-i", *pair]
    process = subprocess.Popen(argv, env=environment, stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (141, b"")
    wait_until(lambda: not aefsync.processes(), "its processes to end")
    converge(aefsync, pair, allowed)
