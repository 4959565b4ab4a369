"""Replicas that no agent serves, by SFTP over a real SSH server: what a user sees."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.e2e.program import Arg, Outcome, Program
from tests.support.proxy import Proxy
from tests.support.sshd import Sshd
from tests.support.trees import judge, odd_tree, tree

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


def test_an_odd_tree_arrives_unchanged_and_comes_back(far: Far, tmp_path: Path) -> None:
    odd_tree(tmp_path / "A")
    # Five hundred levels are as many waves, for each of the three copies.
    shutil.rmtree(tmp_path / "A" / "nesting")
    in_whole_seconds(tmp_path / "A")
    outcome = far("repair", tmp_path / "A", far.at("B"), "--json").expect(0)
    assert not judge(tmp_path / "A", far.home / "B")
    assert outcome.summary["equal"]
    assert {caveat["replica"] for caveat in outcome.summary["caveats"]} == {1}
    again = far("repair", tmp_path / "A", far.at("B"), "--json").expect(0).summary
    assert (again["differences"], again["caveats"], again["literal_bytes"]) == (0, [], 0)
    tree(tmp_path / "C", {})
    far("repair", far.at("B"), tmp_path / "C").expect(0)
    assert not judge(tmp_path / "A", tmp_path / "C")
    far("repair", far.at("B"), far.at("D")).expect(0)
    assert not judge(tmp_path / "A", far.home / "D")


def test_changes_go_both_ways_and_can_be_taken_back(far: Far, tmp_path: Path) -> None:
    tree(tmp_path / "A", {"both": "old", "only a": "x", "gone/f": "y"})
    tree(far.home / "B", {"both": "newer", "d/only b": "y"})
    assert far("diff", tmp_path / "A", far.at("B")).expect(1).lines == [
        "* both",
        "> d/ (1 entry)",
        "< gone/ (1 entry)",
        "< only a",
    ]
    far("repair", tmp_path / "A", far.at("B"), "-n").expect(0)
    assert not (far.home / "B" / ".aefsync").exists()
    far("repair", tmp_path / "A", far.at("B")).expect(0)
    far("diff", tmp_path / "A", far.at("B")).expect(0)
    assert far("digest", tmp_path / "A", "--content").lines == far("digest", far.at("B"), "--content").expect(0).lines
    (tmp_path / "A" / "gone" / "f").unlink()
    (tmp_path / "A" / "gone").rmdir()
    (tmp_path / "A" / "only a").write_text("changed")
    outcome = far("repair", tmp_path / "A", far.at("B"), "--mirror").expect(0)
    assert outcome.lines[0].startswith("A and B agree: 1 file replaced (7 B), 2 deleted; undo: aefsync undo sftp://box")
    assert b"B: content was verified as it was sent" in outcome.err
    trashed = far("trash", far.at("B"), "--json").expect(0).events[1:-1]
    last = [event for event in trashed if event["run"] == trashed[0]["run"]]
    assert [(event["path"], event["why"]) for event in last] == [
        ("gone", "deleted"),
        ("gone/f", "deleted"),
        ("only a", "replaced"),
    ]
    far("undo", far.at("B"), "last").expect(0)
    assert (far.home / "B" / "only a").read_text() == "x"
    assert (far.home / "B" / "gone" / "f").read_text() == "y"
    assert len(far("runs", far.at("B")).expect(0).lines) == 3


def test_nothing_else_leads_there_but_a_host_without_an_agent_is_told_of_it(far: Far, tmp_path: Path) -> None:
    tree(tmp_path / "A", {"f": "x"})
    tree(far.home / "B", {"f": "xyz", "d/g": "12345"})
    outcome = far("repair", tmp_path / "A", f"box:{far.home}/B", "--transport", "paramiko").expect(8)
    line = outcome.err.decode().splitlines()[-1].strip()
    assert line == f"sftp://box{far.home}/B   needs none, and reads 8 B in 2 files at first over the network"
    assert not (far.home / "B" / ".aefsync").exists()
    far("diff", tmp_path / "A", line.split()[0]).expect(1)


def test_a_walk_there_step_by_step(far: Far) -> None:
    tree(far.home / "B", {})
    outcome = far("doctor", far.at("B")).expect(0)
    assert [line.split()[:2] for line in outcome.lines][:2] == [["ok", "sftp:"], ["ok", "clock:"]]
    assert b"no such directory" in far("doctor", far.at("no")).expect(3).out


def test_what_cannot_be_reached(far: Far, tmp_path: Path) -> None:
    tree(tmp_path / "A", {"f": "x"})
    for location, code, words in (
        ("sftp://nowhere.invalid/x", 7, b"does not resolve"),
        ("sftp://stranger/x", 7, b"login refused"),
        (far.at("no/where/B"), 3, b"only the last component of a root is created"),
        (far.at("no") + " --no-create-root", 3, b"no such directory"),
    ):
        outcome = far("repair", tmp_path / "A", *location.split()).expect(code)
        assert words in outcome.err, outcome.err
    far.server.far(far.home, forced="echo sorry")
    assert b"no SFTP server" in far("diff", tmp_path / "A", far.at("B")).expect(2).err
    far("repair", tmp_path / "A", far.at("B")).expect(8)
    assert not (tmp_path / "A" / ".aefsync").exists()


def test_a_connection_that_is_cut_ends_the_run_in_one_line(far: Far, tmp_path: Path) -> None:
    tree(tmp_path / "A", {f"d/{number}": "x" * 20_000 for number in range(40)})
    in_whole_seconds(tmp_path / "A")
    proxy = Proxy(far.server.port, limit=20_000)
    try:
        config = far.program.home / ".ssh" / "config"
        good = config.read_text()
        config.write_text(good.replace(f"Port {far.server.port}", f"Port {proxy.port}"))
        outcome = far("repair", tmp_path / "A", far.at("B")).expect(7)
        assert b"connection lost" in outcome.err
    finally:
        proxy.close()
    config.write_text(good)
    lease = far.home / "B" / ".aefsync" / "lease"
    if lease.exists():
        os.utime(lease, (1, 1))
    far("repair", tmp_path / "A", far.at("B")).expect(0)
    assert not judge(tmp_path / "A", far.home / "B")
    assert not list((far.home / "B" / ".aefsync" / "tmp").iterdir())
