from __future__ import annotations

import os

import pytest

from aefsync.core.action import Act, Action, StageFile
from aefsync.core.entry import Entry
from aefsync.core.ports import Piece
from aefsync.core.problem import Problem
from aefsync.core.version import FOUND, Dot, Order, Version, order
from aefsync.disk.durability import Durable
from tests.disk.ground import pass_the_step, wanted, wanted_directory
from tests.disk.rememberer import Rememberer

VERSION = Version((Dot(b"a" * 16, 7),), b"a" * 16)
OTHER = Version((Dot(b"a" * 16, 7), Dot(b"b" * 16, 1)), b"b" * 16)
OLD = 10**18


@pytest.fixture
def root(root: Rememberer) -> Rememberer:
    """Which has been seen once."""
    root.write(b"d/a", b"1", mtime_ns=OLD)
    root.write(b"d/b", b"1", mtime_ns=OLD)
    pass_the_step()
    root.see()
    return root


def placing(root: Rememberer, entry: Entry, data: bytes, version: Version = VERSION) -> Action:
    """A file that is staged, to be placed."""
    entry = entry._replace(version=version)
    root.replica.write([Piece(entry.path, 0, len(data), data)])
    assert all(root.replica.stage([StageFile(entry, entry.path)], None).contents)
    found = root.entries.get(bytes(entry.path))
    return Action(Act.COPY if found else Act.CREATE, entry.path, entry, found)


def carried_out(root: Rememberer, *actions: Action) -> None:
    assert root.replica.apply(actions).done == (True,) * len(actions)


def counter(root: Rememberer) -> int:
    standing = root.see().standing
    assert standing is not None
    return standing.mark.counter


def test_what_was_placed_is_what_is_remembered(root: Rememberer) -> None:
    put = placing(root, wanted(b"d/a", b"2"), b"2")
    new = Action(Act.MKDIR, (made := wanted_directory(b"n")).path, made._replace(version=VERSION), None)
    inside = placing(root, wanted(b"n/x", b"3"), b"3")
    carried_out(root, put, new, inside)
    recorded = root.replica.record()
    before = root.bytes_of_sidecar()
    assert root.see().history == recorded.history
    assert root.bytes_of_sidecar() == before
    expected = {b"d": FOUND, b"d/a": VERSION, b"d/b": FOUND, b"n": VERSION, b"n/x": VERSION}
    assert root.versions == expected


def test_an_edit_between_placing_and_recording_is_no_part_of_what_was_placed(root: Rememberer) -> None:
    carried_out(root, placing(root, wanted(b"d/a", b"2"), b"2"), placing(root, wanted(b"n", b"3"), b"3"))
    root.write(b"d/a", b"edited meanwhile")
    root.write(b"n", b"4", mtime_ns=10**18)
    root.replica.record()
    assert counter(root) == 1
    for path in (b"d/a", b"n"):
        version = root.versions[path]
        assert version is not None
        assert len(version.vector) == 2
        assert VERSION.vector[0] in version.vector


def test_an_edit_beside_what_was_placed_is_noticed_by_the_next_scan(root: Rememberer) -> None:
    carried_out(root, placing(root, wanted(b"d/a", b"2"), b"2"))
    root.write(b"d/b", b"edited meanwhile")
    root.write(b"d/new", b"made meanwhile")
    root.replica.record()
    assert counter(root) == 1
    assert root.versions[b"d/a"] == VERSION
    assert FOUND not in (root.versions[b"d/b"], root.versions[b"d/new"])


def test_a_deletion_beside_what_was_placed_is_noticed_by_the_next_scan(root: Rememberer) -> None:
    carried_out(root, placing(root, wanted(b"d/a", b"2"), b"2"))
    root.remove(b"d/b")
    assert root.replica.record().tombstones == 0
    assert counter(root) == 1
    assert set(root.tombstones) == {b"d/b"}


def test_tombstones_come_and_go_with_what_they_are_of(root: Rememberer) -> None:
    entry = root.entries[b"d/a"]
    carried_out(root, Action(Act.DELETE, entry.path, None, entry, tombstone=VERSION))
    assert root.replica.record().tombstones == 1
    assert counter(root) == 0
    assert root.tombstones == {b"d/a": VERSION}
    carried_out(root, placing(root, wanted(b"d/a", b"2"), b"2", OTHER))
    assert root.replica.record().tombstones == 0
    assert counter(root) == 0
    assert root.versions[b"d/a"] == OTHER


def test_what_gives_way_to_something_else_leaves_no_tombstone(root: Rememberer) -> None:
    gone = [Action(Act.DELETE, root.entries[path].path, None, root.entries[path]) for path in (b"d/a", b"d/b", b"d")]
    carried_out(root, *gone, placing(root, wanted(b"d", b"2"), b"2")._replace(act=Act.CREATE, found=None))
    assert root.replica.record().tombstones == 0
    assert counter(root) == 0
    assert root.versions == {b"d": VERSION}


def test_a_version_that_is_adopted(root: Rememberer) -> None:
    entry = root.entries[b"d/a"]
    carried_out(root, Action(Act.RECORD, entry.path, entry._replace(version=VERSION), entry))
    root.replica.record()
    before = root.bytes_of_sidecar()
    assert counter(root) == 0
    assert root.versions[b"d/a"] == VERSION
    assert root.bytes_of_sidecar() == before


