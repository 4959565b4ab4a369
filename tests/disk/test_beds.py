"""Many small files are copied a directory at a time; with one that is in any trouble the rest has nothing to do."""

from __future__ import annotations

import os

import pytest

from aefsync.core.action import Staged, StageFile
from aefsync.core.digest import content_digest
from aefsync.core.entry import UNKNOWN
from aefsync.core.growth import SMALL
from aefsync.core.path import RelPath
from aefsync.disk.durability import FEW
from aefsync.disk.staging import Staging
from tests.disk.ground import Ground, Site

NAMES = [b"%c/%d" % (letter, number) for letter in b"de" for number in range(FEW)]
DATA = {name: name * (1 + number) for number, name in enumerate(NAMES)} | {b"e/empty": b"", b"large": bytes(SMALL + 1)}


@pytest.fixture
def planned(other: Ground) -> list[StageFile]:
    """The files as a scan saw them, every other one read by then."""
    for name, data in DATA.items():
        other.write(name, data, mtime_ns=-7, mode=0o604)
    return [StageFile(other.entry(name, read=bool(number % 2)), RelPath(name)) for number, name in enumerate(DATA)]


def staged(site: Site, name: bytes) -> tuple[bytes, int, int]:
    """The bytes, mode and mtime of what is staged for a path."""
    known = site.staging.name(RelPath(name))
    assert known is not None
    fd = os.open(known, os.O_RDONLY, dir_fd=site.staging.fd)
    try:
        seen = os.fstat(fd)
        return os.read(fd, seen.st_size + 1), seen.st_mode & 0o7777, seen.st_mtime_ns
    finally:
        os.close(fd)


def only_in_beds(monkeypatch: pytest.MonkeyPatch, *others: bytes) -> None:
    """Have no file but these copied by itself."""
    copy = Staging._copy

    def refuse(staging: Staging, file: StageFile, *arguments: object) -> bytes:
        assert file.path in others
        return copy(staging, file, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Staging, "_copy", refuse)


@pytest.mark.parametrize("again", [False, True])
def test_they_are_staged_as_one_by_one(
    site: Site, other: Ground, planned: list[StageFile], monkeypatch: pytest.MonkeyPatch, again: bool
) -> None:
    only_in_beds(monkeypatch, b"large")
    for _ in range(1 + again):
        expected = Staged(tuple(map(content_digest, DATA.values())), (), sum(map(len, DATA.values())))
        assert site.staging.stage(planned, other.root) == expected
    assert {name: staged(site, name) for name in DATA} == {name: (data, 0o604, -7) for name, data in DATA.items()}
    assert site.staging.unfinished == []


def test_only_what_is_in_trouble_is_not_there(site: Site, other: Ground, planned: list[StageFile]) -> None:
    changed, gone, rotten = NAMES[0], NAMES[FEW], NAMES[-1]
    other.write(changed, b"longer than it was")
    os.unlink(other.place(gone))
    wrong = next(file for file in planned if file.path == rotten)
    planned[planned.index(wrong)] = wrong._replace(source=wrong.source._replace(content=bytes([1]) * 32))
    found = site.staging.stage(planned, other.root)
    assert {problem.path: problem.reason for problem in found.problems} == {
        changed: "changed since the scan",
        gone: "no such file or directory",
        rotten: "its bytes are not those that were compared",
    }
    good = {name: data for name, data in DATA.items() if name not in (changed, gone, rotten)}
    assert {name: staged(site, name)[0] for name in good} == good
    assert [site.staging.name(RelPath(name)) for name in (changed, gone, rotten)] == [None] * 3
    assert dict(zip(DATA, found.contents, strict=True)) == {
        name: content_digest(data) if name in good else b"" for name, data in DATA.items()
    }


def test_two_from_one_source_are_two_files(site: Site, other: Ground, planned: list[StageFile]) -> None:
    copies = [file._replace(path=RelPath(file.path + b".copy")) for file in planned]
    assert UNKNOWN not in site.staging.stage([*planned, *copies], other.root).contents
    places = [site.staging.name(file.path) for file in [*planned, *copies]]
    assert len(set(places)) == 2 * len(DATA)
    assert {name: staged(site, name + b".copy")[0] for name in DATA} == DATA
