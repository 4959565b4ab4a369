"""A watch that is edited under on both sides, killed, and made to miss events: in the end rsync finds nothing to do."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.e2e.conftest import Pair
from tests.e2e.program import PATIENCE_S, Program, wait_until
from tests.e2e.user import User
from tests.support.trees import judge

QUEUE = Path("/proc/sys/fs/inotify/max_queued_events")


class Watch:
    """The program, watching a pair; it can be killed and begin anew."""

    def __init__(self, aefsync: Program, pair: Pair, log: Path) -> None:
        self._aefsync = aefsync
        self._pair = pair
        self._log = log
        self._process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        # Nobody reads for an hour: a full pipe would stop it.
        argv = [*self._aefsync.argv, "watch", *self._pair, "-q", "--log-file", self._log]
        environment, null = self._aefsync.environment(), subprocess.DEVNULL
        return subprocess.Popen(argv, env=environment, stdin=null, stdout=null, stderr=null, start_new_session=True)

    def kill(self) -> None:
        """Kill all of it at once."""
        for process in self._aefsync.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        self._process.wait(PATIENCE_S)
        self._process = self._start()

    def overflow(self, root: Path) -> None:
        """Have more happen than the kernel keeps, while nobody listens."""
        listening = [process for process in self._aefsync.processes() if process != self._process.pid]
        for process in listening:
            os.kill(process, signal.SIGSTOP)
        for _ in range(int(QUEUE.read_text()) // 2):
            for name in ("one", "other"):
                (root / name).touch()
        (root / "unheard").write_bytes(b"of")
        for process in listening:
            os.kill(process, signal.SIGCONT)

    def end(self) -> None:
        self._process.terminate()
        assert self._process.wait(PATIENCE_S) == 143


@pytest.mark.parametrize(
    ("edits", "a_minute", "kills", "overflows"),
    [(30, 1800, 1, 0), pytest.param(500 * 60, 500, 2, 1, marks=pytest.mark.slow)],
    ids=["short", "an-hour"],
)
def test_edits_on_both_sides(
    aefsync: Program, pair: Pair, tmp_path: Path, edits: int, a_minute: int, kills: int, overflows: int
) -> None:
    chance = random.Random(edits)
    users = [User(root, chance) for root in pair]
    for user in users:
        user.root.mkdir()
        for _ in range(20):
            user.edit()
    watch = Watch(aefsync, pair, tmp_path / "log")
    troubles = sorted(range(1, kills + overflows + 1), key=lambda _: chance.random())
    due = {edits * number // (len(troubles) + 1): kind < kills + 1 for number, kind in enumerate(troubles, 1)}
    begun_s = time.monotonic()
    for number in range(edits):
        chance.choice(users).edit()
        if number in due:
            watch.kill() if due[number] else watch.overflow(pair.a)
        time.sleep(max(0.0, begun_s + number * 60 / a_minute - time.monotonic()))
    # What somebody was in the way of again and again is waited with for longer each time.
    wait_until(lambda: not judge(*pair), "both sides to agree", 10 * PATIENCE_S)
    watch.end()
    said = (tmp_path / "log").read_text()
    assert "Traceback" not in said
    assert not overflows or (pair.b / "unheard").exists()
