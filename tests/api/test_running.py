"""`import aefsync`, as a program uses it."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

import aefsync
from tests.disk.ground import pass_the_step


@pytest.fixture
def trees(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two replicas, `photos` and `backup`, in the working directory."""
    for name, texts in {"photos": {"a": "1", "new": "22"}, "backup": {"a": "1"}}.items():
        (tmp_path / name).mkdir()
        for file, text in texts.items():
            (tmp_path / name / file).write_text(text)
            os.utime(tmp_path / name / file, (1e9, 1e9))
    monkeypatch.chdir(tmp_path)
    return tmp_path


class Recorder:
    """A monitor that keeps the phases it hears of."""

    def __init__(self) -> None:
        self.phases: set[aefsync.Phase] = set()

    def progress(self, replica: int, phase: aefsync.Phase, done: int, total: int) -> None:
        self.phases.add(phase)

    def heard(self, replica: int, line: str) -> None:
        raise AssertionError(line)


def test_the_example(trees: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = (aefsync.__doc__ or "").splitlines()
    example = textwrap.dedent("\n".join(line for line in lines if line[:1] in ("", " ")))
    exec(example, {})
    *found, total = capsys.readouterr().out.splitlines()
    assert found == ["only_a new", "create new"]
    assert total.split()[1] == "3"
    assert (trees / "backup/new").read_text() == "22"


def test_a_scrub_brings_back_what_most_have(trees: Path) -> None:
    for name, text in (("photos", "1"), ("backup", "1"), ("third", "!")):
        (trees / name).mkdir(exist_ok=True)
        (trees / name / "a").write_text(text)
        os.utime(trees / name / "a", (1e9, 1e9))
    pass_the_step()
    done = aefsync.scrub("third", peers=["photos", trees / "backup"])
    assert [(each.action, bytes(each.path)) for each in done.actions] == [("repair_rot", b"a")]
    assert (done.summary.exit_code, done.summary.rot, done.problems) == (1, 0, ())
    assert (trees / "third" / "a").read_text() == "1"
    with pytest.raises(aefsync.UsageError, match="bad pattern"):
        aefsync.scrub("third", accept=["[z-a]"])


def test_a_diff_says_what_the_program_says_and_how_far_it_is(trees: Path) -> None:
    (trees / "backup/a").write_text("2")
    monitor = Recorder()
    found = aefsync.diff(trees / "photos", "backup", exclude=["new"], monitor=monitor)
    assert [(each.state, bytes(each.path)) for each in found.differences] == [(aefsync.State.CONTENT, b"a")]
    assert not found.equal
    assert (found.summary.exit_code, found.problems, found.notices) == (1, (), ())
    assert aefsync.Phase.SCAN in monitor.phases
    assert not (trees / "photos/.aefsync").exists()


def test_errors_are_raised(trees: Path) -> None:
    with pytest.raises(aefsync.RootError, match="nowhere"):
        aefsync.diff("photos", "nowhere")


def test_a_watch_gives_a_result_for_each_pass_until_it_is_stopped(trees: Path) -> None:
    with aefsync.watch("photos", "backup", settle_s=0.01) as passes:
        assert "new" in [str(each.path) for each in next(passes).actions]
        (trees / "photos/later").write_text("3")
        later = next(each for each in passes if list(each.actions))
        assert [str(each.path) for each in later.actions] == ["later"]
        threading.Thread(target=passes.stop).start()
        for done in passes:
            assert not list(done.actions)


def test_importing_it_loads_nothing() -> None:
    code = """
import sys
before = set(sys.modules)
import aefsync
print(sorted(set(sys.modules) - before))
aefsync.Summary
print([name for name in ("typer", "rich", "paramiko", "watchdog", "msgspec", "blake3") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "['aefsync']\n['blake3']\n"


def test_every_name_is_there() -> None:
    assert {"diff", "repair", "watch", "open_replica", "AefsyncError", "__version__"} <= set(dir(aefsync))
    assert all(hasattr(aefsync, name) for name in dir(aefsync))
    with pytest.raises(AttributeError, match="'aefsync' has no attribute 'dif'"):
        aefsync.dif  # type: ignore[attr-defined]  # noqa: B018
