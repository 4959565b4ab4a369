from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aefsync.core.action import StageFile
from aefsync.core.digest import content_digest
from aefsync.core.ports import Piece
from aefsync.disk.hashing import Seen, hash_file
from aefsync.disk.sparse import BLOCK, SLICE, read_runs, write_sparsely
from tests.disk.ground import Ground, Site, wanted

MIB = 1 << 20
NOISE = random.Random(1).randbytes(SLICE)


@pytest.fixture
def fd(tmp_path: Path) -> Iterator[int]:
    fd = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    yield fd
    os.close(fd)


def allocated(place: bytes | Path | int) -> int:
    return os.stat(place).st_blocks * 512


def sparse(ground: Ground, path: bytes, size: int, data: dict[int, bytes]) -> None:
    with open(ground.place(path), "wb") as file:
        for offset, part in data.items():
            file.seek(offset)
            file.write(part)
        file.truncate(size)


@pytest.mark.parametrize(
    "data",
    [{}, {0: NOISE}, {5 * MIB: NOISE}, {0: b"x", 9 * MIB: NOISE, 20 * MIB - 1: b"z"}, {3 * MIB + 5: NOISE * 200}],
)
def test_every_byte_is_read(ground: Ground, data: dict[int, bytes]) -> None:
    sparse(ground, b"f", 20 * MIB, data)
    with open(ground.place(b"f"), "rb") as file:
        read = b"".join([bytes(run.data) for run in read_runs(file.fileno())])
    assert read == ground.read(b"f")
    seen = os.stat(ground.place(b"f"))
    known = Seen(seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_ino)
    assert hash_file(ground.root.fd, b"f", known) == content_digest(read)


def test_holes_are_not_asked_for(ground: Ground) -> None:
    sparse(ground, b"f", 3 * BLOCK, {BLOCK: b"x" * SLICE})
    with open(ground.place(b"f"), "rb") as file:
        runs = [(run.offset, len(run.data)) for run in read_runs(file.fileno()) if not run.is_hole]
    assert runs == [(BLOCK, SLICE)]


def test_an_empty_file_has_no_runs(fd: int) -> None:
    assert list(read_runs(fd)) == []


@given(st.lists(st.sampled_from([bytes(SLICE), NOISE, bytes(100), b"x"]), max_size=6), st.integers(1, 3 * SLICE))
def test_pieces_come_out_as_they_went_in(
    tmp_path_factory: pytest.TempPathFactory, parts: list[bytes], cut: int
) -> None:
    data = b"".join(parts)
    fd = os.open(tmp_path_factory.mktemp("s") / "f", os.O_RDWR | os.O_CREAT)
    try:
        for offset in range(0, len(data), cut):
            write_sparsely(fd, data[offset : offset + cut], offset)
        assert os.pread(fd, len(data) + 1, 0) == data
    finally:
        os.close(fd)


def test_zeros_take_no_room(fd: int) -> None:
    write_sparsely(fd, bytes(MIB) + NOISE + bytes(MIB), 0)
    assert os.fstat(fd).st_size == 2 * MIB + SLICE
    assert allocated(fd) <= 2 * SLICE


def test_a_copy_is_as_sparse_as_its_source(site: Site, other: Ground) -> None:
    sparse(other, b"f", 1 << 30, {512 * MIB: NOISE})
    entry = other.entry(b"f", read=False)
    staged = site.staging.stage([StageFile(entry, entry.path)], other.root)
    place = site.place(b".aefsync/tmp/run/" + (site.staging.name(entry.path) or b""))
    assert staged.problems == ()
    assert os.stat(place).st_size == 1 << 30
    assert allocated(place) <= 4 * SLICE
    with open(place, "rb") as copy:
        copy.seek(512 * MIB)
        assert copy.read(SLICE + 1) == NOISE + b"\0"


def test_what_is_written_piece_by_piece_is_sparse(site: Site) -> None:
    data = bytes(4 * MIB) + NOISE + bytes(4 * MIB)
    entry = wanted(b"f", data)
    for offset in range(0, len(data), MIB):
        part = data[offset : offset + MIB]
        site.staging.write([Piece(entry.path, offset, len(part), part)])
    assert site.staging.stage([StageFile(entry, entry.path)], None).contents == (entry.content,)
    place = site.place(b".aefsync/tmp/run/" + (site.staging.name(entry.path) or b""))
    assert allocated(place) <= 4 * SLICE
