from __future__ import annotations

import pytest

from aefsync.core.along import Along
from aefsync.core.path import RelPath
from aefsync.core.version import PASSING, STRAY, Dot, Version
from aefsync.disk.carrying import Carried
from aefsync.disk.vectors import Vectors

NEW = Version((Dot(b"a" * 16, 2),), b"a" * 16)
OTHERS = ((RelPath(b"e/x"), PASSING), (RelPath(b"e/s"), STRAY), (RelPath(b"e/t/y"), PASSING))


@pytest.mark.parametrize("others", [(), OTHERS[:1], OTHERS[1:2], OTHERS])
def test_a_journey_through_the_sidecar(others: tuple[tuple[RelPath, Version], ...]) -> None:
    carried = Carried.of(Along(NEW, others), Vectors().number)
    assert Carried.unpack(carried.pack()) == carried


def test_numbers_of_what_comes_along() -> None:
    vectors = Vectors()
    carried = Carried.of(Along(NEW, OTHERS), vectors.number)
    there = {
        directory: [vectors.version(number) for number in carried.numbers(directory, names)]
        for directory, names in {b"e\0": (b"a", b"s", b"x"), b"e\0s\0d\0": (b"a",), b"e\0t\0": (b"x", b"y")}.items()
    }
    assert there == {b"e\0": [NEW, STRAY, PASSING], b"e\0s\0d\0": [STRAY], b"e\0t\0": [NEW, PASSING]}


@pytest.mark.parametrize("end", [0, 5, 17, 20])
def test_what_is_cut_short_is_noticed(end: int) -> None:
    packed = Carried.of(Along(NEW, OTHERS), Vectors().number).pack()
    with pytest.raises(ValueError):
        Carried.unpack(packed[:end])
