from __future__ import annotations

import os.path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aefsync.wire.packing import common_length, front_code, front_decode, pack_spans, unpack_spans
from tests.support import values


@given(st.lists(st.binary(max_size=20)))
def test_strings_come_back(strings: list[bytes]) -> None:
    assert front_decode(*front_code(strings)) == strings


@given(st.binary(), st.binary(), st.binary())
def test_common_length_is_that_of_the_common_prefix(head: bytes, one: bytes, other: bytes) -> None:
    assert common_length(head + one, head + other) == len(os.path.commonprefix([head + one, head + other]))


def test_deep_paths_cost_little() -> None:
    deep = b"/".join([b"directory"] * 40)
    shared, suffixes = front_code([deep + b"/%04d" % i for i in range(100)])
    assert len(suffixes[0]) == len(deep) + 5
    assert sum(map(len, suffixes[1:])) < 200
    assert set(shared[1:]) <= {len(deep) + 3, len(deep) + 4}


@pytest.mark.parametrize(
    ("shared", "suffixes"),
    [((1,), (b"a",)), ((0, 2), (b"a", b"")), ((0,), ()), ((), (b"a",))],
    ids=["from nothing", "more than there is", "too few", "too many"],
)
def test_columns_that_do_not_fit_are_refused(shared: tuple[int, ...], suffixes: tuple[bytes, ...]) -> None:
    with pytest.raises(ValueError):
        front_decode(shared, suffixes)


def test_strings_that_multiply_are_refused() -> None:
    with pytest.raises(ValueError, match="too long"):
        front_decode((0, *[1000] * 1000), (b"x" * 1000, *[b""] * 1000), limit=100_000)


@given(values.spans())
def test_spans_come_back(spans: list[tuple[int, int]]) -> None:
    assert list(unpack_spans(pack_spans(spans))) == spans


def test_empty_spans_are_left_out() -> None:
    assert unpack_spans(pack_spans([(0, 0), (2, 3), (3, 3), (3, 5)])) == ((2, 3), (3, 5))


@pytest.mark.parametrize("spans", [[(3, 2)], [(0, 5), (4, 6)], [(-1, 2)]], ids=["backwards", "overlapping", "negative"])
def test_spans_out_of_order_are_refused(spans: list[tuple[int, int]]) -> None:
    with pytest.raises(ValueError, match="out of order"):
        pack_spans(spans)


@pytest.mark.parametrize("packed", [(1,), (0, 0), (1 << 62, 1 << 62, 0, 1)], ids=["half", "empty", "huge"])
def test_packed_spans_that_no_snapshot_has_are_refused(packed: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="span"):
        unpack_spans(packed)
