"""The scripts in the shells they are for, with a program that answers at once in the place of ours."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[3] / "completions"
STUB = """#!/bin/sh
case "$2 $3" in
    "replicas @"*) echo @photos ;;
    "replicas nas:"*) echo nas:music/; echo "nas:my pictures/" ;;
    "replicas "*|"hosts "*) echo nas: ;;
esac
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory to work in, with some in it, and the program on the PATH."""
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin/aefsync"
    program.write_text(STUB)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    for name in ("work/photos", "work/two words"):
        (tmp_path / name).mkdir(parents=True)
    return tmp_path / "work"


def cut(line: str) -> list[str]:
    """Words as bash cuts them."""
    words = re.findall(r"(?:\\.|[^\s:=@])+|[:=@]+", line)
    return [*words, ""] if line[-1] == " " else words


@pytest.mark.parametrize(
    ("line", "candidates"),
    [
        ("aefsync dif", {"diff"}),
        ("aefsync repair --dry", {"--dry-run"}),
        ("aefsync -q repair --mirror --comp", {"--compress"}),
        ("aefsync sync --color ", {"auto", "always", "never"}),
        ("aefsync sync --color=al", {"always"}),
        ("aefsync repair --conflicts p", {"prefer:"}),
        ("aefsync repair --conflicts ", {"keep-both", "newest", "skip", "prefer:", "merge:"}),
        ("aefsync trash x pu", {"purge", "nas:"}),
        ("aefsync diff ph", {"photos/", "nas:"}),
        ("aefsync diff two\\ w", {"two\\ words/", "nas:"}),
        ("aefsync diff @p", {"photos"}),
        ("aefsync diff photos nas:mu", {"music/", "my\\ pictures/"}),
        ("aefsync diff nas: ph", {"photos/", "nas:"}),
        ("aefsync deploy n", {"nas:"}),
        ("aefsync diff --bwlimit ", set()),
        ("aefsync diff --cache-dir ph", {"photos"}),
    ],
)
def test_bash(here: Path, line: str, candidates: set[str]) -> None:
    code = 'source "$1"; shift; COMP_LINE=$1; shift; COMP_WORDS=("$@") COMP_POINT=${#COMP_LINE} COMP_CWORD=$(($# - 1));'
    code += ' _aefsync; printf "%s\\n" "${COMPREPLY[@]}"'
    command = ["bash", "--norc", "-c", code, "bash", str(SCRIPTS / "aefsync.bash"), line, *cut(line)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=here)
    assert (set(done.stdout.split("\n")) - {""}, done.stderr) == (candidates, "")


@pytest.mark.skipif(shutil.which("fish") is None, reason="needs fish")
def test_fish(here: Path) -> None:
    lines = {
        "aefsync dif": {"diff"},
        "aefsync repair --dry": {"--dry-run"},
        "aefsync repair --color ": {"auto", "always", "never"},
        "aefsync trash x pu": {"purge"},
        "aefsync diff @p": {"@photos"},
        "aefsync diff photos nas:mu": {"nas:music/"},
        "aefsync diff ph": {"photos/"},
        "aefsync diff --bwlimit ": set[str](),
    }
    code = f"source '{SCRIPTS}/aefsync.fish'; for line in $argv; complete -C $line; echo -; end"
    done = subprocess.run(
        ["fish", "--no-config", "-c", code, *lines], capture_output=True, text=True, check=True, cwd=here
    )
    found = [{line.split("\t")[0] for line in part.splitlines()} - {""} for part in done.stdout.split("-\n")]
    assert dict(zip(lines, found, strict=False)) == lines


@pytest.mark.parametrize(("shell", "name"), [("bash", "aefsync.bash"), ("zsh", "_aefsync"), ("fish", "aefsync.fish")])
def test_every_shell_can_read_its_script(shell: str, name: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"needs {shell}")
    done = subprocess.run([shell, "-n", str(SCRIPTS / name)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
