from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aefsync.core.entry import Entry
from aefsync.core.path import RelPath
from aefsync.core.snapshot import Block, Snapshot
from aefsync.core.view import View
from tests.core.test_path import PATHS
from tests.support.snapshots import directory, file, generated, link, snapshot, with_changed

ENTRIES = st.builds(
    lambda path, build: build(path),
    PATHS,
    st.sampled_from([lambda path: file(path, path), directory, lambda path: link(path, path)]),
)
TREES = st.lists(ENTRIES, max_size=30, unique_by=lambda entry: entry.path)


def in_order(entries: list[Entry]) -> list[Entry]:
    return [entry._replace(target=b"") for entry in sorted(entries, key=lambda entry: entry.path.key)]


@given(TREES, st.integers(1, 5))
def test_entries_come_back_in_key_order(entries: list[Entry], rows: int) -> None:
    assert list(snapshot(entries, rows).entries()) == in_order(entries)


@given(TREES, st.integers(1, 5), st.integers(0, 30), st.integers(0, 30))
def test_a_range_of_positions(entries: list[Entry], rows: int, low: int, high: int) -> None:
    assert list(snapshot(entries, rows).entries(low, high)) == in_order(entries)[low:high]


@given(TREES, st.integers(1, 5), PATHS)
def test_find_and_position(entries: list[Entry], rows: int, other: RelPath) -> None:
    packed = snapshot(entries, rows)
    ordered = in_order(entries)
    for position, entry in enumerate(ordered):
        assert packed.key(position) == entry.path.key
        assert packed.position(entry.path.key) == position
        assert packed.position(entry.path.key + b"\0") == position + 1
        assert packed.find(entry.path) == entry
    assert packed.position(other.key) == sum(entry.path.key < other.key for entry in ordered)
    assert packed.find(other) == next((entry for entry in ordered if entry.path == other), None)


@given(TREES, st.integers(1, 5), st.binary(min_size=1, max_size=2))
def test_names_that_hold_something(entries: list[Entry], rows: int, part: bytes) -> None:
    assert list(snapshot(entries, rows).named(part)) == [each for each in in_order(entries) if part in each.path.name]


@given(TREES, st.sampled_from(list(View)))
def test_digests_do_not_depend_on_blocks(entries: list[Entry], view: View) -> None:
    assert snapshot(entries, 1).digests_in(view) == snapshot(entries).digests_in(view)


def test_empty() -> None:
    empty = Snapshot([])
    assert (empty.count, empty.digests, list(empty.entries()), empty.position(b"a")) == (0, b"", [], 0)


def test_digests_known_already_are_not_taken_again() -> None:
    packed = snapshot([file(b"a"), file(b"b")])
    known = [packed.blocks[0]._replace(digests=bytes(32))]
    assert Snapshot(known).digests == bytes(32)
    assert Snapshot(known).digests_in(View.CONTENT) == packed.digests_in(View.CONTENT)


def test_symlinks_have_no_permission_bits() -> None:
    packed = snapshot([link(b"a")._replace(mode=0o777)])
    assert next(packed.entries()).mode == 0


def test_generated_snapshots_are_what_they_say() -> None:
    packed = generated(12_000, depth=3)
    assert packed.count == 12_002
    assert packed.key(packed.count - 1) == b"sub-directory\0sub-directory\0file-00003999.txt"
    keys = [entry.path.key for entry in packed.entries()]
    assert keys == sorted(keys)
    changed = with_changed(packed, 5000)
    assert [a.path for a, b in zip(packed.entries(), changed.entries(), strict=True) if a != b] == [
        b"sub-directory/file-00000999.txt"
    ]


def test_whoever_asks_for_paths_in_order_has_each_block_taken_apart_once(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = snapshot([file(b"name %02d" % number) for number in range(40)], 10)
    split: list[bytes] = []
    name_list = Block.name_list
    monkeypatch.setattr(Block, "name_list", lambda block: split.append(block.names) or name_list(block))
    assert all(packed.find(RelPath(b"name %02d" % number)) is not None for number in range(40))
    assert split == [block.names for block in packed.blocks]
