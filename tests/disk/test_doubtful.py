from __future__ import annotations

import os
from typing import Any

import pytest

from aefsync.core.growth import SMALL
from aefsync.disk import doubtful, judging, listing
from tests.disk.ground import pass_the_step
from tests.disk.rememberer import VERSIONS, Rememberer

OLD = 1_500_000_000_000_000_000
HOUR = 3600 * 10**9


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[set[bytes]]:
    """The names of what had to be read, scan by scan."""
    found: list[set[bytes]] = []

    def to_be_read(chronicle: Any, scanner: Any, *rest: Any) -> doubtful.Doubtful:
        told = doubtful.to_be_read(chronicle, scanner, *rest)
        names = ((scanner.pages[key].name_list(), positions) for key, positions in told.wanted.items())
        found.append({own[position] for own, positions in names for position in positions})
        return told

    monkeypatch.setattr(judging, "to_be_read", to_be_read)
    return found


@pytest.mark.parametrize("rows", [1, 3, 1024])
def test_what_is_remembered_by_its_name_or_gone_by_its_size(
    root: Rememberer, asked: list[set[bytes]], monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    """So are small files that were edited; wherever pages of records and pages of a scan are cut."""
    monkeypatch.setattr("aefsync.disk.records.ROWS", 3)
    for number in range(10):
        root.write(b"f%d" % number, b"x" * number, mtime_ns=OLD + number)
    root.write(b"large", b"once", mtime_ns=OLD)
    root.write(b"gone/with", b"x" * 77, mtime_ns=OLD)
    pass_the_step()
    root.see()
    monkeypatch.setattr(listing, "ROWS", rows)
    root.write(b"f3", b"333", mtime_ns=OLD + HOUR)
    root.write(b"large", bytes(SMALL + 1), mtime_ns=OLD + HOUR)
    os.rename(root.place(b"f5"), root.place(b"a5"))
    root.remove(b"gone")
    root.write(b"moved", b"x" * 77, mtime_ns=OLD)
    root.write(b"new", b"x" * 50, mtime_ns=OLD)
    pass_the_step()
    asked.clear()
    root.see(VERSIONS._replace(ignore_index=True))
    assert asked == [{b"f0", b"f1", b"f2", b"f3", b"f4", b"f6", b"f7", b"f8", b"f9", b"a5", b"moved"}]
    asked.clear()
    root.see()
    assert asked in ([], [set()])
