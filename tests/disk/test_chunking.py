from __future__ import annotations

import io
import os
import random
from itertools import accumulate
from pathlib import Path

import pytest
from pyfastcdc import FastCDC

from aefsync.core.digest import content_digest
from aefsync.core.path import RelPath
from aefsync.core.recipe import CHUNKER, LEVELS, Recipe, Run
from aefsync.disk import chunking
from aefsync.disk.chunking import cut, cutting

NOISE = random.Random(5).randbytes(9 << 20)


@pytest.fixture
def fd(tmp_path: Path) -> int:
    (tmp_path / "f").write_bytes(NOISE)
    return os.open(tmp_path / "f", os.O_RDONLY)


def test_the_name_of_the_chunker_holds_its_parameters() -> None:
    assert CHUNKER.split()[1:] == [str(level.average) for level in LEVELS]


def test_the_fast_implementation_is_installed() -> None:
    """The package falls back on one in Python, 200 times slower, where it could not be compiled."""
    assert FastCDC.__module__ == "pyfastcdc.cy.fastcdc"


@pytest.mark.parametrize("level", range(len(LEVELS)))
def test_windows_do_not_show_in_the_chunks(fd: int, level: int, monkeypatch: pytest.MonkeyPatch) -> None:
    average, least, most, size = LEVELS[level]
    whole = FastCDC(average, min_size=least, max_size=most).cut_stream(io.BytesIO(NOISE))
    expected = [(chunk.length, content_digest(chunk.data)[:size]) for chunk in whole]
    for window in (16 << 20, most + 12345, 2 * most):
        monkeypatch.setattr(chunking, "_WINDOW", window)
        lengths, digests = cut(fd, 0, len(NOISE), level)
        assert [(n, digests[size * i : size * i + size]) for i, n in enumerate(lengths)] == expected
    assert all(least <= length <= most for length in lengths[:-1])


def test_a_run_is_cut_as_if_it_were_a_file(fd: int, tmp_path: Path) -> None:
    (tmp_path / "part").write_bytes(NOISE[1000:3_000_000])
    part = os.open(tmp_path / "part", os.O_RDONLY)
    assert cut(fd, 1000, 2_999_000, 1) == cut(part, 0, 2_999_000, 1)


def test_an_insertion_shifts_nothing_behind_its_chunk(fd: int, tmp_path: Path) -> None:
    (tmp_path / "new").write_bytes(NOISE[: 1 << 20] + b"inserted" + NOISE[1 << 20 :])
    new = os.open(tmp_path / "new", os.O_RDONLY)
    before, after = (cut(each, 0, os.fstat(each).st_size, 1) for each in (fd, new))
    known = {before.digests[16 * i : 16 * i + 16] for i in range(len(before.lengths))}
    fresh = [n for i, n in enumerate(after.lengths) if after.digests[16 * i : 16 * i + 16] not in known]
    assert 0 < len(fresh) <= 2
    assert [*accumulate(after.lengths)][-1] == len(NOISE) + len(b"inserted")


def test_a_whole_file_is_digested_on_the_way(fd: int) -> None:
    path = RelPath(b"f")
    assert cutting(Run(path, 0, len(NOISE)), 0)(fd).content == content_digest(NOISE)
    assert cutting(Run(path, 0, len(NOISE) - 1), 0)(fd).content == b""
    assert cutting(Run(path, 1, len(NOISE) - 1), 0)(fd).content == b""


def test_a_file_that_has_shrunk_has_no_recipe(fd: int) -> None:
    run = Run(RelPath(b"f"), 1 << 20, len(NOISE))
    assert cutting(run, 1)(fd) == Recipe(run.path, run.offset, (), b"")
