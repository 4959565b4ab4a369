"""What was planted is recorded as if each entry had been placed by itself; and a run that was killed knows its own work."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from aefsync.core.growth import Growth
from aefsync.core.version import FOUND, Dot, Version
from aefsync.core.version_table import VersionTable
from aefsync.disk import planting
from aefsync.disk.settling import Settling
from tests.disk.ground import pass_the_step
from tests.disk.rememberer import Rememberer

ONE, OTHER = (Version((Dot(author * 16, 3),), author * 16) for author in (b"x", b"y"))
PATHS = [b"a", b"n", b"n/b", b"n/c", b"n/deep", b"n/deep/d", b"z"]
OLD = 10**18


class Killed(BaseException):
    """The process is gone."""


@pytest.fixture
def roots(tmp_path: Path) -> Iterator[tuple[Rememberer, Rememberer]]:
    """A root with all of it, and an empty one."""
    there, here = Rememberer(tmp_path / "there"), Rememberer(tmp_path / "here")
    for path in PATHS:
        if path not in (b"n", b"n/deep"):
            there.write(path, b"content of " + path, mtime_ns=OLD)
    os.symlink(b"a", there.place(b"n/link"))
    pass_the_step()
    there.see()
    here.see()
    yield there, here
    there.close()
    here.close()


def grow(there: Rememberer, here: Rememberer, low: int = 0, high: int = 8) -> Growth:
    """Have entries ready, two versions among them."""
    growth = there.replica.growth([(low, high)])
    numbers = [index % 2 for index in range(low, high)]
    dated = VersionTable((ONE, OTHER), b"".join(number.to_bytes(2, "little") for number in numbers)).put_into(growth)
    gathered = there.replica.gather(dated)
    assert here.replica.grow(dated.with_contents(gathered.contents), gathered.data, None) == gathered.contents
    return dated


def expected(*growths: Growth) -> dict[bytes, Version | None]:
    return {bytes(entry.path): entry.version for growth in growths for entry in growth.entries()}


def counter(root: Rememberer) -> int:
    """What the replica has minted, after another look."""
    standing = root.see().standing
    assert standing is not None
    return standing.mark.counter


@pytest.fixture
def decided(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The names that are decided about one by one."""
    names: list[bytes] = []
    decide = Settling._decide

    def deciding(settling: Settling, directory: bytes, done: object, name: bytes, *records: object) -> object:
        names.append(directory + name)
        return decide(settling, directory, done, name, *records)  # type: ignore[arg-type]

    monkeypatch.setattr(Settling, "_decide", deciding)
    return names


def test_a_tree_is_entered_by_columns(roots: tuple[Rememberer, Rememberer], decided: list[bytes]) -> None:
    there, here = roots
    growth = grow(there, here)
    assert here.replica.plant() == b"\1" * 8
    recorded = here.replica.record()
    assert decided == []
    before = here.bytes_of_sidecar()
    assert here.see().history == recorded.history
    assert here.versions == expected(growth)
    assert here.bytes_of_sidecar() == before
    assert here.ask("SELECT count(*) FROM pending") == [(0,)]
    assert here.ask("SELECT count(*) FROM page WHERE length(seal) = 16") == [(3,)]


def test_parts_of_one_directory_come_together(roots: tuple[Rememberer, Rememberer], decided: list[bytes]) -> None:
    there, here = roots
    growths = []
    for low in range(0, 8, 2):
        growths.append(grow(there, here, low, low + 2))
        assert here.replica.plant() == b"\1\1"
    here.replica.record()
    assert decided == []
    assert counter(here) == 0
    assert here.versions == expected(*growths)


