"""The real program as a subprocess, with a home of its own, and what a run of it came to."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tests.e2e.warm import Warm

CHECKOUT = Path(__file__).parents[2]
PATIENCE_S = 60.0

ORDINARY = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
"""Put before a command: it runs without root's power to read what permission bits forbid."""

Arg = str | bytes | Path


class Outcome(NamedTuple):
    """How a run ended: exit code as a shell sees it, and what it printed."""

    code: int
    out: bytes
    err: bytes

    @property
    def lines(self) -> list[str]:
        return self.out.decode(errors="surrogateescape").splitlines()

    @property
    def events(self) -> list[dict[str, Any]]:
        """The events of a run with `--json`."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def summary(self) -> dict[str, Any]:
        """The last event of a run with `--json`."""
        last = self.events[-1]
        assert last["event"] == "summary", last
        return last

    def expect(self, *codes: int) -> Outcome:
        """This, if it ended with one of these exit codes; a traceback is never fine."""
        shown = f"exit code {self.code}\n--- stdout\n{self.out[-3000:].decode(errors='replace')}\n--- stderr\n"
        shown += self.err[-3000:].decode(errors="replace")
        assert self.code in codes, shown
        assert b"Traceback" not in self.err, shown
        return self


class Program:
    """Starts aefsync.  `prefix` are the arguments of a program that is to start it.

    What is run to its end, with nothing before it, is run by `warm`, where there is one.
    """

    def __init__(self, home: Path, prefix: Sequence[Arg] = (), warm: Warm | None = None) -> None:
        self.home = home
        self.prefix = prefix
        self._warm = warm

    def under(self, *prefix: Arg) -> Program:
        """The same program started by another one."""
        return Program(self.home, prefix)

    @property
    def argv(self) -> list[Arg]:
        return [*self.prefix, sys.executable, "-m", "aefsync"]

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        return {**os.environ, "PYTHONPATH": str(CHECKOUT), "PYTHONDEVMODE": "", **(extra or {})}

    def start(
        self, *args: Arg, env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> subprocess.Popen[bytes]:
        """Start it in a process group of its own."""
        return subprocess.Popen(
            [*self.argv, *args],
            env=self.environment(env),
            cwd=cwd or self.home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def __call__(self, *args: Arg, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> Outcome:
        """Run it to its end."""
        environment = self.environment(env)
        if self._warm is None or not self._warm.suits(environment):
            return finish(self.start(*args, env=env, cwd=cwd))
        code, out, err = self._warm.run([os.fsdecode(arg) for arg in args], environment, cwd or self.home, PATIENCE_S)
        return _outcome(args, code, out, err)

    def processes(self) -> list[int]:
        """The processes of this test that are alive, found by their environment or where they come from (Linux)."""
        mark = f"HOME={self.home}".encode()
        found = self._warm.processes() if self._warm else []
        for place in Path("/proc").glob("[0-9]*"):
            try:
                alive = b") Z " not in (place / "stat").read_bytes()
                if alive and mark in (place / "environ").read_bytes().split(b"\0") and int(place.name) not in found:
                    found.append(int(place.name))
            except OSError:
                continue
        return found


def finish(process: subprocess.Popen[bytes], patience_s: float = PATIENCE_S) -> Outcome:
    """Wait for a run; one that hangs is killed and is a failure."""
    try:
        out, err = process.communicate(timeout=patience_s)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return _outcome(process.args, None, *process.communicate())
    return _outcome(process.args, process.returncode, out, err)


def _outcome(args: object, code: int | None, out: bytes, err: bytes) -> Outcome:
    assert code is not None, f"hangs: {args}\n{out[-2000:]!r}\n{err[-2000:]!r}"
    return Outcome(code if code >= 0 else 128 - code, out, err)


def wait_until(condition: Callable[[], object], what: str, patience_s: float = PATIENCE_S) -> None:
    """Poll; a condition that never comes true is a failure."""
    end = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < end, f"waited in vain for {what}"
        time.sleep(0.005)
