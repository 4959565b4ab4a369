"""The walk to a far root, step by step, against a real server and whatever its far side may be like."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from aefsync.core.finding import Finding
from aefsync.core.silent import Silent
from aefsync.errors import UsageError
from aefsync.sync.doctor import doctor, located
from aefsync.sync.events import Examined, Summary
from aefsync.wire.login import Link, Transport
from tests.support.sshd import Sshd

OPENSSH = Link(ssh="ssh", connect_timeout_s=60, retries=0)


class Visit(NamedTuple):
    """What was found, by step, and the exit code."""

    found: dict[str, Finding]
    exit_code: int

    @property
    def last(self) -> tuple[str, str, str]:
        step, state, text, _ = list(self.found.values())[-1]
        return step, state.value, text

    @property
    def notes(self) -> list[str]:
        return [step for step, finding in self.found.items() if finding.state == "note"]


class Practice(NamedTuple):
    sshd: Sshd
    home: Path

    def visit(self, place: str, *options: str, link: Link = OPENSSH) -> Visit:
        ssh = " ".join([self.sshd.ssh, *(f"-o {option}" for option in options)]) if link.ssh else ""
        *events, end = doctor(place, str(self.home / "known"), link._replace(ssh=ssh), Silent())
        assert isinstance(end, Summary)
        return Visit({e.finding.step: e.finding for e in events if isinstance(e, Examined)}, end.exit_code)


@pytest.fixture
def practice(sshd: Sshd, home: Path) -> Practice:
    sshd.far(home)
    return Practice(sshd, home)


def test_all_is_well(practice: Practice) -> None:
    practice.sshd.far(practice.home, banner="Welcome!", shell="/usr/bin/fish")
    seen = practice.visit("box:")
    steps = ["name", "port", "host key", "login", "shell", "python", "aefsync", "agent", "clock", "root"]
    assert list(seen.found)[:10] == steps
    assert seen.notes == ["shell"]
    assert "Welcome!" in seen.found["shell"].text
    assert "user_key" in seen.found["login"].text
    assert seen.found["root"].text == str(practice.home)
    assert seen.last == ("memory of runs", "ok", "no run from here has seen this root")
    assert seen.exit_code == 0


def test_a_host_as_such_has_no_root(practice: Practice) -> None:
    (practice.home / ".ssh").mkdir()
    (practice.home / ".ssh" / "config").write_text((practice.sshd.folder / "ssh_config").read_text())
    link = Link(Transport.PARAMIKO, connect_timeout_s=60, retries=0)
    seen = practice.visit("box", link=link)
    assert (seen.last, seen.exit_code) == (("clock", "ok", "tells the time that it is here"), 0)
    seen = practice.visit("stranger", link=link)
    assert (seen.last[:2], seen.exit_code) == (("login", "trouble"), 7)
    assert f"refused: {practice.sshd.folder}/other_key" in seen.last[2]


def test_ways_that_end_early(practice: Practice, tmp_path: Path) -> None:
    known = tmp_path / "known"
    known.write_text(f"box {(practice.sshd.folder / 'other_key.pub').read_text()}")
    cases: list[tuple[str, tuple[str, ...], str, str]] = [
        ("nowhere.invalid", (), "name", "nowhere.invalid does not resolve to an address"),
        ("box", ("Port=1",), "port", "connection refused: no SSH server listens there"),
        ("box", ("UserKnownHostsFile=none",), "host key", "its host key is not known: ssh-ed25519 SHA256:"),
        ("box", (f"UserKnownHostsFile={known}",), "host key", "its host key is not the one that is known: ssh-"),
        ("stranger", (), "login", "login refused (publickey); refused: "),
        ("box", ("PubkeyAuthentication=no",), "login", "login refused (publickey); no key was offered"),
    ]
    for place, options, step, words in cases:
        seen = practice.visit(place, *options)
        assert (seen.last[:2], seen.exit_code) == ((step, "trouble"), 7)
        assert seen.last[2].startswith(words)
        assert seen.found[step].remedy


def test_far_sides_without_an_agent(practice: Practice, tmp_path: Path) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("sh", "cat"):
        (programs / name).symlink_to(f"/bin/{name}")
    far: Callable[..., None] = practice.sshd.far
    far(practice.home, path=str(programs))
    seen = practice.visit("box")
    assert seen.exit_code == 8
    assert [step for step, finding in seen.found.items() if finding.state == "trouble"] == ["python", "aefsync"]
    assert "aefsync deploy box" in seen.found["aefsync"].remedy
    (programs / "python3").write_text("#!/bin/sh\necho 3.9.2\n")
    (programs / "python3").chmod(0o755)
    assert "3.9.2 is too old" in practice.visit("box").found["python"].text
    far(practice.home, forced="echo you may not; exit 1")
    seen = practice.visit("box")
    assert (seen.last, seen.exit_code) == (("shell", "trouble", "no agent answered: you may not"), 8)
    far(practice.home, forced="echo 'aefsync-agent/9 9.0'; cat >/dev/null")
    seen = practice.visit("box")
    assert (seen.last[:2], seen.exit_code) == (("agent", "trouble"), 8)
    assert seen.last[2] == "this side (0.1.0) is too old for the other side (9.0): upgrade it"


def test_a_pinned_agent(practice: Practice) -> None:
    (practice.home / "srv").mkdir()
    practice.sshd.far(practice.home, forced=f"aefsync agent --root {practice.home}/srv --read-only")
    seen = practice.visit("box:")
    assert seen.exit_code == 0, seen
    assert (seen.found["aefsync"].text, seen.notes) == ("an agent is the forced command of this key", ["writing"])
    assert list((practice.home / "srv").iterdir()) == []
    seen = practice.visit("box:/etc")
    assert (seen.last, seen.exit_code) == (("root", "trouble", f"this key is pinned to {practice.home}/srv"), 3)


@pytest.mark.parametrize(
    ("text", "is_host", "login"),
    [
        ("here", False, None),
        ("box", True, "box"),
        ("me@box", True, "me@box"),
        ("box:", False, "box"),
        ("box:/p", False, "box"),
        ("ssh://me@box/p", False, "me@box"),
        ("./box", False, None),
        ("/box", False, None),
    ],
)
def test_what_is_a_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, is_host: bool, login: str | None
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path)
    location, found = located(text)
    assert (found, location.login and str(location.login)) == (is_host, login)


def test_what_is_no_location() -> None:
    for text in ("", "@photos", "-oProxyCommand=x"):
        with pytest.raises(UsageError):
            located(text)
