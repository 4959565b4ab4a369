from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aefsync.core.sketch import Sketch

NUMBERS = st.sets(st.integers(0, 1 << 40), max_size=20)


def sketch(numbers: set[int], bits: int = 10) -> Sketch:
    found = Sketch(bits)
    for number in numbers:
        found.add(number)
    return found


@given(NUMBERS, NUMBERS)
def test_what_is_in_it_is_always_found_and_what_is_in_both_makes_them_meet(one: set[int], other: set[int]) -> None:
    assert all(number in sketch(one) for number in one)
    assert sketch(one).meets(sketch(other)) or not one & other


@given(NUMBERS, NUMBERS)
def test_numbers_whose_lowest_bits_differ_are_told_apart(one: set[int], other: set[int]) -> None:
    low, high = {number % 512 for number in one}, {512 + number % 512 for number in other}
    assert not any(number in sketch(low) for number in high)
    assert not sketch(low).meets(sketch(high))


def test_numbers_that_end_alike_are_taken_for_one_another() -> None:
    assert [number for number in range(40) if number in sketch({1, 14}, 4)] == [1, 14, 17, 30, 33]
