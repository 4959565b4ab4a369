"""The command as such: version, help, bad options, environment, digest, demo."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

import aefsync as package
from tests.e2e.conftest import Pair
from tests.e2e.program import CHECKOUT, Program
from tests.support.trees import BASE_NS, SECOND, odd_tree, survey, tree, write

COMMANDS = ["diff", "repair", "digest", "trash", "demo", "agent"]


def test_version(aefsync: Program) -> None:
    done = aefsync("--version").expect(0)
    assert package.__version__ in done.out.decode()
    assert done.err == b""


def test_version_pays_for_nothing_else(aefsync: Program) -> None:
    heavy = ("typer", "rich", "blake3", "msgspec", "pathspec", "paramiko", "sqlite3")
    done = aefsync("--version", env={"PYTHONPROFILEIMPORTTIME": "1"}).expect(0)
    imported = {line.rpartition(b"|")[2].strip().decode() for line in done.err.splitlines()}
    assert imported, "the interpreter lists its imports"
    assert not imported & set(heavy)


def test_diff_does_not_import_what_only_ssh_needs(aefsync: Program, pair: Pair) -> None:
    for root in pair:
        tree(root, {"x": "1"})
    done = aefsync("diff", *pair, env={"PYTHONPROFILEIMPORTTIME": "1"})
    imported = {line.rpartition(b"|")[2].strip().decode() for line in done.err.splitlines()}
    assert not imported & {"paramiko", "cryptography", "watchdog", "asyncio"}


@pytest.mark.parametrize("command", [[], *([each] for each in COMMANDS)])
def test_help_shows_exit_codes(aefsync: Program, command: list[str]) -> None:
    done = aefsync(*command, "--help").expect(0)
    assert b"xit code" in done.out
    assert b"\x1b" not in done.out, "no colour into a pipe"


def test_every_help_at_a_narrow_terminal(aefsync: Program) -> None:
    for command in COMMANDS:
        aefsync(command, "--help", env={"COLUMNS": "40"}).expect(0)


@pytest.mark.parametrize(
    "arguments",
    [["--no-such-option"], ["no-such-command"], ["diff"], ["diff", "A"], ["repair", "A"], ["digest"], ["trash"],
     ["diff", "--no-such", "A", "B"], ["repair", "--max-delete", "many", "A", "B"], ["repair", "--max-delete", "101%", "A", "B"],
     ["repair", "--max-delete", "-1", "A", "B"], ["repair", "--resolve", "coin", "A", "B"], ["repair", "--color", "pink", "A", "B"],
     ["repair", "--conflicts", "fight", "A", "B"], ["digest", "--tree", "x", "A"]],
)  # fmt: skip
def test_usage_errors(aefsync: Program, tmp_path: Path, arguments: list[str]) -> None:
    for name in "AB":
        tree(tmp_path / name, {"x": name})
    done = aefsync(*arguments, cwd=tmp_path).expect(2)
    assert done.out == b""
    assert done.err
    assert not (tmp_path / "A" / ".aefsync").exists()


@pytest.mark.parametrize("option", ["-a", "-r", "-z", "-u", "-P", "-t", "--delete", "-av"])
def test_habits_from_rsync_get_a_translation(aefsync: Program, tmp_path: Path, option: str) -> None:
    for name in "AB":
        tree(tmp_path / name, {"x": name})
    done = aefsync("repair", option, "A", "B", cwd=tmp_path).expect(2)
    assert len(done.err.splitlines()) == 1
    assert (b"--mirror" in done.err) == (option == "--delete")


def test_options_from_the_environment(aefsync: Program, pair: Pair) -> None:
    tree(pair.a, {"x": "1", "y.o": "2"})
    tree(pair.b, {})
    done = aefsync("diff", *pair, env={"AEFSYNC_EXCLUDE": "*.o", "AEFSYNC_JSON": "1"}).expect(1)
    assert {each.get("path") for each in done.events} == {None, "x"}
    tree(pair.b, {"extra": "1"})
    aefsync("repair", *pair, env={"AEFSYNC_MIRROR": "1", "AEFSYNC_ALLOW_EMPTY_ROOT": "1"}).expect(0, 2)
    assert (pair.b / "extra").exists(), "never from the environment"


def test_sync_is_an_alias(aefsync: Program, pair: Pair) -> None:
    tree(pair.a, {"x": "1"})
    tree(pair.b, {})
    aefsync("sync", *pair).expect(0)
    assert (pair.b / "x").exists()


@pytest.mark.parametrize("option", ["-q", "--no-progress", "--progress", "--color=never", "--color=always", "--stats"])
def test_output_options(aefsync: Program, pair: Pair, option: str) -> None:
    tree(pair.a, {"x": "1"})
    tree(pair.b, {})
    aefsync("diff", option, *pair).expect(1)
    aefsync("repair", option, *pair).expect(0)


def test_progress_stays_away_from_pipes(aefsync: Program, pair: Pair) -> None:
    tree(pair.a, {"x": "1"})
    tree(pair.b, {})
    done = aefsync("diff", *pair).expect(1)
    assert done.err == b""
    assert done.out == b"< x\n"


def test_digest_is_equal_for_equal_trees(aefsync: Program, pair: Pair) -> None:
    for root in pair:
        odd_tree(root)
    digests = [aefsync("digest", root).expect(0).out for root in pair]
    word = [re.search(rb"\b[0-9a-f]{32,64}\b", out) for out in digests]
    assert word[0]
    assert word[1]
    assert word[0].group() == word[1].group()
    assert not any((root / ".aefsync").exists() for root in pair)


def test_digest_of_content_leaves_out_modes_and_times(aefsync: Program, pair: Pair) -> None:
    for number, root in enumerate(pair):
        tree(root, {"d/x": "1", "y": "2"}, mtime_ns=BASE_NS + number * SECOND)

    def digests(*options: str) -> set[bytes]:
        return {aefsync("digest", *options, root).expect(0).out.split()[0] for root in pair}

    assert len(digests()) == 2
    assert len(digests("--content")) == 1
    (pair.b / "y").chmod(0o600)
    assert len(digests("--content")) == 1
    write(pair.b / "y", b"3")
    assert len(digests("--content")) == 2


def test_digest_of_paths_and_levels(aefsync: Program, pair: Pair) -> None:
    for root in pair:
        tree(root, {"d/x": "1", "d/e/z": "3", "y": root.name})
    whole = [aefsync("digest", root).expect(0).lines[0].split()[0] for root in pair]
    part = [aefsync("digest", root, "d").expect(0).lines[0].split()[0] for root in pair]
    assert whole[0] != whole[1]
    assert part[0] == part[1]
    levels = aefsync("digest", "--tree", "1", pair.a).expect(0).lines
    assert len(levels) >= 2
    assert any("d" in line.split()[-1] for line in levels)
    aefsync("digest", pair.a, "no/such").expect(1, 2, 3, 4)


def test_demo(aefsync: Program, tmp_path: Path) -> None:
    scratch = tree(tmp_path / "scratch", {})
    done = aefsync("demo", env={"TMPDIR": str(scratch)}).expect(0)
    assert done.out
    again = aefsync("demo", cwd=scratch, env={"TMPDIR": str(scratch)}).expect(0)
    assert again.out


def test_reads_nothing_from_a_closed_or_missing_stdin(aefsync: Program, pair: Pair) -> None:
    for root in pair:
        tree(root, {"x": "1"})
    script = '"$@" <&- 2>&1'
    done = aefsync.under("sh", "-c", script, "sh")("diff", *pair).expect(0)
    assert done.out == b""


def test_a_stdout_that_is_closed_is_told_of_where_there_is_a_result(aefsync: Program, pair: Pair) -> None:
    unheard = aefsync.under("sh", "-c", '"$@" >&-', "sh")
    tree(pair.a, {"y": "2"})
    unheard("repair", *pair).expect(141)
    assert (pair.b / "y").read_text() == "2"
    assert unheard("diff", *pair).expect(0).err == b""


@pytest.mark.parametrize(
    ("said", "code", "words"),
    [
        (r"GET / HTTP/1.1\n", 7, "the peer is no aefsync"),
        (r"aefsync-agent/9 9.0\n", 8, "this side (0.1.0) is too old for the other side (9.0): upgrade it"),
        ("", 0, None),
    ],
)
def test_an_agent_says_what_it_could_not_talk_to(aefsync: Program, said: str, code: int, words: str | None) -> None:
    told = aefsync.under("sh", "-c", f'printf "{said}" | "$@"', "sh")("agent").expect(code)
    assert told.out.startswith(b"aefsync-agent/")
    assert told.err.decode() == (f"aefsync: {words}\n" if words else "")


def test_installed_command_and_module_are_the_same() -> None:
    import tomllib

    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["scripts"] == {"aefsync": "aefsync.__main__:main"}
    assert callable(__import__("aefsync.__main__", fromlist=["main"]).main)


def test_a_replica_is_no_place_to_take_code_from(aefsync: Program, pair: Pair) -> None:
    """A replica holds whatever its users put there; running inside one must not import from it."""
    for root in pair:
        tree(
            root,
            {"msgspec.py": "raise SystemExit(77)", "os.py": "raise SystemExit(77)", "typer/__init__.py": "raise 77"},
        )
    script = "import sys; sys.path[0:1] = []; from aefsync.__main__ import main; sys.argv[0] = 'aefsync'; main()"
    import sys

    done = subprocess.run(
        [sys.executable, "-c", script, "diff", str(pair.a), str(pair.b)],
        cwd=pair.a,
        env=aefsync.environment(),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert survey(pair.a)
    assert os.listdir(pair.a)
