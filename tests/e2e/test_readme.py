"""What the README shows is what the program says: its session is run, command by command."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

from aefsync.cli.catalogue import catalogue
from tests.e2e.program import CHECKOUT, Program

README = (CHECKOUT / "README.md").read_text(encoding="utf-8")
_RUN = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{4}\b")
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z|\d{8}T\d{6}Z")
_DIGITS = re.compile(r"\b[0-9a-f]{8}\b")


def session() -> list[tuple[str, list[str]]]:
    """The commands of the README's session, each with the lines that it says."""
    steps: list[tuple[str, list[str]]] = []
    for line in re.findall(r"```console\n(.*?)```", README, re.DOTALL)[0].splitlines():
        if line.startswith("$ "):
            steps.append((line[2:], []))
        else:
            steps[-1][1].append(line)
    return steps


def plain(line: str) -> str:
    """A line without what is different each time: runs, times, ids."""
    return _DIGITS.sub("ID", _TIME.sub("TIME", _RUN.sub("RUN", line)))


def test_the_session(aefsync: Program, tmp_path: Path) -> None:
    program = f'aefsync() {{ {shlex.join([sys.executable, "-m", "aefsync"])} "$@"; }}'
    for command, expected in session():
        done = subprocess.run(
            ["bash", "-c", f"{program}; {command}"],
            env=aefsync.environment(),
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert sorted(map(plain, done.stdout.splitlines())) == sorted(map(plain, expected)), command


def test_commands_and_options_exist() -> None:
    """Every command and long option that the README names is one."""
    commands = {name: command for command in catalogue() for name in (command.name, *command.aliases)}
    options = {name for command in commands.values() for option in command.options for name in option.names}
    opposites = {option.opposite for command in commands.values() for option in command.options}
    others = re.compile(r"## Against the others.*?(?=## Over SSH)", re.DOTALL)
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", others.sub("", README)))
    of_benchmarks = {"--only", "--files", "--size", "--runs", "--peers", "--dir", "--download"}
    assert named <= options | opposites | {"--version", "--help"} | of_benchmarks, named - options
    assert set(re.findall(r"(?:^|`)aefsync ([a-z]+)", README, re.MULTILINE)) <= {*commands, "format"}
