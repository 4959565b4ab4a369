from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from aefsync.core.digest import content_digest
from aefsync.core.growth import Learned
from aefsync.core.ports import Access, Missing, Open, Scan
from aefsync.core.snapshot import CONTENT
from aefsync.disk import index as index_module
from aefsync.disk.index import Index
from aefsync.disk.page import Page
from aefsync.disk.replica import LocalReplica
from tests.disk.ground import Ground, pass_the_step, unprivileged
from tests.disk.test_page import simple

PAGE = simple([b"a", b"b"]).sealed(b"docs\0")
OTHER = simple([b"c"]).sealed(b"docs\0")
MANY = [(b"%d\0" % number, simple([b"%d" % each for each in range(number + 1)]).sealed(b"")) for number in range(60)]


@pytest.fixture
def place(tmp_path: Path) -> str:
    return os.fspath(tmp_path / "index.db")


@pytest.fixture
def index(place: str) -> Iterator[Index]:
    index = Index(place)
    yield index
    index.close()


def store(place: str, *pages: tuple[bytes, Page]) -> None:
    index = Index(place)
    for directory, page in pages:
        index.store((directory, 0), page)
    index.close()


def load(place: str, directory: bytes = b"docs\0") -> Page | None:
    index = Index(place)
    page = index.load((directory, 0))
    index.close()
    return page


def check(place: str, *, whole: bool = False) -> None:
    """Every page is as it was stored, or (unless the index is `whole`) missing."""
    index = Index(place)
    for directory, page in MANY:
        brief = index.briefs(directory).get(0)
        assert index.load((directory, 0)) in ((page,) if whole else (None, page))
        assert brief in ((page.brief(),) if whole else (None, page.brief()))
    index.close()


def test_what_is_stored_is_found(place: str, index: Index) -> None:
    assert index.is_empty
    assert index.load((b"docs\0", 0)) is None
    index.store((b"docs\0", 0), PAGE)
    assert index.load((b"docs\0", 0)) == PAGE
    index.flush()
    assert index.load((b"docs\0", 0)) == PAGE
    assert index.load((b"docs\0", 0), PAGE.seen) == PAGE
    assert index.load((b"docs\0", 0), b"other listing") is None
    assert index.briefs(b"docs\0").get(0) == PAGE.brief()
    assert load(place) == PAGE
    assert not index.is_empty


def test_a_directory_has_as_many_pages_as_it_needs(index: Index) -> None:
    for number in (2, 0, 1):
        index.store((b"d\0", number), PAGE if number else OTHER)
    index.flush()
    assert list(index.pages(b"d\0")) == [OTHER, PAGE, PAGE]
    assert index.briefs(b"d\0") == {0: OTHER.brief(), 1: PAGE.brief(), 2: PAGE.brief()}
    index.cut(b"d\0", 1)
    assert list(index.pages(b"d\0")) == [OTHER]
    assert index.briefs(b"d\0") == {0: OTHER.brief()}
    assert list(index.pages(b"e\0")) == []


def test_briefs_are_those_of_now_although_they_are_read_ahead(index: Index) -> None:
    index.store((b"docs\0", 0), PAGE)
    index.store((b"src\0", 0), PAGE)
    index.flush()
    assert index.briefs(b"") == {}
    index.store((b"docs\0", 0), OTHER)
    index.flush()
    assert index.briefs(b"docs\0") == {0: OTHER.brief()}
    index.forget([b"src\0"])
    assert index.briefs(b"src\0") == {}
    index.cut(b"docs\0", 0)
    assert index.briefs(b"docs\0") == {}


def test_a_page_without_a_brief_takes_the_old_one_away(index: Index) -> None:
    index.store((b"d\0", 0), PAGE)
    index.flush()
    assert index.briefs(b"d\0").get(0) is not None
    index.store((b"d\0", 0), PAGE.with_contents({0: b"z" * CONTENT}))
    index.flush()
    assert index.briefs(b"d\0").get(0) is None


def test_what_is_gone_is_forgotten(index: Index) -> None:
    index.store((b"a\0", 0), PAGE)
    index.store((b"b\0", 0), PAGE)
    index.flush()
    assert index.vanished({b"a\0"}) == [b"b\0"]
    index.forget([b"b\0"])
    assert index.vanished({b"a\0"}) == []
    assert index.load((b"a\0", 0)) == PAGE
    assert index.load((b"b\0", 0)) is None
    assert index.briefs(b"b\0").get(0) is None


def test_without_a_place_nothing_is_kept() -> None:
    index = Index(None)
    index.store((b"", 0), PAGE)
    index.flush()
    assert index.vanished(set()) == []
    index.forget([b""])
    assert index.load((b"", 0)) is None
    assert index.briefs(b"").get(0) is None
    assert index.is_empty
    index.close()
    index.close()


