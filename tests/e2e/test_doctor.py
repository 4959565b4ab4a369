"""`doctor`: step by step what works, what does not, and the remedy."""

from __future__ import annotations

import os
import shutil

from tests.e2e.conftest import Pair
from tests.e2e.program import ORDINARY, Program
from tests.support.trees import survey, tree


def test_a_healthy_root(aefsync: Program, pair: Pair) -> None:
    tree(pair.a, {"d/x": "1"})
    before = survey(pair.a, exact=True)
    lines = aefsync("doctor", pair.a).expect(0).lines
    assert lines[0] == f"ok      root: {pair.a}"
    assert not [line for line in lines if line.startswith("trouble")]
    assert survey(pair.a, exact=True) == before
    aefsync("repair", *pair).expect(0)
    checks = {event["step"]: event for event in aefsync("doctor", "--json", pair.a).expect(0).events if "step" in event}
    assert (pair.a / ".aefsync" / "id").read_text().strip() in checks["identity"]["text"]
    assert checks["memory of runs"]["state"] == "ok"
    assert os.listdir(pair.a / ".aefsync" / "tmp") == []


def test_roots_that_are_none(aefsync: Program, pair: Pair) -> None:
    pair.a.write_text("x")
    for place in (pair.a, pair.b / "below"):
        done = aefsync("doctor", "--json", place).expect(3)
        assert done.summary["causes"] == ["root"]
    aefsync("doctor", "nowhere.invalid:path").expect(7)
    aefsync("doctor").expect(2)


def test_a_root_that_repair_would_make(aefsync: Program, pair: Pair) -> None:
    """Nothing is wrong with it, as long as nothing was there before."""
    tree(pair.a, {"x": "1"})
    assert f"note    root: {pair.b}: no such directory yet" in aefsync("doctor", pair.b).expect(0).lines
    aefsync("repair", *pair).expect(0)
    shutil.rmtree(pair.b)
    done = aefsync("doctor", pair.b).expect(4)
    assert done.lines[-2].startswith("trouble memory of runs: the last run from here saw a replica there, ")


def test_another_disk_in_its_place(aefsync: Program, pair: Pair) -> None:
    tree(pair.a, {"x": "1"})
    aefsync("repair", *pair).expect(0)
    shutil.rmtree(pair.b)
    tree(pair.b, {"x": "1"})
    done = aefsync("doctor", pair.b).expect(4)
    assert "--allow-new-root" in done.lines[-1]


def test_who_may_not_write(aefsync: Program, pair: Pair) -> None:
    tree(pair.a, {"x": "1"}).chmod(0o500)
    done = aefsync.under(*ORDINARY)("doctor", pair.a).expect(4)
    pair.a.chmod(0o700)
    assert "trouble writing: nothing can be made here: permission denied" in done.lines
