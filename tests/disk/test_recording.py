from __future__ import annotations

import os
from pathlib import Path

import pytest

from aefsync.disk import recording
from aefsync.disk.reading import unread
from aefsync.disk.recording import Placed
from aefsync.disk.spill import Spill
from tests.disk.ground import Ground, finish, later


@pytest.mark.parametrize("at_hand", [0, 1 << 20])
@pytest.mark.parametrize("is_writable", [True, False])
def test_what_was_placed_needs_no_reading(
    ground: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_hand: int, *, is_writable: bool
) -> None:
    monkeypatch.setattr(recording, "_AT_HAND", at_hand)
    kept: list[int] = []
    put = Spill.put
    monkeypatch.setattr(Spill, "put", lambda spill, data: kept.append(len(data)) or put(spill, data))
    os.mkdir(ground.place(b"d"))
    for path in (b"a", b"b", b"d/c", b"d/d"):
        ground.write(path, b"what is in " + path)
    seen = ground.look()
    scanner = ground.scanner(clock_ns=later)
    assert unread(scanner.pages)
    placed = Placed(str(tmp_path if is_writable else tmp_path / "nowhere"))
    for entry in sorted(seen.values(), key=lambda each: each.path.key):
        placed.add([entry])
    placed.complete(scanner, [b"d"], b"d\0")
    assert unread(scanner.pages).keys() == {(b"", 0), (b"d\0", 0)}
    for prefix in (b"", b"d\0"):
        placed.complete(scanner, [], prefix)
    assert not unread(scanner.pages)
    assert finish(scanner) == seen
    assert bool(kept) == (at_hand == 0)
    assert set(os.listdir(tmp_path)) <= {"root"}
