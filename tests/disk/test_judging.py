from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aefsync.core.action import Act, Action
from aefsync.core.growth import SMALL
from aefsync.core.path import RelPath
from aefsync.core.ports import Access, Scan
from aefsync.core.problem import ROT, SUSPECT, Problem
from aefsync.core.version import FOUND
from aefsync.disk import large_directory, listing, pages, recognising, records, sight
from aefsync.disk.judging import REAPPEARED
from aefsync.disk.packed_stats import packed_stats
from aefsync.disk.sight import LocalSight
from aefsync.disk.spill import Spill
from aefsync.disk.surveyed import Surveyed
from tests.disk.file_systems import refusing, telling_twice
from tests.disk.ground import pass_the_step, unprivileged
from tests.disk.ground import wanted as wanted_file
from tests.disk.rememberer import VERSIONS, Model, Rememberer, is_below

OLD = 10**18
NAMES = [b"a", b"b", b"d", b"d/a", b"d/b", b"d/c", b"d/e/f", b"e/x.tmp", b"e/y", b"f.tmp"]
EDITS = st.tuples(st.sampled_from(["write", "touch", "chmod", "remove", "directory"]), st.sampled_from(NAMES))
SCANS = st.sampled_from(
    [
        VERSIONS,
        VERSIONS,
        VERSIONS._replace(rules=("*.tmp",)),
        VERSIONS._replace(paths=(RelPath(b"d"),)),
        VERSIONS._replace(ignore_index=True),
    ]
)


def carry_out(root: Rememberer, edit: str, path: bytes, number: int) -> None:
    """Edit something, as far as it is there."""
    place = root.place(path)
    above = os.path.dirname(place)
    if edit == "remove":
        if os.path.lexists(place):
            root.remove(path)
        return
    while not os.path.isdir(above):
        if os.path.lexists(above):
            os.unlink(above)
        above = os.path.dirname(above)
    if edit == "directory" or (edit == "write" and os.path.isdir(place)):
        if os.path.lexists(place):
            root.remove(path)
        os.makedirs(place)
    elif edit == "write":
        root.write(path, b"%d" % number, mtime_ns=OLD + number)
    elif os.path.lexists(place):
        os.utime(place, ns=(OLD, OLD + number)) if edit == "touch" else os.chmod(place, 0o700 + number % 64)


def sees(scan: Scan, path: bytes) -> bool:
    if scan.rules and path.endswith(b".tmp"):
        return False
    return not scan.paths or any(is_below(path, top) for top in scan.paths)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(st.lists(st.tuples(st.lists(EDITS, max_size=4), SCANS, st.booleans()), min_size=2, max_size=5))
def test_scans_are_judged_as_a_simple_model_judges_them(
    monkeypatch: pytest.MonkeyPatch, sessions: list[tuple[list[tuple[str, bytes]], Scan, bool]]
) -> None:
    # Small pages, cut at different places.
    monkeypatch.setattr(records, "ROWS", 2)
    monkeypatch.setattr(listing, "ROWS", 3)
    with tempfile.TemporaryDirectory() as folder:
        root, model, number = Rememberer(Path(folder) / "root"), Model(), 0
        for name in NAMES:
            carry_out(root, "write", name, number := number + 1)
        root.see()
        model.judge(list(root.entries.values()), bytes(16), lambda path: True)
        for edits, scan, is_hypothetical in sessions:
            for edit, path in edits:
                carry_out(root, edit, path, number := number + 1)
            if is_hypothetical:
                root.see(scan, Access.READ)
            scanned = root.see(scan)
            assert scanned.standing is not None
            found = list(root.entries.values())
            model.judge(found, scanned.standing.author, lambda path, scan=scan: sees(scan, path))
            assert root.versions == model.versions(found)
            assert root.tombstones == model.tombstones(lambda path, scan=scan: sees(scan, path))
            assert scanned.standing.mark.counter == model.counter
        root.close()


