"""What a run asks its databases, counted: nothing for each file, and nothing for each directory, where nothing changed."""

from __future__ import annotations

import sqlite3
from collections import Counter
from pathlib import Path

import pytest

from aefsync.core.silent import Silent
from aefsync.sync.events import Summary
from aefsync.sync.repair import repair
from aefsync.sync.request import RepairRequest, Request
from tests.support.trees import tree
from tests.sync.joined import threads


def run(*roots: Path) -> Summary:
    cache = str(roots[0].parent / "cache")
    with threads():
        *_, end = repair(RepairRequest(Request(tuple(map(str, roots)), cache_dir=cache)), Silent())
    assert isinstance(end, Summary)
    assert end.exit_code == 0
    return end


def statements(home: Path, directories: int, files: int, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """What the second run with nothing to do asks, over so many directories of so many files each."""
    a, b = home / f"A-{directories}-{files}", home / f"B-{directories}-{files}"
    for root in (a, b):
        tree(root, {f"d{d}/file {f}": f"content {d} {f}" for d in range(directories) for f in range(files)})
    for _ in range(2):
        run(a, b)
    asked: list[str] = []
    connect = sqlite3.connect

    def traced(*words: object, **options: object) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*words, **options)  # type: ignore[call-overload]
        connection.set_trace_callback(asked.append)
        return connection

    with monkeypatch.context() as patch:
        patch.setattr(sqlite3, "connect", traced)
        assert run(a, b).equal
    return Counter(each.split(" WHERE ")[0].split(" VALUES")[0] for each in asked)


def test_where_nothing_changed_no_statement_is_for_a_file_or_a_directory(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few, many = (statements(home, *shape, monkeypatch) for shape in ((2, 3), (60, 40)))
    assert sum(few.values()) > 0
    assert any(" page" in each for each in few), few
    assert many == few
