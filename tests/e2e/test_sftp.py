"""Replicas that no agent serves, by SFTP over a real SSH server: what a user sees."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.e2e.program import Arg, Outcome, Program, wait_until
from tests.support.proxy import Proxy
from tests.support.sshd import Sshd
from tests.support.trees import judge, odd_tree, tree

pytestmark = pytest.mark.usefixtures("last_write_wins")

SECOND = 1_000_000_000


class Far(NamedTuple):
    """A program that knows how to get there, and the home on the far side."""

    program: Program
    server: Sshd
    home: Path

    def __call__(self, command: str, *args: Arg) -> Outcome:
        return self.program(command, *args, "--retries", "0", env={"HOME": str(self.program.home)})

    def at(self, path: str) -> str:
        return f"sftp://box{self.home}/{path}"


@pytest.fixture
def far(aefsync: Program, sshd: Sshd, home: Path) -> Far:
    place = home / "far"
    place.mkdir()
    # Nothing is there but a server for SFTP.
    sshd.far(place, path="/usr/bin:/bin")
    (home / ".ssh").mkdir()
    (home / ".ssh" / "config").write_text((sshd.folder / "ssh_config").read_text())
    return Far(aefsync, sshd, place)


def in_whole_seconds(root: Path) -> None:
    """Leave of all times what SFTP can tell of."""
    for directory, directories, files in os.walk(os.fsencode(root)):
        for name in (*directories, *files):
            place = os.path.join(directory, name)
            seen = os.lstat(place)
            time_ns = min(max(seen.st_mtime_ns - seen.st_mtime_ns % SECOND, 0), ((1 << 32) - 1) * SECOND)
            if not stat.S_ISDIR(seen.st_mode):
                os.utime(place, ns=(time_ns, time_ns), follow_symlinks=False)


def test_an_odd_tree_arrives_unchanged_and_goes_on_from_there(far: Far, tmp_path: Path) -> None:
    odd_tree(tmp_path / "A")
    # Four hundred levels are as many waves, for each of the copies.
    shutil.rmtree(tmp_path / "A" / "nesting")
    in_whole_seconds(tmp_path / "A")
    summary = far("repair", tmp_path / "A", far.at("B"), "--json").expect(0).summary
    assert not judge(tmp_path / "A", far.home / "B")
    assert summary["equal"]
    assert {caveat["replica"] for caveat in summary["caveats"]} == {1}
    again = far("repair", tmp_path / "A", far.at("B"), "--json").expect(0).summary
    assert (again["differences"], again["caveats"], again["literal_bytes"]) == (0, [], 0)
    far("repair", far.at("B"), far.at("D")).expect(0)
    assert not judge(tmp_path / "A", far.home / "D")


def test_what_a_mirror_changed_can_be_taken_back(far: Far, tmp_path: Path) -> None:
    tree(tmp_path / "A", {"both": "same", "changed": "newer", "only a": "x"})
    tree(far.home / "B", {"both": "same", "changed": "old", "d/only b": "y"})
    outcome = far("repair", tmp_path / "A", far.at("B"), "--mirror", "--max-delete", "9").expect(0)
    told = "A and B agree: 1 file copied, 1 replaced (6 B), 2 deleted; undo: aefsync undo sftp://box"
    assert outcome.lines[0].startswith(told)
    assert b"B: content was verified as it was sent" in outcome.err
    trashed = far("trash", far.at("B"), "--json").expect(0).events[1:-1]
    found = [(event["path"], event["why"]) for event in trashed]
    assert found == [("changed", "replaced"), ("d", "deleted"), ("d/only b", "deleted")]
    far("undo", far.at("B"), "last").expect(0)
    assert (far.home / "B" / "changed").read_text() == "old"
    assert (far.home / "B" / "d" / "only b").read_text() == "y"
    assert not (far.home / "B" / "only a").exists()


def test_nothing_else_leads_there_but_a_host_without_an_agent_is_told_of_it(far: Far, tmp_path: Path) -> None:
    tree(tmp_path / "A", {"f": "x"})
    tree(far.home / "B", {"f": "xyz", "d/g": "12345"})
    outcome = far("repair", tmp_path / "A", f"box:{far.home}/B", "--transport", "paramiko").expect(8)
    line = outcome.err.decode().splitlines()[-1].strip()
    assert line == f"sftp://box{far.home}/B   needs none, and reads 8 B in 2 files at first over the network"
    assert not (far.home / "B" / ".aefsync").exists()


def test_a_walk_there_step_by_step(far: Far) -> None:
    tree(far.home / "B", {})
    outcome = far("doctor", far.at("B")).expect(0)
    steps = [line.split()[1] for line in outcome.lines]
    assert steps[:5] == ["sftp:", "clock:", "root:", "server:", "space:"]


def test_a_server_without_sftp(far: Far, tmp_path: Path) -> None:
    tree(tmp_path / "A", {"f": "x"})
    far.server.far(far.home, forced="echo sorry")
    outcome = far("repair", tmp_path / "A", far.at("B")).expect(8)
    assert b"no SFTP server" in outcome.err
    assert not (tmp_path / "A" / ".aefsync").exists()


def test_a_connection_that_is_cut_ends_the_run_in_one_line(far: Far, tmp_path: Path) -> None:
    tree(tmp_path / "A", {f"d/{number}": "x" * 20_000 for number in range(40)})
    in_whole_seconds(tmp_path / "A")
    config = far.program.home / ".ssh" / "config"
    good = config.read_text()
    proxy = Proxy(far.server.port, limit=20_000)
    try:
        config.write_text(good.replace(f"Port {far.server.port}", f"Port {proxy.port}"))
        outcome = far("repair", tmp_path / "A", far.at("B")).expect(7)
        assert b"connection lost" in outcome.err
    finally:
        proxy.close()
    # What had been sent by then is still being done there, below `tmp` too.
    wait_until(lambda: not Program(far.home).processes(), "the server to end")
    config.write_text(good)
    far("repair", tmp_path / "A", far.at("B")).expect(0)
    assert not judge(tmp_path / "A", far.home / "B")
    assert not list((far.home / "B" / ".aefsync" / "tmp").iterdir())
