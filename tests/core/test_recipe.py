from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aefsync.core.path import RelPath
from aefsync.core.recipe import FEW_CHUNKS, LEVELS, MANY_CHUNKS, SMALLEST, Recipe, Run, first_level, portions, runs_of

F, G = RelPath(b"f"), RelPath(b"g")


@pytest.mark.parametrize(
    ("size", "level"),
    [
        (0, None),
        (SMALLEST - 1, None),
        (SMALLEST, 4),
        (FEW_CHUNKS * LEVELS[3].average - 1, 4),
        (FEW_CHUNKS * LEVELS[3].average, 3),
        (FEW_CHUNKS * LEVELS[2].average - 1, 3),
        (FEW_CHUNKS * LEVELS[2].average, 2),
        (FEW_CHUNKS * LEVELS[1].average - 1, 2),
        (FEW_CHUNKS * LEVELS[1].average, 1),
        (FEW_CHUNKS * LEVELS[0].average - 1, 1),
        (FEW_CHUNKS * LEVELS[0].average, 0),
        (1 << 40, 0),
    ],
)
def test_large_files_begin_with_large_chunks(size: int, level: int | None) -> None:
    assert first_level(size) == level


def test_runs_are_the_bytes_of_chunks() -> None:
    recipe = Recipe(F, 100, (10, 20, 30, 40), bytes(64))
    assert list(runs_of(recipe, [(0, 1), (2, 4)])) == [Run(F, 100, 10), Run(F, 130, 70)]
    assert list(runs_of(recipe, [])) == []


def test_a_chunk_has_its_own_digest() -> None:
    for size in {level.digest for level in LEVELS}:
        recipe = Recipe(F, 0, (1, 1), b"a" * size + b"b" * size)
        assert [recipe.digest(0), recipe.digest(1)] == [b"a" * size, b"b" * size]


@given(st.lists(st.tuples(st.sampled_from([F, G]), st.integers(0, 99), st.integers(1, 3 << 30)), max_size=8))
def test_portions_are_bounded_and_leave_nothing_out(places: list[tuple[RelPath, int, int]]) -> None:
    runs = [Run(*place) for place in places]
    divided = list(portions(runs, 2))
    limit = MANY_CHUNKS * LEVELS[2].average
    assert all(0 < sum(run.length for run in portion) <= limit for portion in divided)
    assert _joined([run for portion in divided for run in portion]) == _joined(runs)


def _joined(runs: list[Run]) -> list[Run]:
    """Runs that follow each other within a file as one."""
    found: list[Run] = []
    for run in runs:
        if found and found[-1].path == run.path and found[-1].offset + found[-1].length == run.offset:
            found[-1] = found[-1]._replace(length=found[-1].length + run.length)
        else:
            found.append(run)
    return found
