"""A root examined step by step: what is found, what helps, and that nothing stays."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from aefsync.core.finding import Finding, State
from aefsync.disk import examining
from aefsync.disk.examining import Machine, examine
from aefsync.disk.probing import Abilities
from tests.disk.ground import Ground, Site


def found(place: Ground | Path, machine: Machine | None = None) -> dict[str, Finding]:
    path = place.path if isinstance(place, Ground) else place
    return {finding.step: finding for finding in examine(os.fsencode(path), machine or Machine())}


def test_nothing_stays(ground: Ground) -> None:
    ground.write(b"d/f", b"1")
    before = {path: os.lstat(ground.place(path)).st_ctime_ns for path in ground.names()}
    assert not any(finding.state is State.TROUBLE for finding in found(ground).values())
    assert {path: os.lstat(ground.place(path)).st_ctime_ns for path in ground.names()} == before
    assert os.listdir(ground.path) == ["d"]


def test_our_own_staging_is_used_where_there_is_one(site: Site) -> None:
    before = site.contents()
    mtime = os.stat(site.path).st_mtime_ns
    findings = found(site)
    assert findings["writing"].state is State.FINE
    assert os.stat(site.path).st_mtime_ns == mtime
    assert site.contents() == before
    assert site.home.identity in findings["identity"].text


@pytest.mark.parametrize(
    ("name", "state", "word"),
    [
        ("none", State.NOTE, "no such directory yet"),
        ("none/x", State.TROUBLE, "no such directory"),
        ("file", State.TROUBLE, "no directory|not a dir"),
    ],
)
def test_what_is_no_root(tmp_path: Path, name: str, state: State, word: str) -> None:
    (tmp_path / "file").write_text("x")
    (finding,) = examine(os.fsencode(tmp_path / name))
    assert (finding.step, finding.state) == ("root", state)
    assert any(each in finding.text for each in word.split("|"))
    assert finding.remedy


def test_a_run_at_work_is_named_and_not_disturbed(site: Site) -> None:
    site.home.lock.take("r1")
    if not os.path.exists("/proc/locks"):
        pytest.skip("the system does not list locks")
    findings = found(site)
    assert findings["lock"].state is State.NOTE
    assert "run r1" in findings["lock"].text
    assert site.home.lock.is_held


def test_what_the_file_system_lacks(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    poor = Abilities(2_000_000_000, folds_case=True, folds_forms=True, cannot=("hard links",))
    monkeypatch.setattr(examining, "probe", lambda fd: poor)
    findings = found(ground)
    assert {step for step, finding in findings.items() if finding.state is State.NOTE} >= {
        "times",
        "names",
        "abilities",
    }
    assert "2 s" in findings["times"].text
    assert "case and Unicode normal form" in findings["names"].text
    assert "hard links" in findings["abilities"].text


def test_what_the_machine_lacks(ground: Ground, tmp_path: Path) -> None:
    for number in range(5):
        ground.write(b"d%d/f" % number, b"")
    (tmp_path / "proc/sys/fs/inotify").mkdir(parents=True)
    (tmp_path / "proc/sys/fs/inotify/max_user_watches").write_text("3\n")
    (tmp_path / "proc/meminfo").write_text("MemTotal: 9 kB\nMemAvailable:   1000 kB\n")
    findings = found(ground, Machine(str(tmp_path / "proc")))
    assert (findings["watching"].state, findings["memory"].state) == (State.NOTE, State.NOTE)
    assert "directories: 6;" in findings["watching"].text
    assert "entries: 10;" in findings["memory"].text
    assert {"watching", "memory"}.isdisjoint(found(ground, Machine(str(tmp_path / "none"))))


ROOT = b"22 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw\n"
PARENT = b"40 22 0:30 / %s rw - xfs /dev/sdb1 rw\n"
OVER_IT = b"41 40 0:31 / %s rw shared:2 master:1 - fuse.tool what rw\n"


@pytest.mark.parametrize(
    ("table", "kind"),
    [
        (b"", ""),
        (PARENT % b"/elsewhere", ""),  # a chroot: what it is on is not to be seen from inside
        (ROOT, "ext4: "),
        (ROOT + PARENT % b"HERE", "xfs: "),
        (PARENT % b"HERE" + ROOT, "xfs: "),
        (PARENT % b"HERE" + OVER_IT % b"HERE" + ROOT, "fuse.tool: "),
        (ROOT + PARENT % b"HER", "ext4: "),
        (b"short\n", ""),
    ],
)
def test_the_file_system_is_named_as_the_system_does(tmp_path: Path, table: bytes, kind: str) -> None:
    root = tmp_path / "a disk"
    root.mkdir()
    (tmp_path / "proc/self").mkdir(parents=True)
    here = os.fsencode(root).replace(b" ", b"\\040")
    (tmp_path / "proc/self/mountinfo").write_bytes(table.replace(b"HERE", here).replace(b"HER", here[:-1]))
    assert found(root, Machine(str(tmp_path / "proc")))["file system"].text.startswith(f"{kind}unchanged files")
