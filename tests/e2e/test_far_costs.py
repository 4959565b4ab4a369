"""What a session over SSH costs, and what becomes of one whose connection breaks, or falls silent, or is far away."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.e2e.program import finish, wait_until
from tests.e2e.test_ssh import Far, far
from tests.support.proxy import Proxy
from tests.support.trees import judge, survey, tree

__all__ = ["far"]


def many(root: Path, number: int) -> Path:
    return tree(root, {f"d{n % 40}/file {n}": f"content {n}" for n in range(number)})


@pytest.fixture
def agreed(far: Far, tmp_path: Path) -> Far:
    """Two equal trees whose indexes know everything."""
    many(tmp_path / "A", 2000)
    tree(far.home / "B", {})
    far("repair", tmp_path / "A", "box:B").expect(0)
    return far


def test_nothing_changed_costs_next_to_nothing(agreed: Far, tmp_path: Path) -> None:
    repaired = agreed("repair", tmp_path / "A", "box:B", "--json").expect(0).summary
    compared = agreed("diff", tmp_path / "A", "box:B", "--json").expect(0).summary
    assert (repaired["equal"], compared["equal"]) == (True, True)
    for end, trips in ((repaired, 3), (compared, 2)):
        assert 0 < end["sent_bytes"] + end["received_bytes"] <= 2000
        assert end["round_trips"] <= trips


@pytest.mark.slow
def test_a_far_away_host_is_asked_little(agreed: Far, tmp_path: Path) -> None:
    round_trip_s = 0.6
    proxy = Proxy(agreed.server.port, round_trip_s / 2)
    try:
        ssh = f"{agreed.server.ssh} -o HostName=127.0.0.1 -o Port={proxy.port}"
        begun = time.monotonic()
        subprocess.run([*shlex.split(ssh), "box", "true"], check=True)
        middle = time.monotonic()
        agreed("diff", tmp_path / "A", "box:B", ssh=ssh).expect(0)
        took_s, setup_s = time.monotonic() - middle, middle - begun
        assert took_s - setup_s <= 6 * round_trip_s
    finally:
        proxy.close()


def test_a_connection_that_breaks_anywhere_harms_nothing(far: Far, tmp_path: Path) -> None:
    files = {f"d{n}/f{n}": os.urandom(40_000) for n in range(8)}
    whole = Proxy(far.server.port)
    tree(tmp_path / "A", {})
    tree(far.home / "whole", files)
    far("repair", tmp_path / "A", "box:whole", ssh=f"{far.server.ssh} -o Port={whole.port}").expect(0)
    whole.close()
    tree(far.home / "B", files)
    before = survey(far.home / "B")
    tree(tmp_path / "C", {})
    for part in range(1, 4):
        proxy = Proxy(far.server.port, limit=whole.returned_bytes * part // 4)
        outcome = far("repair", tmp_path / "C", "box:B", ssh=f"{far.server.ssh} -o Port={proxy.port}").expect(7)
        proxy.close()
        assert b"box:B: " in outcome.err
        arrived = survey(tmp_path / "C")
        assert {path: arrived[path] for path in arrived} == {path: before[path] for path in arrived}
        assert survey(far.home / "B") == before
    far("repair", tmp_path / "C", "box:B").expect(0)
    assert not judge(tmp_path / "C", far.home / "B")
    assert list((tmp_path / "C" / ".aefsync" / "tmp").iterdir()) == []


def test_a_host_that_falls_silent_is_given_up(far: Far, tmp_path: Path) -> None:
    tree(tmp_path / "A", {"f": "x"})
    tree(far.home / "B", {"f": "y"})
    program = far.home / "stops"
    program.write_text(f"#!/bin/sh\necho $$ >{far.home}/pid\nexec sleep 60\n")
    program.chmod(0o755)
    process = far.program.start(
        *("repair", "--ssh", far.server.ssh, "--retries", "0", "--remote-command", str(program)),
        *("--timeout", "5s", "--connect-timeout", "3s", str(tmp_path / "A"), "box:B"),
    )
    try:
        outcome = finish(process).expect(7)
        assert b"box:B: connection lost: no byte for" in outcome.err
    finally:
        wait_until((far.home / "pid").exists, "the far side to begin")
        os.kill(int((far.home / "pid").read_text()), signal.SIGKILL)
    assert not (tmp_path / "A" / ".aefsync").exists()


def test_a_read_only_side_is_left_as_it_is_and_says_what_is_missing(far: Far, tmp_path: Path) -> None:
    tree(tmp_path / "A", {"f": "x", "d/g": "y"})
    tree(far.home / "B", {"h": "z"})
    before = survey(far.home / "B", exact=True)
    far.server.far(far.home, forced=f"aefsync agent --root {far.home}/B --read-only")
    outcome = far("repair", tmp_path / "A", "box:").expect(1)
    assert [line for line in outcome.err.decode().splitlines() if "read-only" in line] == [
        "aefsync: B is read-only: mkdir d left undone",
        "aefsync: B is read-only: create d/g left undone",
        "aefsync: B is read-only: create f left undone",
    ]
    assert (tmp_path / "A" / "h").read_text() == "z"
    assert survey(far.home / "B", exact=True) == before
    far("trash", "box:", "purge", "--older-than", "0s").expect(0, 3)
