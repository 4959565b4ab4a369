"""Stop, hold or kill the program at a chosen system call: strace injects it, so that nothing hangs on chance."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.program import Arg, Outcome, Program, finish, wait_until

HOLD_S = 1.5


@functools.cache
def can_trace() -> bool:
    """Whether strace is there and allowed to."""
    if not shutil.which("strace"):
        return False
    return subprocess.run(["strace", "-f", "true"], capture_output=True, check=False).returncode == 0


def strace(log: Path, inject: str, *paths: Arg) -> list[Arg]:
    """The prefix that runs a program with `inject` (see strace(1)), limited to calls on these paths as spelt there."""
    if not can_trace():
        pytest.skip("strace cannot trace here")
    calls = inject.partition(":")[0]
    command: list[Arg] = ["strace", "-f", "-q", "-o", log, "-e", f"trace={calls}", "-e", f"inject={inject}"]
    for path in paths:
        command += ["-P", path]
    return command


class Frozen:
    """A run that waits at the chosen call."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self._log = log

    @property
    def said(self) -> str:
        """What strace wrote so far."""
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    def wait(self, condition: Callable[[], object], what: str) -> None:
        """Wait for a condition while the program runs."""

        def met() -> bool:
            if condition():
                return True
            assert self.process.poll() is None, (
                f"ended before {what}: {self.process.communicate()}\n{self.said[-3000:]}"
            )
            return False

        wait_until(met, what)

    @property
    def stopped(self) -> list[int]:
        """The processes that SIGSTOP has stopped, or had: each counts its own calls, so it can be both replicas'."""
        return [int(pid) for pid in re.findall(r"^(\d+) +--- stopped by SIGSTOP ---", self.said, re.MULTILINE)]

    def resume(self) -> bool:
        """Let go of whatever has stopped; whether the run has ended."""
        for pid in self.stopped:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        return self.process.poll() is not None

    def go_on(self) -> Outcome:
        """Let it run to its end; what was held must still be so, or the test has been too slow to mean anything."""
        if self.stopped:
            wait_until(self.resume, "the run to end")
        else:
            assert "DELAYED" not in self.said, "this machine is too slow"
        return finish(self.process)


@contextlib.contextmanager
def _started(
    program: Program, log: Path, inject: str, paths: tuple[Arg, ...], args: tuple[Arg, ...]
) -> Iterator[Frozen]:
    process = program.under(*strace(log, inject, *paths)).start(*args)
    try:
        yield Frozen(process, log)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe:
                pipe.close()


@contextlib.contextmanager
def frozen(program: Program, log: Path, call: str, paths: tuple[Arg, ...], *args: Arg) -> Iterator[Frozen]:
    """Run the program until it is stopped right after the call; `call` names calls and, with `:when=`, which of them."""
    with _started(program, log, f"{call}:signal=SIGSTOP", paths, args) as run:
        run.wait(lambda: run.stopped, f"{call} was made")
        yield run


@contextlib.contextmanager
def held(program: Program, log: Path, call: str, paths: tuple[Arg, ...], *args: Arg) -> Iterator[Frozen]:
    """Run the program until it is about to make the call, and hold it there for `HOLD_S`."""
    with _started(program, log, f"{call}:delay_enter={HOLD_S:.1f}s", paths, args) as run:
        run.wait(lambda: re.search(r"^\d+ +\w+\(", run.said, re.MULTILINE), f"{call} was about to be made")
        yield run