def test_what_may_have_been_moved_or_is_a_small_edit_is_read_as_it_is_judged(root: Rememberer) -> None:
    for name in (b"d/a", b"d/b", b"d/large", b"gone/c"):
        root.write(name, b"the content of " + name)
    root.see()
    os.rename(root.place(b"d/a"), root.place(b"d/z"))
    os.rename(root.place(b"gone"), root.place(b"come"))
    root.write(b"d/new", b"of another size")
    root.write(b"d/b", b"edited, and so longer")
    root.write(b"d/large", bytes(SMALL + 1))
    scanned = root.see(reads=False)
    unread = {path for path, entry in root.entries.items() if not entry.is_read}
    assert (unread, scanned.unread_files) == ({b"d/new", b"d/large"}, 2)
    assert root.tombstones.keys() == {b"d/a", b"gone", b"gone/c"}


@pytest.mark.parametrize("large", [0, 1 << 60])
def test_a_name_that_is_told_twice_shifts_no_versions(
    root: Rememberer, monkeypatch: pytest.MonkeyPatch, large: int
) -> None:
    for module in (listing, large_directory):
        monkeypatch.setattr(module, "ROWS", 6)
    monkeypatch.setattr(sight, "LARGE", large)
    for number in range(10):
        root.write(b"n%d" % number, b"%d" % number)
    root.see()
    before = dict(root.versions)
    root.write(b"n3", b"edited")
    telling_twice(monkeypatch)
    root.see()
    monkeypatch.undo()
    assert {path for path, version in root.versions.items() if version != before[path]} == {b"n3"}


def test_a_second_scan_writes_nothing(root: Rememberer) -> None:
    for number in range(20):
        root.write(b"d%d/x" % (number % 3), b"%d" % number, mtime_ns=OLD)
        root.write(b"e/%d" % number, b"%d" % number)
    first = root.see()
    before = root.bytes_of_sidecar()
    assert root.see().history == first.history
    assert root.bytes_of_sidecar() == before
    root.write(b"e/3", b"edited")
    edited = root.see()
    before = root.bytes_of_sidecar()
    assert root.see().history == edited.history != first.history
    assert root.bytes_of_sidecar() == before


