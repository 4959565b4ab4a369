"""What shells are told, from files of the user and over connections that are open."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from aefsync.cli import completing


@pytest.fixture
def environ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A home with two sets and some hosts, on a machine that knows one more."""
    (tmp_path / "etc/ssh_config.d").mkdir(parents=True)
    (tmp_path / "etc/ssh_config").write_text("Include ssh_config.d/*.conf\nHost *\n")
    (tmp_path / "etc/ssh_config.d/20-some.conf").write_text("Host unix/* .host machine/.host\nHost backup\n")
    monkeypatch.setattr(completing, "_OF_THE_MACHINE", str(tmp_path / "etc"))
    (tmp_path / ".ssh/more").mkdir(parents=True)
    (tmp_path / ".ssh/config").write_text(
        "Include more/*\nHost nas *.example !x -o\n  HostName nas.lan\nhost=web db\nMatch all\n  User host\n"
    )
    (tmp_path / ".ssh/more/one").write_text("Host laptop\nInclude more/one\n")
    (tmp_path / ".config/aefsync").mkdir(parents=True)
    (tmp_path / ".config/aefsync/config.toml").write_text('[sets.photos]\nreplicas = ["/a"]\n[sets."my notes"]\n')
    return {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / ".config")}


def told(wanted: str, word: str, environ: dict[str, str]) -> set[str]:
    def see(login: str, folder: str) -> Sequence[str]:
        assert (login, folder) == ("me@nas", "pictures/")
        return ["./", "../", "2024/", "notes.txt", ""]

    found = set(completing.candidates(wanted, word, environ, see))
    return {each for each in found if each.startswith(word)}


@pytest.mark.parametrize(
    ("wanted", "word", "candidates"),
    [
        ("replicas", "", {"laptop:", "nas:", "web:", "db:", "backup:", "@photos", "@my notes"}),
        ("replicas", "@ph", {"@photos"}),
        ("replicas", "na", {"nas:"}),
        ("replicas", "me@n", {"me@nas:"}),
        ("replicas", "ssh://l", {"ssh://laptop/"}),
        ("replicas", "sftp://me@d", {"sftp://me@db/"}),
        ("hosts", "me@", {"me@laptop", "me@nas", "me@web", "me@db", "me@backup"}),
        ("replicas", "me@nas:pictures/2", {"me@nas:pictures/2024/"}),
        ("replicas", "-oProxyCommand=x:", set()),
        ("replicas", "na`x`s:", set()),
    ],
)
def test_candidates(environ: dict[str, str], wanted: str, word: str, candidates: set[str]) -> None:
    assert told(wanted, word, environ) == candidates


def test_no_home_and_a_damaged_file(environ: dict[str, str], tmp_path: Path) -> None:
    assert told("replicas", "@", {}) == set()
    (tmp_path / ".config/aefsync/config.toml").write_text("[sets")
    assert told("replicas", "@", environ) == set()
    (tmp_path / "own.toml").write_text("[sets.other]\n")
    assert told("replicas", "@", {**environ, "AEFSYNC_CONFIG": str(tmp_path / "own.toml")}) == {"@other"}


SSH = """#!/bin/sh
case " $* " in *" -oProxyCommand=false "*) ;; *) exit 9 ;; esac
case "$*" in
    *-Ocheck\\ open) ;;
    *-Ocheck*) exit 255 ;;
    *"open exec ls -1ap -- 'a b/'") printf 'c/\\n' ;;
    *) exit 9 ;;
esac
"""


def test_a_host_is_looked_at_over_an_open_connection_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ssh").write_text(SSH)
    (tmp_path / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert completing.look("open", "a b/") == ["c/", ""]
    assert completing.look("closed", "a b/") == []
    monkeypatch.setenv("PATH", "/nowhere")
    assert completing.look("open", "a b/") == []


def test_the_program_answers_before_anything_else_is_imported(environ: dict[str, str]) -> None:
    code = """
import sys
sys.argv = ["aefsync", "_complete", "replicas", "@p"]
from aefsync.__main__ import main
main()
print([name for name in ("typer", "inspect", "tomllib", "subprocess", "aefsync.core", "aefsync.wire") if name in sys.modules])
"""

    def said(code: str) -> list[str]:
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environ}, check=True)
        return done.stdout.splitlines()

    assert said(code)[0] == "@photos"
    assert said(code.replace("@p", "na")) == ["nas:", "[]"]
