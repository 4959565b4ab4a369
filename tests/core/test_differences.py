from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aefsync.core import differences as differences_module
from aefsync.core.compare import Difference
from aefsync.core.differences import Differences
from aefsync.core.entry import Entry
from aefsync.core.path import RelPath
from tests.support.snapshots import directory, file, unread
from tests.support.values import entries, paths


@st.composite
def found(draw: st.DrawFn) -> list[Difference]:
    """Differences of up to 4 replicas, in key order."""
    replicas = draw(st.integers(1, 4))
    differences = []
    for path in sorted(draw(st.sets(paths, max_size=12)), key=lambda path: path.key):
        versions = draw(st.lists(st.none() | entries(st.just(path)), min_size=replicas, max_size=replicas).filter(any))
        differences.append(Difference(path, tuple(versions)))
    return differences


@given(found(), st.integers(1, 5), st.integers(0, 2))
def test_what_was_packed_is_what_comes_out(differences: list[Difference], size: int, kept: int) -> None:
    packed = Differences(differences, size, kept)
    assert len(packed) == len(differences)
    assert list(packed) == differences
    blocks = [packed.block(number) for number in range(len(packed.firsts))]
    assert blocks == [differences[at : at + size] for at in range(0, len(differences), size)]
    assert [block[0].path.key for block in blocks] == packed.firsts
    assert all(isinstance(each.path, RelPath) for block in blocks for each in block)
    for each in differences:
        assert packed.find(each.path) == each
        assert packed.find(RelPath(each.path + b"/in")) in (None, *differences)
    assert packed.find(RelPath(b"\x01")) in (None, *differences)


def test_what_is_not_there_is_not_found() -> None:
    packed = Differences([Difference(RelPath(name), (file(name), None)) for name in (b"b", b"d", b"f")], 2)
    assert [packed.find(RelPath(name)) for name in (b"a", b"c", b"e", b"g")] == [None] * 4
    assert Differences().find(RelPath(b"a")) is None


def test_what_is_looked_up_in_turn_is_unpacked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [b"%03d" % number for number in range(40)]
    packed = Differences([Difference(RelPath(name), (file(name), None)) for name in names], block=10, few=0)
    unpacked = []
    unpack = differences_module._unpack
    monkeypatch.setattr(differences_module, "_unpack", lambda *words: unpacked.append(1) or unpack(*words))
    assert all(packed.find(RelPath(name)) for name in names)
    assert len(unpacked) == 3  # the last one is open
    # What one who asked does with a block is seen by nobody else.
    packed.block(2).clear()
    assert packed.find(RelPath(names[29])) is not None


def test_clashes_are_set_apart() -> None:
    clash = Difference(RelPath(b"b"), (file(b"b"), directory(b"b"), None))
    others = [Difference(RelPath(name), (file(name), None, None)) for name in (b"a", b"c")]
    assert Differences([others[0], clash, others[1]], 1).clashes == [clash]


def generated(number: int, *, both: bool) -> Difference:
    name = b"directory-%04d/file-%07d.txt" % (number // 100, number)
    entry: Entry = file(name, b"%d" % number, 10**18 + number * 1_000_001, ctime_ns=10**18 + number * 999)._replace(
        inode=number
    )
    return (
        Difference(entry.path, (entry, file(name, b"!%d" % number, 10**18)))
        if both
        else Difference(entry.path, (unread(entry), None))
    )


@pytest.mark.parametrize(("both", "most"), [(False, 30), (True, 100)])
def test_a_difference_takes_few_bytes(both: bool, most: int) -> None:
    packed = Differences((generated(number, both=both) for number in range(10_000)), few=0)
    assert sum(len(block) for block in packed._blocks if isinstance(block, bytes)) < most * 8192
