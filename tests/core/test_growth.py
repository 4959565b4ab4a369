"""Growths: the same entries whether as columns or one by one, cut to measure, packed and unpacked."""

from __future__ import annotations

import itertools
import stat
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aefsync.core.digest import content_digest
from aefsync.core.entry import UNKNOWN, Entry, Kind
from aefsync.core.first_growth import first_of
from aefsync.core.growth import (
    ENTRIES,
    FILES,
    SMALL,
    Growth,
    Weight,
    counting,
    path_of,
    small_sizes,
)
from aefsync.core.growth_bytes import pack, unpack
from aefsync.core.path import RelPath
from aefsync.core.snapshot import Block
from aefsync.core.view import STAT
from tests.support.memory import snapshot_of
from tests.support.values import growths

DIGEST = content_digest(b"x")


def file(path: bytes, size: int = 3, content: bytes = UNKNOWN, mode: int = 0o644) -> Entry:
    return Entry(RelPath(path), Kind.FILE, mode, size, 5, 6, 7, content)


def directory(path: bytes, mode: int = 0o755) -> Entry:
    return Entry(RelPath(path), Kind.DIRECTORY, mode, 0, 0, 1, 1, UNKNOWN)


def link(path: bytes, target: bytes) -> Entry:
    return Entry(RelPath(path), Kind.SYMLINK, 0, len(target), 5, 6, 7, content_digest(target), target)


def growth_of(*entries: Entry) -> Growth:
    targets = tuple(entry.target for entry in entries if entry.kind is Kind.SYMLINK)
    return Growth(tuple(snapshot_of(entries).blocks), targets)


TREE = (
    file(b"a"),
    link(b"b", b"to"),
    directory(b"d"),
    file(b"d/e", SMALL + 1),
    link(b"d/f", b"there"),
    file(b"g", SMALL, DIGEST),
)


def test_entries_come_back_with_their_targets() -> None:
    growth = growth_of(*TREE)
    assert list(growth.entries()) == list(TREE)
    assert (growth.length, growth.first) == (6, b"a")
    assert [bytes(path_of(block, 0)) for block in growth.blocks] == [b"a", b"d/e", b"g"]


def test_what_it_comes_to() -> None:
    growth = growth_of(*TREE)
    assert growth.weigh() == Weight(files=3, directories=1, links=2, size=3 + 2 * SMALL + 1)
    assert growth.weigh().entries == 6
    assert growth.small_size == 3 + SMALL
    assert growth.sizes_read() == [0, 0, 0, 0, 0, SMALL]


@pytest.mark.parametrize(
    ("entries", "is_read", "is_unread"),
    [
        ([file(b"a"), link(b"b", b"to")], False, True),
        ([file(b"a", content=DIGEST), file(b"b")], True, True),
        ([file(b"a", content=DIGEST)], True, False),
        ([directory(b"a"), link(b"b", b"to")], False, False),
    ],
)
def test_whether_contents_are_known(entries: list[Entry], is_read: bool, is_unread: bool) -> None:
    growth = growth_of(*entries)
    assert (growth.is_read, growth.is_unread) == (is_read, is_unread)


def test_contents_are_filled_in() -> None:
    growth = growth_of(*TREE)
    contents = b"".join(bytes([number]) * 32 for number in range(growth.length))
    assert [entry.content for entry in growth.with_contents(contents).entries()] == [bytes([n]) * 32 for n in range(6)]
    assert growth.with_contents(contents).contents == contents


@given(growths())
def test_packed_it_comes_back(growth: Growth) -> None:
    assert unpack(pack(growth)) == growth


@given(growths(), st.data())
def test_damaged_it_is_refused_or_a_growth(growth: Growth, data: st.DataObject) -> None:
    packed = bytearray(pack(growth))
    place = data.draw(st.integers(0, len(packed) - 1))
    packed[place] ^= data.draw(st.integers(1, 255))
    cut = data.draw(st.integers(0, len(packed)))
    for damaged in (bytes(packed), bytes(packed[:cut])):
        try:
            assert unpack(damaged).length >= 0
        except (ValueError, struct.error):
            pass


def test_a_bomb_is_not_unpacked() -> None:
    size = 80 << 20
    bomb = zlib.compress(struct.pack("<I", size) + bytes(size), 1)
    with pytest.raises(ValueError, match="does not fit together"):
        unpack(struct.pack("<IIQ", 0, 1, len(bomb)) + bomb)


def test_a_number_of_entries_is_not_believed() -> None:
    head = zlib.compress(struct.pack("<III", 0, 0, 1 << 31))
    with pytest.raises(ValueError, match="more entries than it holds"):
        unpack(struct.pack("<IIQ", 1, 0, len(head)) + head)


@given(growths(), st.integers(1, 5), st.integers(1, 1 << 18))
def test_parts_are_the_whole_and_keep_to_the_measure(growth: Growth, entries: int, size: int) -> None:
    parts = list(growth.parts(entries, size))
    assert list(itertools.chain.from_iterable(part.entries() for part in parts)) == list(growth.entries())
    for part in parts:
        assert 0 < part.length <= entries
        sizes = [size for block in part.blocks for size in small_sizes(block)]
        assert sum(sizes) <= size or len([each for each in sizes if each]) == 1 or part.length == 1


def test_a_part_is_as_large_as_it_may_be() -> None:
    growth = growth_of(*(file(b"%d" % number, 10) for number in range(9)))
    assert [part.length for part in growth.parts(4, 1000)] == [4, 4, 1]
    assert [part.length for part in growth.parts(100, 25)] == [2, 2, 2, 2, 1]
    assert [part.length for part in growth.parts(100, 5)] == [1] * 9


def test_as_many_blocks_as_one_growth_may_have() -> None:
    names = b"\0".join(b"%06d" % number for number in range(1000))
    row = STAT.pack(stat.S_IFREG | 0o644, 1, 2, 3, 4)
    blocks = [Block(b"d%02d\0" % number, names, row * 1000, bytes(32000), 1000) for number in range(20)]
    taken = first_of((block, 0, block.length) for block in blocks)
    assert sum(block.length for block in taken) == ENTRIES
    assert taken[-1].length == ENTRIES % 1000
    (part,) = first_of([(blocks[0], 7, 9)])
    assert (part.name_list(), part.length) == ([b"000007", b"000008"], 2)


def test_large_files_make_fewer_entries_and_one_at_least() -> None:
    (block,) = growth_of(*(file(b"%05d" % number, SMALL) for number in range(1000))).blocks
    assert [part.length for part in first_of([(block, 0, 1000)])] == [FILES // SMALL]
    assert [part.length for part in first_of([(block, 0, 500), (block, 500, 900), (block, 900, 1000)])] == [500, 12]
    (large,) = growth_of(*(file(b"%05d" % number, SMALL + 1) for number in range(1000))).blocks
    assert [part.length for part in first_of([(large, 0, 1000)])] == [1000]


def test_long_paths_make_fewer_blocks_and_one_at_least() -> None:
    row = STAT.pack(stat.S_IFREG | 0o644, 1, 2, 3, 4)
    blocks = [Block(b"%d" % n + b"x" * (3 << 20) + b"\0", b"a", row, bytes(32), 1) for n in range(3)]
    assert len(first_of((block, 0, 1) for block in blocks)) == 1


def test_modes_are_told_as_they_count() -> None:
    (block,) = growth_of(file(b"a", mode=0o4755), directory(b"b")).blocks
    assert [entry.mode for entry in Growth((counting(block, 0o777),)).entries()] == [0o755, 0o755]
    assert counting(block, 0o7777) == block
