"""Stop, or kill, the program at a chosen system call: strace injects the signal, so nothing depends on timing."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.program import Arg, Outcome, Program, finish, wait_until


def strace(log: Path, inject: str, *paths: Arg) -> list[Arg]:
    """The prefix that runs a program with `inject` (see strace(1)), limited to calls on these paths as spelt there."""
    if (
        not shutil.which("strace")
        or subprocess.run(["strace", "-f", "true"], capture_output=True, check=False).returncode
    ):
        pytest.skip("strace cannot trace here")
    calls = inject.partition(":")[0]
    command: list[Arg] = [
        "strace",
        "-f",
        "-qq",
        "--seccomp-bpf",
        "-o",
        log,
        "-e",
        f"trace={calls}",
        "-e",
        f"inject={inject}",
    ]
    for path in paths:
        command += ["-P", path]
    return command


class Frozen:
    """A run that has stopped at the chosen call."""

    def __init__(self, process: subprocess.Popen[bytes], stopped: int) -> None:
        self.process = process
        self.stopped = stopped

    def go_on(self) -> Outcome:
        """Let it run to its end."""
        os.kill(self.stopped, signal.SIGCONT)
        return finish(self.process)


@contextlib.contextmanager
def frozen(program: Program, log: Path, inject: str, paths: tuple[Arg, ...], *args: Arg) -> Iterator[Frozen]:
    """Run the program until it stops at the call; `inject` names the calls and, with `when=`, which of them."""
    process = program.under(*strace(log, f"{inject}:signal=SIGSTOP", *paths)).start(*args)

    def stopped() -> re.Match[str] | None:
        said = log.read_text(errors="replace") if log.exists() else ""
        assert process.poll() is None, f"ended before it came to {inject}: {process.communicate()}\n{said}"
        return re.search(r"^(\d+) +--- stopped by SIGSTOP ---", said, re.MULTILINE)

    try:
        wait_until(stopped, inject)
        match = stopped()
        assert match
        yield Frozen(process, int(match[1]))
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
