"""Replicas on the far side of a real SSH server: every command, odd trees, odd logins, and what is said in trouble."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.e2e.program import Arg, Outcome, Program
from tests.support.sshd import Sshd
from tests.support.trees import judge, odd_tree, tree

pytestmark = pytest.mark.usefixtures("last_write_wins")


class Far(NamedTuple):
    """A program that knows how to get there, and the home on the far side."""

    program: Program
    server: Sshd
    home: Path

    def __call__(self, command: str, *args: Arg, ssh: str = "") -> Outcome:
        return self.program(command, "--ssh", ssh or self.server.ssh, "--retries", "0", *args)


@pytest.fixture
def far(aefsync: Program, sshd: Sshd, home: Path) -> Far:
    place = home / "far"
    place.mkdir()
    # The processes of the far side are looked for by the same mark as those of this one.
    sshd.far(place)
    return Far(aefsync, sshd, place)


def test_an_odd_tree_arrives_unchanged(far: Far, tmp_path: Path) -> None:
    odd_tree(tmp_path / "A")
    tree(far.home / "B", {})
    far("repair", tmp_path / "A", "box:B").expect(0)
    assert not judge(tmp_path / "A", far.home / "B")
    far("diff", tmp_path / "A", f"ssh://box{far.home}/B").expect(0)


def test_changes_go_both_ways_and_what_was_replaced_is_in_the_trash(far: Far, tmp_path: Path) -> None:
    tree(tmp_path / "A", {"both": "old", "only a": "x"})
    tree(far.home / "B", {"both": "newer", "d/only b": "y"})
    outcome = far("diff", tmp_path / "A", "box:B").expect(1)
    assert outcome.lines == ["* both", "> d/ (1 entry)", "< only a"]
    far("repair", tmp_path / "A", "box:B").expect(0)
    assert not judge(tmp_path / "A", far.home / "B")
    trashed = far("trash", tmp_path / "A", "box:B", "--json").expect(0).events[1:-1]
    assert [event["path"] for event in trashed] == ["both"]
    replica = "box:B" if trashed[0]["replica"] else tmp_path / "A"
    far("trash", replica, "restore", "both").expect(0)
    far("diff", tmp_path / "A", "box:B").expect(1)
    far("trash", "box:B", "purge", "--older-than", "0s").expect(0)


def test_both_may_be_elsewhere_and_a_third_one_here(far: Far, tmp_path: Path) -> None:
    odd_tree(far.home / "A")
    tree(far.home / "B", {"b": "from b"})
    tree(tmp_path / "C", {"c": "from c"})
    far("repair", "box:A", "box:B", tmp_path / "C", "--allow-unrelated-roots").expect(0)
    assert not judge(far.home / "A", far.home / "B")
    assert not judge(far.home / "A", tmp_path / "C")
    assert (far.home / "A" / "c").read_text() == "from c"


def test_a_root_stays_what_it_is_by_whatever_way_it_is_reached(far: Far, tmp_path: Path) -> None:
    (far.program.home / ".ssh").mkdir()
    (far.program.home / ".ssh" / "config").write_text((far.server.folder / "ssh_config").read_text())
    tree(tmp_path / "A", {"f": "x"})
    here = tree(far.home / "B", {})
    environ = {"HOME": str(far.program.home)}
    for way in (here, "box:B", f"sftp://box{here}", here, "box:B"):
        outcome = far.program("repair", "--ssh", far.server.ssh, tmp_path / "A", way, env=environ).expect(0)
        assert b"a copy of" not in outcome.err
    assert not judge(tmp_path / "A", here)


def test_a_digest_is_the_same_from_afar(far: Far, tmp_path: Path) -> None:
    odd_tree(far.home / "A")
    here = far.program("digest", far.home / "A").expect(0)
    assert far("digest", "box:A").expect(0).out == here.out


def test_the_home_and_missing_roots(far: Far, tmp_path: Path) -> None:
    tree(tmp_path / "A", {"f": "x"})
    assert b"aefsync: box:new: created\n" in far("repair", tmp_path / "A", "box:new").expect(0).err
    assert (far.home / "new" / "f").read_text() == "x"
    far("diff", tmp_path / "A", "box:~/new").expect(0)
    assert b"no such directory" in far("repair", tmp_path / "A", "box:no", "--no-create-root").expect(3).err
    outcome = far("repair", tmp_path / "A", "box:/new", "--no-create-root").expect(3)
    assert b"there is a ~/new" in outcome.err
    far("diff", "box:new", f"box:{far.home}/new").expect(2)


@pytest.mark.parametrize("shell", ["/bin/bash", "/usr/bin/fish", "/usr/bin/tcsh"])
def test_a_far_shell_of_another_kind_that_talks(far: Far, tmp_path: Path, shell: str) -> None:
    far.server.far(far.home, shell=shell, banner="Welcome!\naefsync-agent/ is not here yet\n" + "x" * 5000)
    tree(tmp_path / "A", {"f": "x"})
    tree(far.home / "B", {"f": "x"})
    far("diff", tmp_path / "A", "box:B").expect(0)
    command = f"{far.server.folder}/bin/aefsync"
    far("diff", tmp_path / "A", "box:B", "--remote-command", command).expect(0)


def test_what_the_far_side_says_on_standard_error_is_marked(far: Far, tmp_path: Path) -> None:
    program = tmp_path / "talks"
    program.write_text(f"#!/bin/sh\necho 'careful \x1b[1m' >&2\nexec {far.server.folder}/bin/aefsync \"$@\"\n")
    program.chmod(0o755)
    tree(tmp_path / "A", {})
    tree(far.home / "B", {})
    outcome = far("diff", tmp_path / "A", "box:B", "--remote-command", str(program)).expect(0)
    assert outcome.err == b"B| careful \\x1b[1m\n"


def test_no_agent_there(far: Far, tmp_path: Path) -> None:
    far.server.far(far.home, path="/usr/bin:/bin")
    tree(tmp_path / "A", {"f": "x"})
    outcome = far("repair", tmp_path / "A", "box:B").expect(8)
    first, *hints = outcome.err.decode().splitlines()
    assert first == "aefsync: box:B: there is no aefsync on the far side"
    assert [hint.split()[0] for hint in hints] == ["aefsync", "--deploy", "sftp://box/~/B"]
    assert not (tmp_path / "A" / ".aefsync").exists()
    far("diff", tmp_path / "A", "box:B").expect(2)


def _closed_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def test_hosts_that_cannot_be_reached(far: Far, tmp_path: Path) -> None:
    tree(tmp_path / "A", {"f": "x"})
    server = far.server
    plain = f"{server.ssh} -o HostKeyAlias=none"
    known = tmp_path / "known"
    known.write_text(f"box {(server.folder / 'other_key.pub').read_text()}")
    cases = {
        "does not resolve": ("nowhere.invalid:B", server.ssh),
        "connection refused": ("ssh://127.0.0.1:" + _closed_port() + "/B", server.ssh),
        "login refused": ("stranger:B", server.ssh),
        "its host key is not known": (f"ssh://127.0.0.1:{server.port}/B", f"{plain} -o UserKnownHostsFile=none"),
        "its host key is not the one that is known": ("box:B", f"{server.ssh} -o UserKnownHostsFile={known}"),
    }
    for words, (location, ssh) in cases.items():
        outcome = far("repair", tmp_path / "A", location, ssh=ssh).expect(7)
        assert f"aefsync: {location}: " in outcome.err.decode()
        assert words in outcome.err.decode()
    assert not (tmp_path / "A" / ".aefsync").exists()


def test_a_new_host_key_is_taken_where_that_is_asked_for(far: Far, tmp_path: Path) -> None:
    tree(tmp_path / "A", {"f": "x"})
    tree(far.home / "B", {"f": "x"})
    known = tmp_path / "known"
    ssh = f"{far.server.ssh} -o UserKnownHostsFile={known}"
    far("diff", tmp_path / "A", "box:B", "--accept-new-host-key", ssh=ssh).expect(0)
    assert known.read_text().startswith("box ssh-ed25519 ")
    far("diff", tmp_path / "A", "box:B", ssh=ssh).expect(0)
