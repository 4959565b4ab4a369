from __future__ import annotations

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aefsync.core.version import FOUND, Dot, Version
from aefsync.disk.vectors import ROWS, VectorPage, Vectors, packed, unpacked

AUTHORS = st.sampled_from([b"a" * 16, b"b" * 16, bytes(16)])
VECTORS = st.dictionaries(AUTHORS, st.integers(0, 2**63), max_size=3).map(
    lambda dots: tuple(Dot(*each) for each in sorted(dots.items()))
)
VERSIONS = st.builds(Version, VECTORS, st.one_of(st.just(b""), AUTHORS)).filter(lambda version: version.vector)


def edit(number: int) -> Version:
    return Version((Dot(b"a" * 16, number + 1),), b"a" * 16)


def reopened(vectors: Vectors, pages: dict[int, VectorPage]) -> Vectors:
    pages.update((page.number, page) for page in vectors.changed())
    return Vectors(pages[number] for number in sorted(pages))


@given(st.lists(st.one_of(st.just(FOUND), VERSIONS), max_size=12))
def test_versions_keep_their_numbers(versions: list[Version]) -> None:
    vectors = Vectors()
    numbers = [vectors.number(version) for version in versions]
    again = reopened(vectors, {})
    assert [again.version(number) for number in numbers] == versions
    assert [again.number(version) for version in versions] == numbers
    assert again.digests(packed(array("I", numbers)), len(numbers)) == b"".join(each.digest for each in versions)


def test_more_than_a_page() -> None:
    vectors, pages = Vectors(), dict[int, VectorPage]()
    numbers = [vectors.number(edit(number)) for number in range(ROWS + 5)]
    again = reopened(vectors, pages)
    assert len(pages) == 2
    assert [again.version(number) for number in numbers] == [edit(number) for number in range(ROWS + 5)]
    assert again.number(edit(ROWS + 5)) == ROWS + 6
    assert [page.number for page in again.changed()] == [1]
    assert list(again.changed()) == []


def test_numbers_that_nothing_uses_are_used_again() -> None:
    vectors = Vectors()
    numbers = [vectors.number(edit(number)) for number in range(4)]
    vectors.keep({numbers[1], numbers[3]})
    again = reopened(vectors, {})
    assert {again.number(edit(10)), again.number(edit(11))} == {numbers[0], numbers[2]}
    assert (again.version(numbers[1]), again.version(numbers[3])) == (edit(1), edit(3))
    assert len(again) == 5


def test_a_number_stands_for_another_version_wherever_it_is() -> None:
    vectors = Vectors()
    number = vectors.number(edit(1))
    vectors.replace(number, edit(2))
    again = reopened(vectors, {})
    assert again.version(number) == edit(2)
    assert again.number(edit(2)) == number
    assert again.number(edit(1)) != number
    assert again.numbers(lambda vector: vector[0].counter > 2) == [number]


@pytest.mark.parametrize("body", [b"", b"x", b"\x78\x01"])
def test_damage_is_noticed(body: bytes) -> None:
    vectors = Vectors([VectorPage(0, bytes(32), body)])
    with pytest.raises(ValueError):
        vectors.version(1)


@given(st.lists(st.integers(0, 2**32 - 1), max_size=9))
def test_numbers_packed(numbers: list[int]) -> None:
    assert list(unpacked(packed(array("I", numbers)), len(numbers))) == numbers


def test_numbers_that_do_not_fit() -> None:
    with pytest.raises(ValueError):
        unpacked(packed(array("I", [1, 2])), 3)
