"""Agents on the far side: deployed, pinned by a forced command, read-only, append-only, of another version."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.e2e.test_ssh import Far, far
from tests.support.trees import judge, tree

__all__ = ["far"]

SYSTEM = "/usr/bin:/bin"


@pytest.fixture
def bare(far: Far, tmp_path: Path) -> Far:
    """A far side without aefsync, whose Python is that of the tests."""
    programs = tmp_path / "programs"
    programs.mkdir()
    python = shutil.which("python3")
    assert python is not None
    (programs / "python3").write_text(f'#!/bin/sh\nexec {python} "$@"\n')
    (programs / "python3").chmod(0o755)
    far.server.far(far.home, path=f"{programs}:{SYSTEM}")
    return far


def test_an_agent_is_deployed_and_used_from_then_on(bare: Far, tmp_path: Path) -> None:
    tree(tmp_path / "A", {"f": "x"})
    tree(bare.home / "B", {"g": "y"})
    bare("repair", tmp_path / "A", "box:B").expect(8)
    assert bare("deploy", "box").expect(0).out.startswith(b"aefsync 0.1.0 is on box: ")
    start, deployed, end = bare("deploy", "box", "--json").expect(0).events
    assert (start["command"], deployed["event"], end["exit_code"]) == ("deploy", "deployed", 0)
    bare("repair", tmp_path / "A", "box:B").expect(0)
    assert not judge(tmp_path / "A", bare.home / "B")
    assert sorted(path.name for path in bare.home.iterdir()) == ["B", "cache"]


def test_an_agent_is_deployed_in_the_same_run(bare: Far, tmp_path: Path) -> None:
    bare.server.far(bare.home, path=f"{tmp_path}/programs:{SYSTEM}", shell="/usr/bin/fish", banner="Welcome")
    tree(tmp_path / "A", {"f": "x"})
    bare("repair", tmp_path / "A", "box:B", "--deploy").expect(0)
    assert (bare.home / "B" / "f").read_text() == "x"


@pytest.mark.parametrize(("script", "words"), [("exit 1", "too old"), (None, "no Python")])
def test_hosts_without_a_python_that_will_do(far: Far, tmp_path: Path, script: str | None, words: str) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("sh", "cat"):
        (programs / name).symlink_to(f"/bin/{name}")
    if script:
        (programs / "python3").write_text(f"#!/bin/sh\n{script}\n")
        (programs / "python3").chmod(0o755)
    far.server.far(far.home, path=str(programs))
    error = far("deploy", "box").expect(8).err.decode()
    assert error.startswith("aefsync: box: ")
    assert words in error
    assert list(far.home.iterdir()) == []


def test_a_forced_agent_serves_its_pin_and_nothing_else(far: Far, tmp_path: Path) -> None:
    tree(tmp_path / "A", {"d/f": "x"})
    tree(far.home / "srv", {"d/f": "x"})
    tree(far.home / "other", {"f": "x"})
    far.server.far(far.home, forced=f"aefsync agent --root {far.home}/srv", banner="Welcome")
    far("diff", tmp_path / "A", "box:").expect(0)
    far("diff", tmp_path / "A" / "d", "box:d").expect(0)
    far("diff", tmp_path / "A", f"box:{far.home}/srv").expect(0)
    for outside in (f"box:{far.home}/other", "box:../other", "box:/"):
        error = far("repair", tmp_path / "A", outside).expect(3).err.decode()
        assert f"this key is pinned to {far.home}/srv" in error
    assert not (far.home / "other" / ".aefsync").exists()


@pytest.mark.usefixtures("last_write_wins")
def test_an_append_only_side_keeps_its_trash(far: Far, tmp_path: Path) -> None:
    tree(tmp_path / "A", {"f": "new"}, mtime_ns=10**18)
    tree(far.home / "srv", {"f": "old"}, mtime_ns=10**17)
    far.server.far(far.home, forced=f"aefsync agent --root {far.home}/srv --append-only")
    (line,) = far("repair", tmp_path / "A", "box:", "--no-trash").expect(0).lines
    assert "B keeps in its trash what was replaced or deleted (append-only): aefsync trash box: list" in line
    error = far("trash", "box:", "purge", "--older-than", "0s").expect(3).err.decode()
    assert "append-only" in error
    assert [event["path"] for event in far("trash", "box:", "--json").expect(0).events[1:-1]] == ["f"]


def test_another_version_is_named(far: Far, tmp_path: Path) -> None:
    tree(tmp_path / "A", {"f": "x"})
    for greeting, words in {
        "aefsync-agent/0 0.0.1": "the other side (0.0.1) is too old for this side (0.1.0): upgrade it",
        "aefsync-agent/9 9.0": "this side (0.1.0) is too old for the other side (9.0): upgrade it",
    }.items():
        far.server.far(far.home, forced=f"echo '{greeting}'; cat >/dev/null")
        outcome = far("repair", tmp_path / "A", "box:B").expect(8)
        assert outcome.err.decode() == f"aefsync: box:B: {words}\n"
    assert not (tmp_path / "A" / ".aefsync").exists()
