from __future__ import annotations

from pathlib import Path

import pytest

import aefsync
from aefsync.core.entry import UNKNOWN


def test_entries_and_digests_of_one_replica(tmp_path: Path) -> None:
    for root in ("one", "two"):
        (tmp_path / root / "d").mkdir(parents=True)
        (tmp_path / root / "d/x").write_text("same")
    (tmp_path / "one/y").write_text(".")
    with aefsync.open_replica(tmp_path / "one") as one, aefsync.open_replica(tmp_path / "two", contents=False) as two:
        assert [str(each.path) for each in one.entries()] == ["d", "d/x", "y"]
        assert [str(each.path) for each in one.entries(b"d/x")] == ["d/x"]
        assert list(one.entries("gone")) == []
        assert [each.content == UNKNOWN for each in two.entries("d/x")] == [True]
        assert one.digest() != one.digest("d")
        assert (one.count, one.problems, one.runs(), one.identity) == (3, (), (), "")
        assert one.root == bytes(tmp_path / "one")
        with pytest.raises(aefsync.UsageError, match="no such path"):
            one.digest("gone")
