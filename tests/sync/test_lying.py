"""A peer that lies: an agent to the coordinator, a coordinator to the agent, in every sort of session.

Each session is a real one, over real trees, in which one value of one message is not what it should be (`support/lies`):
it ends with a result or a clear error, in time; outside of the roots nothing is read or written, in them nothing is lost.
The long form tells thousands of lies; what it says of a failure is the seed to tell that one again by.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from aefsync.core.ports import Open, Opened
from aefsync.core.silent import Silent
from aefsync.disk.opening import host
from aefsync.sync.agent import Pin, PinnedReplica
from aefsync.sync.repair import repair
from tests.support.far import hosts
from tests.support.liars import SESSIONS, Ground, check, contents, ended, lied_by_agent, lied_by_coordinator
from tests.sync.joined import threads

AT_LENGTH = int(os.environ.get("AEFSYNC_TEST_LIES", "150"))
"""Lies in each sort of session and on each side, in the long form."""
SEED = 1_000_002
PINS = ("any", "rooted", "read-only", "append-only")


def by_agent(folder: Path, session: str, seed: int) -> None:
    place = folder / str(seed)
    place.mkdir()
    check(lied_by_agent(place, session, seed))
    shutil.rmtree(place)


def by_coordinator(folder: Path, session: str, seed: int) -> None:
    place = folder / str(seed)
    place.mkdir()
    kind = PINS[seed % len(PINS)]
    root = os.fsencode(place / "B") if kind == "rooted" else None
    pin = Pin(root, read_only=kind == "read-only", append_only=kind == "append-only")
    trial = lied_by_coordinator(place, session, seed, pin)
    check(trial)
    if kind == "read-only":
        assert set(contents(trial.ground.b).values()) == trial.ground.own[1]
    shutil.rmtree(place)


class OnOurHost(PinnedReplica):
    """Says that its root is on the host of the coordinator, in a place that is none of its business."""

    claimed = b""

    def hello(self, request: Open) -> Opened:
        return super().hello(request)._replace(host=host(), root=self.claimed)


@pytest.mark.parametrize("versions", [False, True])
def test_nobody_looks_where_an_agent_says_that_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, versions: bool
) -> None:
    ground = Ground(tmp_path)
    monkeypatch.setattr(OnOurHost, "claimed", os.fsencode(ground.outside))
    request = ground.request(f"box:{ground.b}")
    with threads(), hosts() as there:
        there.serving = lambda: OnOurHost(Pin())
        said = ended(lambda: repair(ground.repairing(request, versions=versions), Silent()))
    assert said.trace == ""
    assert said.code in (0, 1)
    ground.check_outside()
    assert (ground.a / "f/new there").read_bytes() == (ground.b / "f/new there").read_bytes()
    assert (ground.a / "d/f1").read_bytes() != b"secret outside"


@pytest.mark.parametrize("session", SESSIONS)
def test_an_agent_that_lies(tmp_path: Path, session: str) -> None:
    by_agent(tmp_path, session, SEED)


@pytest.mark.parametrize("session", ["lww", "versions"])
def test_a_coordinator_that_lies(tmp_path: Path, session: str) -> None:
    by_coordinator(tmp_path, session, SEED)


@pytest.mark.slow
@pytest.mark.parametrize("session", SESSIONS)
def test_agents_that_lie(tmp_path: Path, session: str) -> None:
    for seed in range(AT_LENGTH):
        by_agent(tmp_path, session, seed)


@pytest.mark.slow
@pytest.mark.parametrize("session", SESSIONS)
def test_coordinators_that_lie(tmp_path: Path, session: str) -> None:
    for seed in range(AT_LENGTH):
        by_coordinator(tmp_path, session, seed)