def test_it_may_be_deleted_while_it_is_in_use(place: str, index: Index) -> None:
    index.store((b"docs\0", 0), PAGE)
    index.flush()
    for suffix in ("", "-wal", "-shm"):
        os.unlink(place + suffix)
    second = Index(place)
    assert second.is_empty
    index.store((b"docs\0", 0), OTHER)
    index.flush()
    second.store((b"docs\0", 0), PAGE)
    second.close()
    index.close()
    assert load(place) == PAGE


def test_a_journal_left_behind_is_no_danger(place: str) -> None:
    """Only the main file deleted, after a kill: what SQLite makes of the rest must never pass for a page."""
    index = Index(place)
    for number in range(50):
        index.store((b"%d\0" % number, 0), PAGE)
    index.flush()
    os.rename(place, place + ".away")
    for expected in (PAGE, OTHER):
        page = load(place, b"7\0")
        assert page in (None, expected)
        store(place, (b"7\0", OTHER))
    assert load(place, b"7\0") == OTHER
    index.close()


@pytest.mark.parametrize("garbage", [b"garbage" * 1000, b"x", b"SQLite format 3\0" + b"\xff" * 5000])
def test_garbage_is_made_anew(place: str, garbage: bytes) -> None:
    Path(place).write_bytes(garbage)
    store(place, (b"docs\0", PAGE))
    assert load(place) == PAGE


@pytest.mark.parametrize("keep", [0, 1, 100, 4096, 5000, 8192, 12288])
def test_a_truncated_file_costs_time_and_nothing_else(place: str, keep: int) -> None:
    store(place, *MANY)
    os.truncate(place, keep)
    check(place)
    store(place, *MANY)
    store(place, *MANY)
    check(place, whole=True)


def test_a_damaged_middle_is_found_out_and_made_anew(place: str) -> None:
    store(place, *MANY)
    size = os.path.getsize(place)
    with open(place, "r+b") as file:
        for offset in range(4096, size, 4096):
            file.seek(offset)
            file.write(b"\xa5" * 512)
    check(place)
    store(place, *MANY)
    store(place, *MANY)
    check(place, whole=True)


@pytest.mark.parametrize("column", ["body", "checksum"])
def test_a_damaged_row_is_ignored(place: str, column: str) -> None:
    store(place, (b"docs\0", PAGE))
    database = sqlite3.connect(place)
    for table in ("page", "brief"):
        old = database.execute(f"SELECT {column} FROM {table}").fetchone()[0]
        for number in range(0, len(old), 7):
            bent = bytearray(old)
            bent[number] ^= 4
            database.execute(f"UPDATE {table} SET {column} = ?", (bytes(bent),))
            database.commit()
            index = Index(place)
            assert (index.load((b"docs\0", 0)) if table == "page" else index.briefs(b"docs\0").get(0)) is None
            index.close()
        database.execute(f"UPDATE {table} SET {column} = ?", (old,))
        database.commit()
    database.close()
    assert load(place) == PAGE


def test_a_row_of_another_directory_is_ignored(place: str) -> None:
    store(place, (b"docs\0", PAGE))
    database = sqlite3.connect(place)
    database.execute("UPDATE page SET directory = ?", (b"other\0",))
    database.execute("UPDATE brief SET directory = ?", (b"other\0",))
    database.commit()
    database.close()
    index = Index(place)
    assert index.load((b"other\0", 0)) is None
    assert index.briefs(b"other\0").get(0) is None
    index.close()


def test_the_index_of_another_version_is_made_anew(place: str) -> None:
    store(place, (b"docs\0", PAGE))
    database = sqlite3.connect(place)
    database.execute("PRAGMA user_version = 99")
    database.close()
    fallback = Index(None, fallback=place)
    assert fallback.load((b"docs\0", 0)) is None
    fallback.close()
    seeded = Index(place + ".new", seed=place)
    assert seeded.is_empty
    seeded.close()
    assert load(place) is None
    store(place, (b"docs\0", PAGE))
    assert load(place) == PAGE


def test_a_link_planted_in_its_place_is_not_followed(place: str, tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "precious.db")
    database.execute("CREATE TABLE mine (x)")
    database.close()
    precious = (tmp_path / "precious.db").read_bytes()
    os.symlink("precious.db", place)
    store(place, (b"docs\0", PAGE))
    assert (tmp_path / "precious.db").read_bytes() == precious
    assert not os.path.islink(place)
    assert load(place) == PAGE


def test_two_runs_share_it(place: str) -> None:
    first, second = Index(place), Index(place)
    first.store((b"a\0", 0), PAGE)
    second.store((b"b\0", 0), OTHER)
    first.flush()
    second.flush()
    assert first.load((b"b\0", 0)) == OTHER
    assert second.load((b"a\0", 0)) == PAGE
    second.store((b"a\0", 0), OTHER)
    second.flush()
    assert first.load((b"a\0", 0)) == OTHER
    first.close()
    second.close()


