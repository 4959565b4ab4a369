"""Much at once: many runs on one pair, and many conflicts in one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.e2e.program import Program, finish
from tests.support.trees import BASE_NS, SECOND, judge, tree

RUNS = 16
CONFLICTS = int(os.environ.get("AEFSYNC_TEST_CONFLICTS", "10000"))
LONGEST_S = 600


def contents(*roots: Path) -> set[bytes]:
    files = (Path(directory) / name for root in roots for directory, _, names in os.walk(root) for name in names)
    return {path.read_bytes() for path in files}


@pytest.mark.slow
def test_many_runs_at_the_same_moment(tmp_path: Path, aefsync: Program) -> None:
    own = {f"d{i % 10}/{i}": f"A {i}" for i in range(300)}, {f"d{i % 10}/{i + 100}": f"B {i}" for i in range(300)}
    a, b = tree(tmp_path / "A", dict(own[0])), tree(tmp_path / "B", dict(own[1]), mtime_ns=BASE_NS + SECOND)
    before = contents(a, b)
    started = [aefsync.start("repair", a, b) for _ in range(RUNS)]
    for process in started:
        finish(process, LONGEST_S).expect(0, 1, 6)
    assert before <= contents(a, b)
    aefsync("repair", a, b).expect(0, 1)
    assert judge(a, b) == []
    assert aefsync("repair", a, b).expect(0).out == b""


@pytest.mark.slow
def test_many_conflicts_at_once(tmp_path: Path, aefsync: Program) -> None:
    names = [f"d{i // 500}/{i}.txt" for i in range(CONFLICTS)]
    a, b = tree(tmp_path / "A", dict.fromkeys(names, "once")), tmp_path / "B"

    def run(*args: str, code: int = 0) -> list[str]:
        return finish(aefsync.start(args[0], a, b, *args[1:]), LONGEST_S).expect(code).lines

    run("repair")
    for later, root in enumerate((a, b), 1):
        tree(root, {name: f"edited at {root.name} {name}" for name in names}, mtime_ns=BASE_NS + later * SECOND)
    edited = contents(a, b) - contents(a / ".aefsync", b / ".aefsync")
    run("repair", code=1)
    assert judge(a, b) == []
    assert len(list(a.glob("d*/*.conflict-*"))) == CONFLICTS
    listed = [line for line in run("conflicts", "list") if ".conflict-" in line]
    assert len(listed) >= CONFLICTS
    run("conflicts", "resolve", "--all", "--take", "copy")
    assert not list(a.glob("d*/*.conflict-*"))
    run("repair")
    assert judge(a, b) == []
    run("undo", "last")
    assert len(list(b.glob("d*/*.conflict-*"))) == CONFLICTS
    run("repair")
    assert judge(a, b) == []
    assert edited <= contents(a, b)