def test_large_directories_have_several_pages(
    roots: tuple[Rememberer, Rememberer], decided: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aefsync.disk.listing.ROWS", 3)
    there, here = roots
    growth = grow(there, here)
    here.replica.plant()
    here.replica.record()
    assert decided == []
    assert counter(here) == 0
    assert here.versions == expected(growth)


def meddle_with_a_file(root: Rememberer) -> None:
    root.write(b"n/b", b"edited at once")


def meddle_with_bytes_only(root: Rememberer) -> None:
    root.write(b"n/b", b"CONTENT OF n/b", mtime_ns=OLD)


def add_a_file(root: Rememberer) -> None:
    root.write(b"n/new", b"appeared")


def take_a_file(root: Rememberer) -> None:
    root.remove(b"n/c")


@pytest.mark.parametrize(
    ("meddle", "theirs"),
    [(meddle_with_a_file, b"n/b"), (meddle_with_bytes_only, b"n/b"), (add_a_file, b"n/new"), (take_a_file, b"n/c")],
)
def test_what_is_done_meanwhile_is_no_part_of_it(
    roots: tuple[Rememberer, Rememberer], decided: list[bytes], meddle: object, theirs: bytes
) -> None:
    there, here = roots
    growth = grow(there, here)
    here.replica.plant()
    assert callable(meddle)
    meddle(here)
    here.replica.record()
    assert {name.rpartition(b"\0")[0] for name in decided} == {b"n"}
    assert counter(here) == 1
    told = {path: version for path, version in expected(growth).items() if path != theirs}
    assert {path: version for path, version in here.versions.items() if path != theirs} == told
    edit = here.tombstones.get(theirs) or here.versions[theirs]
    assert edit is not None
    assert len(edit.vector) == (1 if theirs == b"n/new" else 2)


def test_what_stands_in_the_way_is_not_recorded(roots: tuple[Rememberer, Rememberer]) -> None:
    there, here = roots
    growth = grow(there, here)
    here.write(b"z", b"in the way", mtime_ns=OLD)
    assert here.replica.plant() == b"\1" * 7 + b"\0"
    here.replica.record()
    assert counter(here) == 1
    assert here.versions[b"z"] not in (ONE, OTHER)
    assert {**expected(growth), b"z": here.versions[b"z"]} == here.versions


def test_a_directory_that_is_not_durable_is_not_recorded(
    roots: tuple[Rememberer, Rememberer], monkeypatch: pytest.MonkeyPatch
) -> None:
    there, here = roots
    grow(there, here)
    here.replica.plant()
    with monkeypatch.context() as patch:
        patch.setattr("aefsync.disk.writer.Writer.look_again", lambda *_: frozenset([b"n"]))
        here.replica.record()
    assert here.ask("SELECT directory FROM page ORDER BY directory") == [(b"",), (b"n\0deep\0",)]
    assert here.ask("SELECT count(*) FROM pending") == [(1,)]


def test_beside_records_and_tombstones_each_is_decided(
    roots: tuple[Rememberer, Rememberer], decided: list[bytes]
) -> None:
    there, here = roots
    here.write(b"mine", b"here before", mtime_ns=OLD)
    here.write(b"n/mine", b"here before", mtime_ns=OLD)
    pass_the_step()
    here.see()
    here.remove(b"n/mine")
    os.rmdir(here.place(b"n"))
    pass_the_step()
    here.see()
    growth = grow(there, here)
    assert here.replica.plant() == b"\1" * 8
    here.replica.record()
    assert {name.rpartition(b"\0")[0] for name in decided} == {b"", b"n"}
    assert counter(here) == 2
    assert {path: here.versions[path] for path in expected(growth)} == expected(growth)
    assert set(here.tombstones) == {b"n/mine"}


@pytest.mark.parametrize("renamed", range(4))
def test_a_run_that_was_killed_knows_its_own_work(
    roots: tuple[Rememberer, Rememberer], monkeypatch: pytest.MonkeyPatch, renamed: int
) -> None:
    there, here = roots
    growth = grow(there, here)
    done: list[bytes] = []
    rename = planting.rename_new

    def until_it_is_killed(fd: int, name: bytes, to: int, new: bytes) -> None:
        if len(done) == renamed:
            raise Killed
        rename(fd, name, to, new)
        done.append(name)

    with monkeypatch.context() as patch:
        patch.setattr(planting, "rename_new", until_it_is_killed)
        if renamed < 3:
            with pytest.raises(Killed):
                here.replica.plant()
        else:
            here.replica.plant()
    assert counter(here) == 0
    assert set(here.names()) == {path for path in expected(growth) if path.split(b"/")[0] in done}
    assert here.versions == {path: expected(growth)[path] for path in here.names()}
    assert here.ask("SELECT count(*) FROM pending") == [(0,)]


def test_nothing_is_planted_that_is_not_pending(
    roots: tuple[Rememberer, Rememberer], monkeypatch: pytest.MonkeyPatch
) -> None:
    there, here = roots
    grow(there, here)

    def kill(*_: object) -> None:
        raise Killed

    monkeypatch.setattr("aefsync.disk.sidecar.Sidecar.add_pending", kill)
    with pytest.raises(Killed):
        here.replica.plant()
    assert set(here.names()) == set()


def test_what_has_no_version_was_found(roots: tuple[Rememberer, Rememberer]) -> None:
    there, here = roots
    growth = there.replica.growth([(0, 8)])
    bare = growth._replace(blocks=tuple(block._replace(versions=None) for block in growth.blocks))
    gathered = there.replica.gather(bare)
    here.replica.grow(bare.with_contents(gathered.contents), gathered.data, None)
    here.replica.plant()
    here.replica.record()
    assert counter(here) == 0
    assert set(here.versions.values()) == {FOUND}