def test_a_locked_index_is_done_without(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    connect = sqlite3.connect
    monkeypatch.setattr(
        index_module.sqlite3, "connect", lambda *args, **options: connect(*args, **{**options, "timeout": 0})
    )
    store(place, (b"docs\0", PAGE))
    index = Index(place)
    other = connect(place, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    index.store((b"docs\0", 0), OTHER)
    index.flush()
    index.forget(index.vanished(set()))
    other.execute("ROLLBACK")
    other.close()
    index.close()
    assert load(place) == PAGE


def test_a_fall_back_is_read_and_nothing_beside_it_made(place: str, tmp_path: Path) -> None:
    folder = tmp_path / "odd #1 50%? folder"
    folder.mkdir()
    old = os.fspath(folder / "old.db")
    store(old, (b"a\0", PAGE), (b"b\0", PAGE))
    before = {name: (folder / name).read_bytes() for name in os.listdir(folder)}
    index = Index(place, fallback=old)
    assert not index.is_empty
    assert index.load((b"a\0", 0)) == PAGE
    assert index.briefs(b"a\0").get(0) == PAGE.brief()
    index.store((b"b\0", 0), OTHER)
    index.flush()
    assert index.load((b"b\0", 0)) == OTHER
    assert index.load((b"b\0", 0), b"nothing such") is None
    index.close()
    assert {name: (folder / name).read_bytes() for name in os.listdir(folder)} == before


def test_a_fall_back_that_is_garbage_or_missing(place: str, tmp_path: Path) -> None:
    (tmp_path / "garbage").write_bytes(b"garbage" * 999)
    for fallback in (tmp_path / "garbage", tmp_path / "missing"):
        index = Index(place, fallback=os.fspath(fallback))
        assert index.is_empty
        assert index.load((b"a\0", 0)) is None
        index.close()
    assert not (tmp_path / "missing").exists()


def test_an_empty_index_begins_as_a_copy_of_its_seed(place: str, tmp_path: Path) -> None:
    seed = os.fspath(tmp_path / "seed.db")
    store(seed, (b"a\0", PAGE))
    index = Index(place, seed=seed)
    assert index.load((b"a\0", 0)) == PAGE
    assert index.briefs(b"a\0").get(0) == PAGE.brief()
    index.store((b"a\0", 0), OTHER)
    index.close()
    again = Index(place, seed=seed)
    assert again.load((b"a\0", 0)) == OTHER
    again.close()
    (tmp_path / "garbage").write_bytes(b"garbage" * 999)
    fresh = Index(place + "2", seed=os.fspath(tmp_path / "garbage"))
    fresh.store((b"a\0", 0), PAGE)
    fresh.close()
    assert load(place + "2", b"a\0") == PAGE


def test_where_it_cannot_be_written_it_is_done_without(tmp_path: Path) -> None:
    os.chmod(tmp_path, 0o555)
    with unprivileged():
        index = Index(os.fspath(tmp_path / "index.db"))
        index.store((b"a\0", 0), PAGE)
        index.flush()
        index.close()
    os.chmod(tmp_path, 0o755)
    assert os.listdir(tmp_path) == []


def test_without_shared_memory(place: str) -> None:
    index = Index(place, shared_memory=False)
    index.store((b"a\0", 0), PAGE)
    index.flush()
    assert not os.path.exists(place + "-wal")
    assert index.load((b"a\0", 0)) == PAGE
    index.close()
    assert load(place, b"a\0") == PAGE


def test_many_pages_are_written_before_they_fill_the_memory(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_module, "_FLUSH", 1000)
    index = Index(place)
    for number in range(20):
        index.store((b"%d\0" % number, 0), PAGE)
    assert index._pending_bytes <= 1000
    index.close()
    assert all(load(place, b"%d\0" % number) == PAGE for number in range(20))


def test_an_index_that_moves_to_the_root_takes_along_what_was_not_written_yet(
    ground: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_module, "_FLUSH", 650)
    names = [b"%d" % number for number in range(4)]
    for name in names:
        ground.write(name + b"/f", name)
    pass_the_step()
    replica = LocalReplica()
    cache = os.fsencode(tmp_path / "cache")
    replica.hello(Open(os.fsencode(ground.path), "run", bytes(32), Access.WRITE, Missing.REFUSE, cache))
    replica.scan(Scan(versions=True))
    replica.learn([Learned(name + b"\0", b"f", content_digest(name)) for name in names])
    replica.close()
    pages = [load(os.fspath(ground.path / ".aefsync" / "index.db"), name + b"\0") for name in names]
    assert [page.contents for page in pages if page is not None] == list(map(content_digest, names))
