"""What a far side has: the question as shells understand it, and answers as they may come."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from aefsync import __version__
from aefsync.wire.probing import COMMAND, FarSide, Program, hides_agents, understand

OLD, NEW, DEAD = Program("3.9.2", "/usr/bin/python3"), Program("3.12.1", "/opt/python3.12"), Program("", "/x/python")


@pytest.mark.parametrize("shell", ["/bin/sh", "/usr/bin/fish", "/usr/bin/tcsh"])
def test_every_shell_understands_the_question(tmp_path: Path, shell: str) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in {"python3": "exit 1", "python3.12": "echo 3.12.1", "aefsync": "echo aefsync 0.0.7"}.items():
        (programs / name).write_text(f"#!/bin/sh\n{text}\n")
        (programs / name).chmod(0o755)
    agent = tmp_path / "my cache" / "aefsync" / "agents" / "0.0.8" / "agent"
    agent.parent.mkdir(parents=True)
    agent.write_text("")
    (programs / "sh").symlink_to("/bin/sh")
    environ = {"PATH": str(programs), "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "my cache")}
    done = subprocess.run([shell, "-c", COMMAND], env=environ, stdout=subprocess.PIPE, check=True)
    far = understand(b"Welcome!\n" + done.stdout)
    assert far.talk == b"Welcome!\n"
    assert far.pythons == (Program("", f"{programs}/python3"), Program("3.12.1", f"{programs}/python3.12"))
    assert far.deployed == ("0.0.8",)
    assert far.installed == Program("0.0.7", f"{programs}/aefsync")
    assert not far.is_forced


def test_an_agent_that_answers_in_place_of_the_shell() -> None:
    far = understand(b"hello\naefsync-agent/ is not this\naefsync-agent/3 %s zstd\n" % __version__.encode())
    assert far == FarSide(b"hello\naefsync-agent/ is not this\n", is_forced=True)


def test_whoever_says_something_else_has_only_talked() -> None:
    assert understand(b"you may not\n") == FarSide(b"you may not\n")
    assert not hides_agents(b"you may not\n")
    assert hides_agents(b"x" * (1 << 17))


def test_lines_that_are_cut_or_odd_are_taken_for_what_they_are() -> None:
    said = b"aefsync-doctor begin\r\naefsync-doctor python\r\naefsync-doctor what is this\nnoise\naefsync-doctor python 3.1"
    assert understand(said).pythons == (Program("", ""), Program("3.1", ""))


@pytest.mark.parametrize(
    ("pythons", "best"), [((), None), ((OLD, NEW), NEW), ((DEAD, OLD), OLD), ((DEAD,), DEAD), ((NEW, OLD), NEW)]
)
def test_the_best_python_counts(pythons: tuple[Program, ...], best: Program | None) -> None:
    assert FarSide(pythons=pythons).python == best
