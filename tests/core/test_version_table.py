"""The versions of a growth: once each, and back to the entries that have them."""

from __future__ import annotations

import pytest
from hypothesis import given

from aefsync.core.first_growth import DOTS, first_of
from aefsync.core.growth import Growth
from aefsync.core.version import FOUND, Dot, Version
from aefsync.core.version_table import VersionTable, table_of
from tests.core.test_growth import file, growth_of
from tests.support.values import dated_growths

ONE, OTHER = (Version((Dot(author * 16, 1),), author * 16) for author in (b"a", b"b"))
BARE = growth_of(file(b"a"), file(b"d/b"), file(b"d/c"))


def versions_in(growth: Growth) -> list[Version | None]:
    return [entry.version for entry in growth.entries()]


@given(dated_growths())
def test_they_come_back(growth: Growth) -> None:
    table = table_of(growth)
    assert len(set(table.versions)) == len(table.versions)
    bare = growth._replace(blocks=tuple(block._replace(versions=None) for block in growth.blocks))
    assert table.put_into(bare) == growth


def test_where_all_have_one_there_are_no_numbers() -> None:
    assert table_of(VersionTable((FOUND,)).put_into(BARE)) == VersionTable((FOUND,))
    assert table_of(BARE) == VersionTable() == table_of(Growth(()))
    mixed = VersionTable((ONE, OTHER), b"\0\0\1\0\0\0")
    assert versions_in(mixed.put_into(BARE)) == [ONE, OTHER, ONE]
    assert table_of(mixed.put_into(BARE)) == mixed


@pytest.mark.parametrize(
    "table",
    [VersionTable((), b"\0\0" * 3), VersionTable((ONE,), b"\0\0" * 2), VersionTable((ONE,), b"\0\0\1\0\0\0")],
)
def test_what_does_not_fit_is_refused(table: VersionTable) -> None:
    with pytest.raises(ValueError, match="version"):
        table.put_into(BARE)


def test_they_stay_with_their_entries_where_a_growth_is_cut() -> None:
    growth = VersionTable((ONE, OTHER), b"\0\0\1\0\0\0").put_into(BARE)
    assert [versions_in(part) for part in growth.parts(2, 1 << 20)] == [[ONE, OTHER], [ONE]]


def test_long_vectors_make_fewer_blocks_and_one_at_least() -> None:
    long = Version(tuple(Dot(b"%016d" % number, 1) for number in range(DOTS)))
    blocks = VersionTable((long,)).put_into(BARE).blocks
    assert len(first_of((block, 0, block.length) for block in blocks)) == 1
