"""Replicas that meet at random, each time reached by another way, some by a key that lets nothing be changed, or nothing be
destroyed; some runs killed, some agents killed or stopped: no content that was there is ever gone, in the end all agree, and
where only one is edited nothing comes back to it.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path

import pytest

from tests.e2e.program import Arg, Program, finish, wait_until
from tests.e2e.user import User
from tests.support.kept import kept
from tests.support.sshd import Sshd
from tests.support.trees import judge, survey

SEEDS = int(os.environ.get("AEFSYNC_TEST_SESSIONS", "10"))
KEPT = ("trash", "quarantine", "tmp")
"""What of `.aefsync/` holds contents of users."""
COMMANDS = [
    *[("repair",)] * 12,
    ("repair", "-H"),
    ("repair", "-X", "--durability", "full"),
    ("repair", "--no-delete"),
    ("repair", "--conflicts", "newest"),
    ("repair", "--resolve", "lww"),
    ("repair", "--mirror", "--max-delete", "100%"),
    ("conflicts", "resolve", "--all", "--take", "newest"),
    ("undo", "last"),
    ("undo", "last"),
]
FINE = {0, 1, 4, 5, 6, 7}
"""What a session may come to; to undo, or to settle, nothing at all is refused with 3."""
KILLED = {137, 143}


class Meetings:
    """Three roots and their users, and how they are reached."""

    def __init__(self, aefsync: Program, sshd: Sshd, place: Path, seed: int) -> None:
        self.roots = [place / name for name in "ABC"]
        self.chance = random.Random(seed)
        self.users = [User(root, self.chance) for root in self.roots]
        self._aefsync = aefsync
        self._sshd = sshd
        for root in self.roots:
            root.mkdir()

    def edit(self) -> None:
        for _ in range(self.chance.randrange(12)):
            self.chance.choice(self.users).edit()

    def meet(self, *, may_be_killed: bool) -> None:
        """Some of them meet, in one way or another; what any of them had is somewhere afterwards."""
        before = contents(self.roots)
        command, *options = self.chance.choice(COMMANDS)
        roots = self.chance.sample(self.roots, self.chance.choice([2, 2, 3]))
        struck_after_s = self.chance.uniform(0.2, 3.0) if may_be_killed and self.chance.random() < 0.35 else None
        with self._limited(self.chance.choice(roots)) if self.chance.random() < 0.4 else nullcontext() as limited:
            anyhow = limited is None and command == "repair"
            ways = ["box:" if root == limited else self._way(root) if anyhow else str(root) for root in roots]
            words = [command, *ways, *options] if command != "repair" else [command, *options, *ways]
            code = self._run(["--ssh", self._sshd.ssh], words, struck_after_s)
        assert code in FINE | (KILLED if struck_after_s else set()) | ({3} if command != "repair" else set()), words
        after = contents(self.roots)
        assert not [path for content, path in before.items() if content not in after], words

    def agree(self) -> None:
        """No more edits: one run settles everything, and the next one has nothing to do."""
        for root in self.roots:
            # A run over SFTP that was killed holds the root for two minutes more.
            (root / ".aefsync" / "lease").unlink(missing_ok=True)
        self._aefsync("repair", *self.roots, "--max-delete", "100%").expect(0, 1)
        outcome = self._aefsync("repair", *self.roots).expect(0)
        assert (outcome.out, outcome.err) == (b"", b"")
        for other in self.roots[1:]:
            assert not judge(self.roots[0], other)
        assert not [left for root in self.roots for left in (root / ".aefsync" / "tmp").iterdir()]

    def _way(self, root: Path) -> str:
        return self.chance.choice([str(root), f"box:{root}", f"sftp://box{root}"])

    @contextlib.contextmanager
    def _limited(self, root: Path) -> Iterator[Path]:
        """The host leads to an agent of this root alone, which lets nothing be changed there, or nothing be destroyed."""
        limit = self.chance.choice(["--read-only", "--append-only"])
        self._sshd.far(self._aefsync.home, forced=f"aefsync agent --root {root} {limit}")
        with kept(root, read_only=limit == "--read-only"):
            yield root
        self._sshd.far(self._aefsync.home)

    def _run(self, ssh: Sequence[Arg], words: Sequence[Arg], struck_after_s: float | None) -> int:
        command, *rest = words
        environment = {"HOME": str(self._aefsync.home), "AEFSYNC_TIMEOUT": "5s", "AEFSYNC_RETRIES": "0"}
        process = self._aefsync.start(command, *ssh, *rest, env=environment)
        struck = None
        if struck_after_s is not None:
            try:
                process.wait(struck_after_s)
            except subprocess.TimeoutExpired:
                struck = self._strike(process.pid)
        outcome = finish(process).expect(*FINE, *KILLED, 3)
        if struck is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(struck, signal.SIGCONT)
            wait_until(lambda: not self._aefsync.processes(), "the agents to end")
        return outcome.code

    def _strike(self, coordinator: int) -> int:
        """Kill it, or an agent, or stop that: who it is."""
        agents = [
            each for each in self._aefsync.processes() if b"\0agent\0" in Path(f"/proc/{each}/cmdline").read_bytes()
        ]
        if not agents or self.chance.random() < 0.5:
            os.killpg(coordinator, self.chance.choice([signal.SIGKILL, signal.SIGTERM]))
            return coordinator
        agent = self.chance.choice(agents)
        os.kill(agent, self.chance.choice([signal.SIGKILL, signal.SIGSTOP]))
        return agent


def contents(roots: Sequence[Path]) -> dict[bytes, Path]:
    """Every content that any of the roots holds, in place or put away, with a path of it."""
    found: dict[bytes, Path] = {}
    for root in roots:
        for place in (root, *(root / ".aefsync" / name for name in KEPT)):
            for directory, directories, files in os.walk(place):
                directories[:] = [each for each in directories if each != ".aefsync"]
                for path in (Path(directory, name) for name in files if name != ".bytes"):
                    if not path.is_symlink() and (content := path.read_bytes()):
                        found.setdefault(content, path)
    return found


@pytest.mark.parametrize(
    ("seed", "sessions", "may_be_killed"),
    [(0, 1, False), *(pytest.param(seed, 25, True, marks=pytest.mark.slow) for seed in range(1, SEEDS + 1))],
)
def test_nothing_is_ever_gone(
    aefsync: Program, sshd: Sshd, home: Path, tmp_path: Path, seed: int, sessions: int, *, may_be_killed: bool
) -> None:
    sshd.far(home)
    (home / ".ssh").mkdir()
    (home / ".ssh" / "config").write_text((sshd.folder / "ssh_config").read_text())
    meetings = Meetings(aefsync, sshd, tmp_path, seed)
    for _ in range(sessions):
        meetings.edit()
        meetings.meet(may_be_killed=may_be_killed)
    meetings.agree()


@pytest.mark.parametrize(
    ("seed", "runs"), [(0, 2), *(pytest.param(seed, 25, marks=pytest.mark.slow) for seed in range(1, SEEDS + 1))]
)
def test_who_alone_edits_gets_nothing_back(aefsync: Program, tmp_path: Path, seed: int, runs: int) -> None:
    a, b, chance = tmp_path / "A", tmp_path / "B", random.Random(seed)
    a.mkdir()
    user = User(a, chance)
    words = ["repair", a, b, "--max-delete", "100%", "--allow-empty-root", "--allow-unrelated-roots"]
    for _ in range(runs):
        for _ in range(chance.choice([5, 50, 200])):
            user.edit()
        before = survey(a)
        aefsync(*words).expect(0)
        assert survey(a) == before
        assert not list(b.rglob("*.conflict-*"))
    aefsync(*words).expect(0)
    assert survey(b) == survey(a) == before
