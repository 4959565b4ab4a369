from __future__ import annotations

import errno
import os
import random
from collections.abc import Iterator

import pytest

from aefsync.core.path import RelPath
from aefsync.core.recipe import SMALLEST, Recipe, Run, runs_of
from aefsync.disk.assembly import Assembly, Seed, unfinished
from aefsync.disk.chunking import cutting
from tests.disk.ground import Ground, Site

NOISE = random.Random(6).randbytes(6 << 20)
EDITED = NOISE[: 2 << 20] + b"edited" + NOISE[(2 << 20) + 6 :]
OLD, NEW = RelPath(b"old"), RelPath(b"new")


def recipe_of(ground: Ground, data: bytes, level: int, *runs: Run, path: RelPath = NEW) -> list[Recipe]:
    """What the origin of a file says of it."""
    ground.write(b"there", data)
    with open(ground.place(b"there"), "rb") as file:
        return [cutting(run, level)(file.fileno()) for run in runs or [Run(path, 0, len(data))]]


def lacking(assembly: Assembly, recipes: list[Recipe], level: int, seeds: list[RelPath] | None) -> list[Run]:
    spans = assembly.match(seeds, recipes, level)
    return [run for recipe, own in zip(recipes, spans, strict=True) for run in runs_of(recipe, own)]


@pytest.fixture
def target(other: Ground) -> Iterator[int]:
    fd = os.open(other.place(b"target"), os.O_RDWR | os.O_CREAT)
    yield fd
    os.close(fd)


def test_what_a_seed_holds_is_not_lacking(ground: Ground, other: Ground, target: int) -> None:
    ground.write(OLD, NOISE)
    assembly = Assembly(ground.root)
    (run,) = lacking(assembly, recipe_of(other, EDITED, 0), 0, [OLD])
    assert run.length < len(NOISE)
    assert run.offset <= 2 << 20 < run.offset + run.length
    assert assembly.fill(NEW, target) == len(EDITED) - run.length
    os.pwrite(target, EDITED[run.offset : run.offset + run.length], run.offset)
    assert os.pread(target, len(EDITED) + 1, 0) == EDITED
    assert assembly.fill(NEW, target) == 0


def test_each_level_looks_closer(ground: Ground, other: Ground) -> None:
    ground.write(OLD, NOISE)
    assembly = Assembly(ground.root)
    runs = [Run(NEW, 0, len(EDITED))]
    sizes = []
    for level, seeds in enumerate([[OLD], None, None]):
        runs = lacking(assembly, recipe_of(other, EDITED, level, *runs), level, seeds)
        sizes.append(sum(run.length for run in runs))
    assert sizes[0] > sizes[1] > sizes[2] > 0
    assert sizes[2] <= 32 << 10


def test_any_seed_of_the_batch_may_hold_it(ground: Ground, other: Ground) -> None:
    ground.write(OLD, b"nothing of the kind" * 1000)
    ground.write(b"third", NOISE)
    assert lacking(Assembly(ground.root), recipe_of(other, NOISE, 0), 0, [OLD, RelPath(b"third")]) == []


def test_a_seed_that_is_no_file_is_none(ground: Ground, other: Ground) -> None:
    os.symlink(other.place(b"there"), ground.place(b"link"))
    os.mkdir(ground.place(b"directory"))
    seeds = [RelPath(name) for name in (b"link", b"directory", b"missing")]
    recipes = recipe_of(other, NOISE, 0)
    assert lacking(Assembly(ground.root), recipes, 0, seeds) == [Run(NEW, 0, len(NOISE))]


def test_other_seeds_begin_anew(ground: Ground, other: Ground, target: int) -> None:
    ground.write(OLD, NOISE)
    assembly = Assembly(ground.root)
    recipes = recipe_of(other, NOISE, 0)
    assert lacking(assembly, recipes, 0, [OLD]) == []
    assert lacking(assembly, recipes, 0, None) == []
    assert lacking(assembly, recipes, 0, []) == [Run(NEW, 0, len(NOISE))]
    assert assembly.fill(NEW, target) == 0


def test_a_seed_is_cut_from_its_own_first_level_on(ground: Ground, other: Ground) -> None:
    """What is small here may be a part of what is large there, and the reverse."""
    ground.write(OLD, NOISE[:300_000])
    ground.write(b"large", NOISE)
    assembly = Assembly(ground.root)
    assert lacking(assembly, recipe_of(other, NOISE, 0), 0, [OLD]) == [Run(NEW, 0, len(NOISE))]
    (run,) = lacking(assembly, recipe_of(other, NOISE, 1), 1, None)
    assert 200_000 < run.offset < 300_000
    (run,) = lacking(assembly, recipe_of(other, NOISE[:300_000], 1), 1, [RelPath(b"large")])
    assert run.offset + run.length == 300_000
    assert run.offset > 200_000


def test_where_the_file_system_does_not_copy_bytes_are_read_and_written(
    ground: Ground, other: Ground, target: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(errno.EXDEV, "no")

    monkeypatch.setattr(os, "copy_file_range", refuse)
    ground.write(OLD, NOISE)
    assembly = Assembly(ground.root)
    assert lacking(assembly, recipe_of(other, NOISE, 0), 0, [OLD]) == []
    assert assembly.fill(NEW, target) == len(NOISE)
    assert os.pread(target, len(NOISE) + 1, 0) == NOISE


def test_trouble_while_copying_is_told(
    ground: Ground, other: Ground, target: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> int:
        raise OSError(errno.ENOSPC, "no space left on device")

    ground.write(OLD, NOISE)
    assembly = Assembly(ground.root)
    lacking(assembly, recipe_of(other, NOISE, 0), 0, [OLD])
    monkeypatch.setattr(os, "copy_file_range", fail)
    with pytest.raises(OSError, match="no space"):
        assembly.fill(NEW, target)


def test_unfinished_staging_is_a_seed(site: Site, other: Ground) -> None:
    site.home.make_directories(b"tmp/20261122T101112Z-dead/deep")
    place = site.place(b".aefsync/tmp/20261122T101112Z-dead/deep/00000001")
    for name, data in ((place, NOISE[: 5 << 20]), (place + b"-small", bytes(SMALLEST - 1))):
        with open(name, "wb") as file:
            file.write(data)
    seeds = unfinished(site.home)
    assert seeds == [Seed(site.home, b"tmp/20261122T101112Z-dead/deep/00000001")]
    assembly = Assembly(site.root, seeds)
    for _ in range(2):
        (run,) = lacking(assembly, recipe_of(other, NOISE, 0), 0, [])
        assert run.offset + run.length == len(NOISE)
        assert run.offset > 1 << 20


def test_a_chunk_is_found_as_often_as_it_is_asked_for(ground: Ground, other: Ground) -> None:
    ground.write(OLD, NOISE)
    assembly = Assembly(ground.root)
    twice = recipe_of(other, NOISE + NOISE, 0)
    left = lacking(assembly, twice, 0, [OLD])
    assert sum(run.length for run in left) < 5 << 20
