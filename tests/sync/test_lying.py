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

from aefsync.sync.agent import Pin
from tests.support.liars import SESSIONS, check, contents, lied_by_agent, lied_by_coordinator

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
