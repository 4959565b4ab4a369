"""Memory is lent again once nobody has a view of it, never before; and no more is kept than was said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aefsync.core.lending import Lender

MOST = 4 << 20


def test_what_is_let_go_is_lent_again() -> None:
    lender = Lender(MOST)
    first = lender.lend(100)
    place = id(first.obj)
    del first
    assert id(lender.lend(80).obj) == place


@pytest.mark.parametrize("part", [slice(None), slice(40, 41)])
def test_what_somebody_still_has_a_view_of_is_not(part: slice) -> None:
    lender = Lender(MOST)
    held = lender.lend(100)[part]
    held[0] = 7
    other = lender.lend(100)
    other[:] = bytes(100)
    assert held[0] == 7
    assert other.obj is not held.obj


@given(st.lists(st.tuples(st.integers(1, MOST), st.booleans()), max_size=12))
def test_views_that_are_held_never_meet_and_little_is_kept(steps: list[tuple[int, bool]]) -> None:
    lender, held = Lender(MOST), list[memoryview]()
    for number, (size, is_kept) in enumerate(steps):
        view = lender.lend(size)
        assert len(view) == size
        view[:] = bytes([number % 256]) * size
        if is_kept:
            held.append(view)
        del view
        assert sum(map(len, lender._kept)) <= MOST
    assert all(len(set(view)) == 1 for view in held)