def test_a_renamed_directory_takes_its_records_along(root: Rememberer) -> None:
    entry = root.entries[b"d"]
    there = entry._replace(path=wanted_directory(b"e").path, version=VERSION)
    carried_out(root, Action(Act.MOVE, there.path, there, entry, source=entry.path, tombstone=OTHER))
    root.replica.record()
    before = root.bytes_of_sidecar()
    assert counter(root) == 0
    assert root.versions == {b"e": VERSION, b"e/a": FOUND, b"e/b": FOUND}
    assert root.tombstones == {b"d": OTHER}
    assert root.bytes_of_sidecar() == before


def test_a_run_that_ended_after_renaming_a_directory(root: Rememberer) -> None:
    entry = root.entries[b"d"]
    there = entry._replace(path=wanted_directory(b"e").path, version=VERSION)
    carried_out(root, Action(Act.MOVE, there.path, there, entry, source=entry.path, tombstone=OTHER))
    assert counter(root) == 0
    assert root.versions == {b"e": VERSION, b"e/a": FOUND, b"e/b": FOUND}
    assert root.tombstones == {b"d": OTHER}


def test_a_run_that_ended_before_anything_was_placed(root: Rememberer, monkeypatch: pytest.MonkeyPatch) -> None:
    put = placing(root, wanted(b"d/a", b"2"), b"2")
    monkeypatch.setattr("aefsync.disk.writer.Writer.apply", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        root.replica.apply([put])
    monkeypatch.undo()
    assert counter(root) == 0
    assert root.versions[b"d/a"] == FOUND
    assert root.ask("SELECT count(*) FROM pending") == [(0,)]


def test_what_was_in_two_minds_when_the_run_ended_is_no_deletion(root: Rememberer) -> None:
    carried_out(root, placing(root, wanted(b"d/a", b"2"), b"2"))
    root.remove(b"d/a")  # as a crash between two renames leaves it
    assert counter(root) == 0
    assert root.tombstones == {}


def test_where_directories_are_not_durable_nothing_is_recorded_yet(
    root: Rememberer, monkeypatch: pytest.MonkeyPatch
) -> None:
    carried_out(root, placing(root, wanted(b"d/a", b"2"), b"2"), placing(root, wanted(b"n", b"3"), b"3"))
    failing = {(root.replica._root, b"d"): "input/output error"}
    monkeypatch.setattr(Durable, "directories", lambda *_: failing)
    assert root.replica.record().problems == (Problem(b"d", "not durable: input/output error"),)
    monkeypatch.undo()
    assert root.replica._chronicle is not None
    root.replica.close()
    assert root.ask("SELECT count(*) FROM pending") == [(1,)]
    assert counter(root) == 0
    assert root.versions[b"d/a"] == root.versions[b"n"] == VERSION


def test_versions_that_nothing_has_are_let_go_of(root: Rememberer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aefsync.disk.chronicle._SPARE", 4)
    for number in range(8):
        version = Version((Dot(b"a" * 16, 100 + number),), b"a" * 16)
        carried_out(root, placing(root, wanted(b"d/a", b"%d" % number), b"%d" % number, version))
        root.replica.record()
        root.see()
        assert root.replica._chronicle is not None
        assert len(root.replica._chronicle.vectors) <= 7
    assert root.versions[b"d/a"] == version
    assert os.path.exists(root.place(b"d/b"))


def test_versions_stay_with_their_names_where_a_known_directory_changed_and_nothing_was_placed(
    root: Rememberer,
) -> None:
    root.write(b"d/b", b"edited", mtime_ns=OLD + 1)
    pass_the_step()
    root.see()
    root.see()
    known = root.versions
    assert known[b"d/a"] != known[b"d/b"]
    action = placing(root, wanted(b"d/new", b"2"), b"2")
    root.write(b"d/new", b"in its way")
    assert root.replica.apply([action]).done == (False,)
    recorded = root.replica.record()
    found = {bytes(entry.path): entry.version for entry in root.replica.entries([(0, recorded.entries)])}
    assert found == {**known, b"d/new": FOUND}


def test_an_edit_follows_whatever_others_say_that_this_replica_did(root: Rememberer) -> None:
    """Somebody has made versions in its name, up to the last counter that there is."""
    standing = root.see().standing
    assert standing is not None
    claimed = Version((Dot(standing.author, (1 << 63) - 1),), standing.author)
    carried_out(root, placing(root, wanted(b"d/a", b"2"), b"2", claimed))
    root.replica.record()
    root.write(b"d/a", b"edited", mtime_ns=OLD + 1)
    root.write(b"d/b", b"edited", mtime_ns=OLD + 1)
    pass_the_step()
    renamed = root.see().standing
    assert renamed is not None
    assert renamed.author != standing.author
    edited, other = root.versions[b"d/a"], root.versions[b"d/b"]
    assert edited is not None
    assert other is not None
    assert order(edited.vector, claimed.vector) is Order.AFTER
    assert dict(edited.vector)[renamed.author] == dict(other.vector)[renamed.author] == 1
    again = root.see().standing
    assert again is not None
    assert again.author == renamed.author
