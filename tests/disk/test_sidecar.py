from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from aefsync.core.ports import Access, Scan
from aefsync.core.problem import Problem
from aefsync.core.version import FOUND, Dot
from aefsync.core.writing import Durability
from aefsync.disk.filesystem import LOCAL, REMOTE
from aefsync.disk.folder import Folder
from aefsync.disk.home import Home, open_home
from aefsync.disk.sidecar import Damaged, Sidecar
from aefsync.disk.sidecar_file import open_for_reading, open_for_writing
from aefsync.errors import GuardError, RootError
from tests.disk.ground import home_of
from tests.disk.rememberer import VERSIONS, Rememberer

OLD = 10**18


@pytest.fixture
def locked(root: Rememberer) -> Iterator[Home]:
    home = home_of(root.root)
    home.lock.take("test")
    yield home
    home.close()


def written(locked: Home) -> Sidecar:
    return open_for_writing(locked, LOCAL, Durability.BATCH)


def furnished(root: Rememberer) -> bytes:
    """A root with a past; the bytes of its sidecar."""
    for number in range(40):
        root.write(b"d%d/file-%d" % (number % 4, number), b"%d" % number, mtime_ns=OLD)
    root.see()
    root.write(b"d0/file-0", b"edited")
    root.remove(b"d1/file-1")
    root.see()
    return root.bytes_of_sidecar()


def check_set_aside(root: Rememberer, problem: Problem, damaged: bytes) -> None:
    assert problem.path == b".aefsync/sidecar.db"
    assert "joins as a new one" in problem.reason
    (aside,) = (root.path / ".aefsync").glob("sidecar.db.damaged-*[0-9]")
    assert aside.read_bytes() == damaged
    assert set(root.versions.values()) == {FOUND}
    assert root.tombstones == {}


@pytest.mark.parametrize("damage", ["empty", "cut", "head", "other", "column", "letter", "table"])
def test_a_damaged_sidecar_is_set_aside(root: Rememberer, damage: str) -> None:
    whole = furnished(root)
    damaged = {"empty": b"", "cut": whole[:9000], "head": b"x" * 100 + whole[100:], "other": b"no database\n" * 999}
    damaged["column"] = whole.replace(b"digests BLOB, checksum", b"digests BLOB, checksul")
    damaged["letter"] = whole.replace(b"digests BLOB, checksum", b"digests BLOB, \xe3hecksum")
    damaged["table"] = whole.replace(b"pending", b"qending")
    assert damaged[damage] != whole
    root.place_of_sidecar.write_bytes(damaged[damage])
    (problem,) = root.see().problems
    check_set_aside(root, problem, damaged[damage])
    scanned = root.see()
    assert scanned.problems == ()
    assert scanned.standing is not None
    assert scanned.standing.mark.counter == 0


@pytest.mark.parametrize("page", range(12))
def test_no_damage_goes_unnoticed_where_it_matters(root: Rememberer, page: int) -> None:
    whole = furnished(root)
    versions, tombstones = root.versions, root.tombstones
    at = page * 8192 + 4096
    if at >= len(whole):
        at = len(whole) - 100
    damaged = whole[: at - 2000] + bytes(byte ^ 0x55 for byte in whole[at - 2000 : at + 4000]) + whole[at + 4000 :]
    root.place_of_sidecar.write_bytes(damaged)
    problems = root.see(VERSIONS._replace(ignore_index=True)).problems
    if problems:
        check_set_aside(root, problems[0], damaged)
    else:
        assert (root.versions, root.tombstones) == (versions, tombstones)


def test_a_session_that_only_reads_leaves_a_damaged_one_where_it_is(root: Rememberer) -> None:
    furnished(root)
    root.place_of_sidecar.write_bytes(b"no database")
    (problem,) = root.see(access=Access.READ).problems
    assert problem.reason.endswith("this replica joins as a new one")
    assert root.place_of_sidecar.read_bytes() == b"no database"