def test_an_unchanged_directory_is_not_looked_into(root: Rememberer, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(30):
        root.write(b"d%d/x" % number, b"1", mtime_ns=OLD)
    pass_the_step()
    root.see()
    root.write(b"d7/x", b"edited", mtime_ns=OLD)
    pass_the_step()
    loaded = []
    from aefsync.disk.sidecar import Sidecar

    load = Sidecar.records
    monkeypatch.setattr(
        Sidecar, "records", lambda self, directory, first: loaded.append(directory) or load(self, directory, first)
    )
    root.see()
    assert set(loaded) == {b"d7\0"}


def test_the_first_scan_may_find_nothing(root: Rememberer) -> None:
    root.see()
    root.write(b"a", b"1")
    scanned = root.see()
    assert scanned.standing is not None
    assert root.versions[b"a"] != FOUND
    assert scanned.standing.mark.counter == 1


def test_what_is_read_later_is_remembered_with_its_content(root: Rememberer) -> None:
    root.write(b"a", b"1", mtime_ns=OLD)
    root.see(reads=False)
    root.replica.read_unread((), None)
    root.write(b"b", b"2", mtime_ns=OLD)
    os.rename(root.place(b"b"), root.place(b"a"))
    root.see(reads=False)
    assert root.versions[b"a"] != FOUND


def test_where_nobody_can_look_nothing_is_gone() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        root = Rememberer(Path(folder) / "root")
        root.write(b"d/a", b"1")
        root.write(b"e/b", b"1")
        with unprivileged(root):
            root.see()
            os.chmod(root.place(b"d"), 0)
            assert [problem.path for problem in root.see().problems] == [b"d"]
            assert root.tombstones == {}
            os.chmod(root.place(b"d"), 0o755)
            root.see()
        assert root.versions.keys() == {b"d", b"d/a", b"e", b"e/b"}
        assert root.versions[b"d/a"] == FOUND
        assert root.tombstones == {}
        root.close()


def test_what_another_kind_of_file_took_the_place_of_is_not_gone(root: Rememberer) -> None:
    root.write(b"a", b"1")
    root.see()
    root.remove(b"a")
    os.mkfifo(root.place(b"a"))
    root.see()
    assert root.tombstones == {}
    root.remove(b"a")
    root.see()
    assert set(root.tombstones) == {b"a"}


def test_what_went_while_filters_left_it_out_is_gone_when_they_no_longer_do(root: Rememberer) -> None:
    root.write(b"d/a.tmp", b"1")
    root.write(b"d/b", b"1")
    root.see()
    root.see(VERSIONS._replace(rules=("*.tmp",)))
    root.remove(b"d/a.tmp")
    root.see(VERSIONS._replace(rules=("*.tmp",)))
    assert root.tombstones == {}
    root.see()
    assert set(root.tombstones) == {b"d/a.tmp"}


@pytest.mark.parametrize(
    ("hidden", "doubted"), [("a", [b"d/a"]), ("d", [b"d", b"d/e"]), ("e", [b"d/e"])], ids=["file", "deep", "directory"]
)
def test_what_is_there_after_all_is_not_gone(
    root: Rememberer, monkeypatch: pytest.MonkeyPatch, hidden: str, doubted: list[bytes]
) -> None:
    root.write(b"d/a", b"1")
    root.write(b"d/A", b"the same, were this a disk where names fold")
    root.write(b"d/e/b", b"1")
    root.see()
    names = os.listdir
    monkeypatch.setattr(os, "listdir", lambda fd: [name for name in names(fd) if name != hidden])
    scanned = root.see()
    assert root.tombstones == {}
    assert scanned.problems == tuple(Problem(path, REAPPEARED, subtree=True) for path in doubted)
    monkeypatch.undo()
    assert root.see().problems == ()
    assert root.tombstones == {}
    assert set(root.versions.values()) == {FOUND}


def damage(root: Rememberer, path: bytes, data: bytes) -> None:
    """Change bytes in place, and put the mtime back; the ctime cannot be."""
    seen = os.stat(root.place(path))
    with open(root.place(path), "r+b") as file:
        file.write(data)
    os.utime(root.place(path), ns=(seen.st_atime_ns, seen.st_mtime_ns))


def test_an_empty_directory_that_a_run_was_cut_short_in_is_seen(root: Rememberer) -> None:
    root.write(b"a", b"1")
    root.see()
    replica = root.open()
    replica.scan(VERSIONS)
    wanted = wanted_file(b"d/x", b"new")._replace(version=FOUND)
    action = Action(Act.CREATE, wanted.path, wanted, None)
    # Nothing is staged for it: it is pending, and not done.
    assert replica.apply([action]).done == (False,)
    os.mkdir(root.place(b"d"))
    assert root.see().problems == ()


def test_what_vanishes_while_it_is_read_at_once_is_not_there(root: Rememberer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (b"a", b"b"):
        root.write(b"d/" + name, name)
    root.see()
    root.write(b"d/b", b"changed")
    root.write(b"d/c", b"new")
    read = LocalSight.read

    def read_late(sight: LocalSight, *wanted: Any) -> Any:
        if root.exists(b"d/c"):
            root.remove(b"d/c")
        return read(sight, *wanted)

    monkeypatch.setattr(LocalSight, "read", read_late)
    before = root.versions[b"d/a"]
    scanned = root.see(VERSIONS._replace(eager=True), reads=False)
    assert set(root.entries) == {b"d", b"d/a", b"d/b"}
    assert root.versions[b"d/a"] == before
    assert (scanned.unexamined, scanned.problems, root.tombstones) == ((b"d/c",), (), {})


def test_what_could_not_be_read_is_judged_when_it_can_be(root: Rememberer) -> None:
    for name in (b"a", b"b"):
        root.write(name, name, mtime_ns=OLD)
    pass_the_step()
    root.see()
    for old, new in ((b"a", b"c"), (b"b", b"a"), (b"c", b"b")):
        os.rename(root.place(old), root.place(new))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Surveyed, "_read", lambda *_: None)
        root.see(reads=False)
        assert root.versions == {b"a": FOUND, b"b": FOUND}
    assert root.see().problems == ()
    assert FOUND not in root.versions.values()


def test_a_suspect_keeps_its_version_and_is_reported(root: Rememberer) -> None:
    root.write(b"d/a", b"12345", mtime_ns=OLD)
    pass_the_step()
    root.see()
    damage(root, b"d/a", b"123x5")
    for _ in range(2):
        scanned = root.see()
        assert scanned.problems == (Problem(b"d/a", SUSPECT, subtree=True),)
        assert root.versions[b"d/a"] == FOUND
        assert scanned.standing is not None
        assert scanned.standing.mark.counter == 0
    damage(root, b"d/a", b"12345")
    assert root.see().problems == ()


def test_rot_keeps_its_version_and_is_reported(root: Rememberer, monkeypatch: pytest.MonkeyPatch) -> None:
    root.write(b"a", b"12345", mtime_ns=OLD)
    pass_the_step()
    root.see()
    seen = os.stat(root.place(b"a"))
    damage(root, b"a", b"123x5")
    now = os.stat(root.place(b"a")).st_ctime_ns

    def as_before(fd: int, names: Sequence[bytes], *, stable: bool) -> bytes:
        stats = packed_stats(fd, names, stable=stable)
        return stats.replace(now.to_bytes(8, "little"), seen.st_ctime_ns.to_bytes(8, "little"))

    monkeypatch.setattr(listing, "packed_stats", as_before)
    monkeypatch.setattr("aefsync.disk.hashing.unchanged", lambda fd, seen: True)
    scanned = root.see(VERSIONS._replace(ignore_index=True))
    assert scanned.problems == (Problem(b"a", ROT, subtree=True),)
    assert root.versions[b"a"] == FOUND


def test_an_edit_within_a_tick_of_the_clock_is_an_edit(root: Rememberer) -> None:
    root.write(b"a", b"12345", mtime_ns=OLD)
    root.see()
    root.write(b"a", b"123x5", mtime_ns=OLD + 1)
    root.see()
    assert root.versions[b"a"] != FOUND


def test_versions_belong_to_a_page_also_once_it_is_put_away(root: Rememberer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is given its version again by name, and a page is read for that once at most."""
    monkeypatch.setattr(pages, "AT_HAND", 0)
    for name in (b"a", b"d/b", b"d/c"):
        root.write(name, name, mtime_ns=OLD)
    pass_the_step()
    root.see()
    root.write(b"d/b", b"edited", mtime_ns=OLD + 1)
    pass_the_step()
    monkeypatch.setattr(recognising, "_named", refusing(errno.EDEADLK))
    root.see()
    assert root.versions[b"a"] == root.versions[b"d/c"] == FOUND
    assert root.versions[b"d/b"] != FOUND
    monkeypatch.setattr(Spill, "get", refusing(errno.EDEADLK))
    recognising.align(root.replica._chronicle, root.replica._scanner)


def test_a_damaged_page_is_noticed_when_it_is_needed(root: Rememberer) -> None:
    root.write(b"d/a", b"1")
    root.write(b"b", b"1")
    root.see()
    root.ask("SELECT 1")
    import sqlite3

    database = sqlite3.connect(root.place_of_sidecar)
    database.execute("UPDATE page SET body = x'00' WHERE directory = x'6400'")
    database.commit()
    database.close()
    assert root.see().problems == ()
    root.write(b"d/new", b"2")
    (problem,) = root.see().problems
    assert problem.path == b".aefsync/sidecar.db"
    assert "set aside as sidecar.db.damaged-run" in problem.reason
    assert set(root.versions.values()) == {FOUND}
    assert [each.name for each in (root.path / ".aefsync").glob("sidecar.db.damaged-*")]
    assert root.see().problems == ()