def test_a_directory_in_its_place_is_damage(root: Rememberer) -> None:
    furnished(root)
    root.place_of_sidecar.unlink()
    root.place_of_sidecar.mkdir()
    (problem,) = root.see().problems
    assert "is no regular file" in problem.reason
    assert root.place_of_sidecar.is_file()


@pytest.mark.parametrize("access", [Access.WRITE, Access.READ])
def test_one_of_a_newer_program_stops_the_run(root: Rememberer, access: Access) -> None:
    furnished(root)
    database = sqlite3.connect(root.place_of_sidecar)
    database.execute("PRAGMA user_version = 2")
    database.close()
    newer = root.place_of_sidecar.read_bytes()
    with pytest.raises(GuardError, match="newer aefsync"):
        root.see(access=access)
    assert root.bytes_of_sidecar() == newer
    root.see(Scan(), access)  # where versions do not count it is nobody's business
    assert root.bytes_of_sidecar() == newer


def test_a_file_that_somebody_else_has_locked_is_no_damage(locked: Home) -> None:
    sidecar = written(locked)
    place = locked.path_to("sidecar.db")
    assert place is not None
    other = sqlite3.connect(place, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    sidecar._database.execute("PRAGMA busy_timeout = 0")
    with pytest.raises(RootError, match=r"sidecar\.db: database is locked"), sidecar.transaction():
        pass
    other.close()
    with sidecar.transaction():
        sidecar.set_words({"a": b"1"})
    sidecar.close()


def test_a_transaction_is_all_or_nothing(locked: Home) -> None:
    sidecar = written(locked)

    def fail() -> None:
        with sidecar.transaction():
            sidecar.set_words({"a": b"1"})
            with sidecar.transaction():
                sidecar.set_words({"b": b"1"})
            raise Damaged

    with pytest.raises(Damaged):
        fail()
    assert sidecar.words() == {}
    sidecar.close()


@pytest.mark.parametrize(("file_system", "journal"), [(LOCAL, "wal"), (REMOTE, "truncate")])
def test_memory_is_shared_only_where_one_machine_has_the_file(locked: Home, file_system: object, journal: str) -> None:
    sidecar = open_for_writing(locked, file_system, Durability.BATCH)  # type: ignore[arg-type]
    assert sidecar._database.execute("PRAGMA journal_mode").fetchone() == (journal,)
    assert sidecar._database.execute("PRAGMA synchronous").fetchone() == (2,)
    sidecar.close()
    hasty = open_for_writing(locked, file_system, Durability.NONE)  # type: ignore[arg-type]
    assert hasty._database.execute("PRAGMA synchronous").fetchone() == (0,)
    hasty.close()


def test_reading_creates_and_changes_nothing(root: Rememberer) -> None:
    furnished(root)
    before = {name: (root.path / ".aefsync" / name).stat().st_mtime_ns for name in os.listdir(root.path / ".aefsync")}
    root.write(b"new", b"1")
    root.see(access=Access.READ)
    assert root.versions[b"new"] != FOUND
    root.replica.close()
    after = {name: (root.path / ".aefsync" / name).stat().st_mtime_ns for name in os.listdir(root.path / ".aefsync")}
    assert after == before


def test_what_an_interrupted_run_had_committed_is_read(
    root: Rememberer, locked: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Others that did the same: one was killed, one just now, and one is at it.
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    killed, fresh, busy = (Folder("") for _ in range(3))
    for each in (killed, busy):
        os.utime(each.path, (1, 1))
    for each in (killed, fresh):
        os.close(each._fd)
    sidecar = written(locked)
    with sidecar.transaction():
        sidecar.set_words({"a": b"1"})
    folder = root.path / ".aefsync"
    for name in ("sidecar.db", "sidecar.db-wal"):
        shutil.copy(folder / name, folder / f"copy-{name}")
    sidecar.close()
    for name in ("sidecar.db", "sidecar.db-wal"):
        os.rename(folder / f"copy-{name}", folder / name)
    before = sorted(os.listdir(folder))
    reading = open_for_reading(locked)
    assert reading is not None
    assert reading.words() == {"a": b"1"}
    reading.close()
    assert sorted(os.listdir(folder)) == before
    assert {each.path for each in os.scandir(tmp_path / "temporary")} == {fresh.path, busy.path}
    busy.close()


def test_what_a_run_at_work_has_committed_is_read(root: Rememberer, locked: Home) -> None:
    sidecar = written(locked)
    sidecar.set_words({"a": b"1"})
    other = open_home(root.root)
    assert other is not None
    assert other.lock.is_taken
    reading = open_for_reading(other)
    assert reading is not None
    assert reading.words() == {"a": b"1"}
    reading.close()
    sidecar.close()
    other.close()


def test_there_is_none_before_the_first_session(root: Rememberer, locked: Home) -> None:
    assert open_for_reading(locked) is None
    assert not (root.path / ".aefsync" / "sidecar.db").exists()


@pytest.mark.parametrize("together", [30, 50, 100, 300])
def test_an_entry_takes_little_room(root: Rememberer, together: int) -> None:
    paths = [b"dir-%03d/some-file-%06d.txt" % (number // together, number * 7919) for number in range(3000)]
    for number, path in enumerate(paths):
        root.write(path, b"%d" % number, mtime_ns=OLD + number**5)
    root.see()
    assert len(root.bytes_of_sidecar()) < 80 * len(paths)
    for number, path in enumerate(paths):
        root.write(path, b"%d, edited" % number, mtime_ns=OLD + number**5)
    root.see()
    # Each has a version of its own then: what it was made of.
    assert len(root.bytes_of_sidecar()) < 120 * len(paths)


def test_a_copied_root_is_a_replica_of_its_own(root: Rememberer, tmp_path: Path) -> None:
    furnished(root)
    first = root.see()
    root.replica.close()
    shutil.copytree(root.path, tmp_path / "copy", symlinks=True)
    root.path = tmp_path / "copy"
    scanned = root.see()
    assert first.standing is not None
    assert scanned.standing is not None
    assert scanned.restored
    assert scanned.standing.id != first.standing.id
    assert scanned.standing.author != first.standing.author
    assert scanned.standing.mark.counter == 0
    assert scanned.history == first.history
    root.write(b"new", b"1")
    later = root.see()
    assert not later.restored
    assert later.standing is not None
    assert later.standing.id == scanned.standing.id
    assert root.versions[b"new"] == ((Dot(later.standing.author, 1),), later.standing.author)


def test_a_root_with_another_id_has_another_author(root: Rememberer) -> None:
    furnished(root)
    first = root.see()
    root.replica.close()
    (root.path / ".aefsync" / "id").write_text("c" * 32 + "\n")
    scanned = root.see()
    assert first.standing is not None
    assert scanned.standing is not None
    assert scanned.standing.id == "c" * 32
    assert scanned.standing.author != first.standing.author


def test_a_root_that_lost_its_id_gets_it_back(root: Rememberer) -> None:
    root.write(b"x")
    root.see()
    place = root.path / ".aefsync" / "id"
    identity = place.read_bytes()
    for damaged in (None, b"", b"\xff" * 33):
        root.replica.close()
        place.unlink() if damaged is None else place.write_bytes(damaged)
        root.see(access=Access.READ)
        assert (root.opened.identity, root.opened.standing) == ("", None), "nobody knows whose it is"
        root.see()
        assert place.read_bytes() == identity


def test_an_id_that_cannot_be_read_is_no_reason_for_another(root: Rememberer) -> None:
    root.see()
    root.replica.close()
    place = root.path / ".aefsync" / "id"
    place.unlink()
    place.mkdir()
    with pytest.raises(RootError, match=r"\.aefsync/id: "):
        root.see()


def test_a_word_that_is_not_what_was_written_is_damage(root: Rememberer) -> None:
    """Who has seen what decides what may be forgotten, and what is removed where it comes back."""
    furnished(root)
    database = sqlite3.connect(root.place_of_sidecar)
    with database:
        database.execute("UPDATE meta SET value = ? WHERE word = 'marks'", (bytes(16),))
    database.close()
    damaged = root.place_of_sidecar.read_bytes()
    check_set_aside(root, root.see().problems[0], damaged)
