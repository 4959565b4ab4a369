"""What a replica over SFTP costs, and what becomes of edits, failures and ends at the wrong moment."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from aefsync.core.action import RETURNED, Act, Action, Staged, StageFile
from aefsync.core.entry import Entry, Kind
from aefsync.core.files import Mkdir, Op, Rename, Replace, Sync, Volume, Write
from aefsync.core.metadata import PLAIN
from aefsync.core.past import TrashQuery
from aefsync.core.path import RelPath
from aefsync.core.ports import Access, Missing, Open, Piece, Scan
from aefsync.core.problem import Problem
from aefsync.core.stores import SECOND_NS, Stores, coarsest
from aefsync.core.writing import Writing
from aefsync.disk.far.replica import FarReplica
from aefsync.errors import LockedError, RootError, UnreachableError
from aefsync.wire.sftp.client import SftpFiles
from tests.disk.far.elsewhere import Distant, Elsewhere, file, put, replace
from tests.support.sftpd import sftp_stream
from tests.support.snapshots import directory


def test_the_second_time_nothing_is_read(elsewhere: Elsewhere) -> None:
    for number in range(40):
        elsewhere.write(f"d{number % 4}/f{number}", b"x" * number)
    elsewhere.write("large", b"y" * 700_000)
    first, entries = elsewhere.survey(Access.READ)
    first.close()
    reads = elsewhere.watched.counts["Read"]
    assert reads >= 41 + 2
    elsewhere.write("d1/f1", b"edited", 2000)
    elsewhere.watched.counts.clear()
    second, again = elsewhere.survey(Access.READ)
    second.close()
    # Of the root's own: which machine it is on, and the ignore file that is not there.
    contents = elsewhere.watched.counts["Read"] - 2
    assert contents == 1
    assert {path for path in again if entries[path] != again[path]} == {"d1/f1"}


def test_that_a_run_was_cut_off_before_it_had_cleared_up_is_told(elsewhere: Elsewhere) -> None:
    """So the next run clears up, even one that has nothing else to do."""
    request = Open(os.fsencode(elsewhere.path), "next", bytes(32), Access.WRITE, Missing.REFUSE, elsewhere.cache)
    replica, _ = elsewhere.survey()
    replica.record()
    assert not replica.hello(request).unfinished
    (elsewhere.path / ".aefsync" / "tmp" / "20260101T000000Z-beef").mkdir()
    assert replica.hello(request).unfinished
    replica.scan(Scan())
    replica.record()
    assert not replica.hello(request).unfinished


def test_a_tree_is_listed_in_few_round_trips(elsewhere: Elsewhere, distant: Distant) -> None:
    for number in range(200):
        elsewhere.write(f"{number % 10}/{number}/f")
    replica = elsewhere.open(Access.READ)
    before = distant.round_trips
    assert replica.scan(Scan()).entries == 10 + 200 + 200
    assert distant.round_trips - before <= 24


def test_many_files_are_staged_and_placed_in_few_round_trips(elsewhere: Elsewhere, distant: Distant) -> None:
    replica = elsewhere.open()
    replica.scan(Scan())
    wanted = [file(f"f{number}", b"xyz") for number in range(120)]
    replica.stage([], None)
    before = distant.round_trips
    assert all(stage(replica, *wanted).contents)
    staged = distant.round_trips
    assert all(replica.apply([Action(Act.CREATE, each.path, each, None) for each in wanted]).done)
    assert (staged - before, distant.round_trips - staged) <= (16, 20)


def test_what_was_placed_is_known_without_being_read(elsewhere: Elsewhere) -> None:
    replica = elsewhere.open()
    replica.scan(Scan())
    wanted = put(replica, "new", b"content")
    assert replica.apply([Action(Act.CREATE, wanted.path, wanted, None)]).done == (True,)
    elsewhere.watched.counts.clear()
    assert replica.record().unread_files == 0
    assert elsewhere.watched.counts["Read"] == 0
    assert not list((elsewhere.path / ".aefsync" / "tmp").iterdir())


def test_times_are_kept_as_well_as_they_can_be(elsewhere: Elsewhere) -> None:
    replica = elsewhere.open()
    stores = replica.hello(
        Open(os.fsencode(elsewhere.path), "run", bytes(32), Access.WRITE, Missing.REFUSE, b"")
    ).stores
    replica.scan(Scan(aspects=coarsest(PLAIN, [Stores(), stores])))
    for name, mtime_ns, kept in (
        ("past", -5, 0),
        ("odd", 7 * SECOND_NS + 999, 7 * SECOND_NS),
        ("far", 1 << 62, (1 << 32) - 1),
    ):
        wanted = put(replica, name, b"x")._replace(mtime_ns=mtime_ns)
        replica.apply([Action(Act.CREATE, wanted.path, wanted, None)])
        found = file(name, b"x")._replace(mtime_ns=os.stat(elsewhere.path / name).st_mtime_ns)
        set_ = replica.apply([Action(Act.METADATA, wanted.path, wanted, found)])
        assert set_.done == (True,), set_
        assert os.stat(elsewhere.path / name).st_mtime_ns == (kept * SECOND_NS if name == "far" else kept)


def on(kind: type, do: Callable[[], object]) -> Callable[[Op], OSError | None]:
    """Something that happens once, just before an operation of a kind on a path of the user's."""
    done = []

    def before(op: Op) -> OSError | None:
        place = getattr(op, "old", getattr(op, "path", b""))
        if isinstance(op, kind) and b".aefsync" not in place and not done:
            done.append(op)
            do()
        return None

    return before


def test_an_edit_just_before_the_replacement_is_kept_beside_it(elsewhere: Elsewhere) -> None:
    elsewhere.write("f", b"old")
    replica, entries = elsewhere.survey()
    elsewhere.before = on(Replace, lambda: elsewhere.write("f", b"edited meanwhile", 3000))
    applied = replace(replica, "f", b"new", entries["f"])
    (kept,) = applied.kept
    assert (elsewhere.path / "f").read_bytes() == b"new"
    assert (elsewhere.path / str(kept.kept_as)).read_bytes() == b"edited meanwhile"
    assert kept.path == b"f"


def test_a_file_that_comes_just_before_the_new_one_is_not_replaced(elsewhere: Elsewhere) -> None:
    elsewhere.write("f", b"old")
    replica, entries = elsewhere.survey()

    def before(op: Op) -> OSError | None:
        if isinstance(op, Rename) and op.new.endswith(b"/B/f") and not (elsewhere.path / "f").exists():
            elsewhere.write("f", b"somebody else's")
        return None

    elsewhere.before = before
    applied = replace(replica, "f", b"new", entries["f"])
    assert applied.done == (False,)
    assert (elsewhere.path / "f").read_bytes() == b"somebody else's"
    (copy,) = [path for path in elsewhere.path.iterdir() if "conflict" in path.name]
    assert copy.read_bytes() == b"old"


def test_who_wants_no_trash_gets_it_emptied_in_the_end(elsewhere: Elsewhere) -> None:
    elsewhere.write("d/f", b"old")
    elsewhere.write("d/g", b"old")
    replica, entries = elsewhere.survey(writing=Writing(keeps_trash=False))
    wanted = put(replica, "fresh", b"new")
    assert replica.apply([Action(Act.CREATE, wanted.path, wanted, None)]).done == (True,), "with nothing to empty"
    for name in ("d/f", "d/g"):
        assert replace(replica, name, b"new", entries[name]).done == (True,)
    assert list((elsewhere.path / ".aefsync" / "trash").iterdir()), "what took its place may not be durable yet"
    assert replica.record().problems == ()
    assert list((elsewhere.path / ".aefsync" / "trash").iterdir()) == []


@pytest.mark.parametrize("act", [Act.COPY, Act.DELETE])
def test_what_could_not_be_put_back_stays_in_the_trash_whoever_wants_none(elsewhere: Elsewhere, act: Act) -> None:
    """The new one cannot come, nor the old one return: it is nowhere else."""
    elsewhere.write("d/f", b"old")
    replica, entries = elsewhere.survey(writing=Writing(keeps_trash=False))
    wanted = put(replica, "d/f", b"new") if act is Act.COPY else None
    edit = on(Replace, lambda: elsewhere.write("d/f", b"edited meanwhile", 3000))

    def before(op: Op) -> OSError | None:
        place = elsewhere.path / "d"
        if isinstance(op, Rename | Replace) and op.new.startswith(os.fsencode(place)):
            return OSError(errno.EIO, "input/output error")
        return edit(op)

    elsewhere.before = before
    assert replica.apply([Action(act, RelPath(b"d/f"), wanted, entries["d/f"])]).done == (False,)
    elsewhere.before = lambda op: None
    replica.apply([])
    replica.close()
    assert not (elsewhere.path / "d" / "f").exists()
    assert (elsewhere.survey(run="next")[1].keys() == {"d", "d/f"}) == (act is Act.COPY)
    assert b"edited meanwhile" in {path.read_bytes() for path in elsewhere.path.rglob("*") if path.is_file()}


def test_an_edit_just_before_the_deletion_comes_back(elsewhere: Elsewhere) -> None:
    elsewhere.write("f", b"old")
    replica, entries = elsewhere.survey()
    elsewhere.before = on(Replace, lambda: elsewhere.write("f", b"edited meanwhile", 3000))
    applied = replica.apply([Action(Act.DELETE, RelPath(b"f"), None, entries["f"])])
    assert (applied.done, applied.problems[0].reason) == ((False,), "changed since the scan")
    assert (elsewhere.path / "f").read_bytes() == b"edited meanwhile"


@pytest.mark.parametrize("kind", ["file", "directory"])
def test_no_link_is_followed(elsewhere: Elsewhere, tmp_path: Path, kind: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "f").write_bytes(b"precious")
    elsewhere.write("d/f", b"old")
    replica, entries = elsewhere.survey()
    wanted = put(replica, "d/f", b"new")
    if kind == "directory":
        (elsewhere.path / "d").rename(tmp_path / "away")
        (elsewhere.path / "d").symlink_to(outside)
    else:
        (elsewhere.path / "d" / "f").unlink()
        (elsewhere.path / "d" / "f").symlink_to(outside / "f")
    before = os.stat(outside / "f")
    actions = [
        Action(Act.COPY, wanted.path, wanted, entries["d/f"]),
        Action(Act.METADATA, wanted.path, entries["d/f"]._replace(mode=0o777), entries["d/f"]),
        Action(Act.DELETE, wanted.path, None, entries["d/f"]),
        Action(Act.CREATE, RelPath(b"d/new"), wanted._replace(path=RelPath(b"d/new")), None),
    ]
    assert replica.apply(actions if kind == "directory" else actions[:3]).done.count(True) == 0
    assert os.stat(outside / "f") == before
    assert os.listdir(outside) == ["f"]
    if kind == "directory":
        assert replica.scan(Scan()).entries == 1


def test_a_home_that_appeared_since_the_root_was_looked_at(elsewhere: Elsewhere) -> None:
    replica = elsewhere.open()
    (elsewhere.path / ".aefsync").mkdir()
    with pytest.raises(LockedError, match="just begun"):
        replica.stage([], None)


def test_what_is_no_file_directory_or_link_is_left_alone(elsewhere: Elsewhere) -> None:
    os.mkfifo(elsewhere.path / "fifo")
    elsewhere.write("f", b"x")
    replica = elsewhere.open(Access.READ)
    scanned = replica.scan(Scan())
    assert (scanned.entries, scanned.special) == (1, 1)
    (elsewhere.path / "f").unlink()
    os.mkfifo(elsewhere.path / "f")
    assert replica.read_unread((), None).problems[0].reason == "no longer a regular file"


def test_what_a_fifo_is_in_the_place_of_is_told_as_such(elsewhere: Elsewhere) -> None:
    for name in ("f", "d"):
        os.mkfifo(elsewhere.path / name)
    replica = elsewhere.open()
    replica.scan(Scan())
    wanted = [file("f", b"xyz"), directory(b"d")]
    assert stage(replica, wanted[0]).problems == ()
    applied = replica.apply(
        [Action(act, each.path, each, None) for act, each in zip((Act.COPY, Act.MKDIR), wanted, strict=True)]
    )
    assert {each.reason for each in applied.problems} == {"a device, pipe or socket is in its place"}
    assert applied.done == (False, False)


def failing(kind: type, error: int) -> Callable[[Op], OSError | None]:
    return lambda op: OSError(error, "the server gives no reason") if isinstance(op, kind) else None


def stage(replica: FarReplica, *wanted: Entry) -> Staged:
    """Have files of three bytes staged."""
    replica.write([Piece(each.path, 0, 3, b"xyz") for each in wanted])
    return replica.stage([StageFile(each, each.path) for each in wanted], None)


def test_a_full_disk_is_told_once(elsewhere: Elsewhere) -> None:
    replica = elsewhere.open()
    replica.scan(Scan())
    elsewhere.before = failing(Write, errno.EPROTO)
    elsewhere.volume = Volume(1, 0, 1 << 30, read_only=False)
    staged = stage(replica, file("a", b"xyz"), file("b", b"xyz"))
    assert staged == Staged((b"", b""), (), 0, 0, (Problem(b"a", "no space left on device"),))


def test_a_file_system_that_has_become_read_only_is_told_once(elsewhere: Elsewhere) -> None:
    elsewhere.write("f", b"old")
    elsewhere.write("g", b"old")
    replica, entries = elsewhere.survey()
    replica.stage([], None)
    elsewhere.volume = Volume(1, 1 << 30, 1 << 30, read_only=True)
    elsewhere.before = lambda op: OSError(errno.EPROTO, "no reason") if isinstance(op, Replace) else None
    applied = replica.apply([Action(Act.DELETE, entry.path, None, entry) for entry in entries.values()])
    assert applied.done == (False, False)
    assert applied.problems == (Problem(b"", "read-only file system: nothing in it can be changed"),)


def test_a_root_that_cannot_be_written_is_an_error(elsewhere: Elsewhere) -> None:
    replica = elsewhere.open()
    elsewhere.before = failing(Mkdir, errno.EACCES)
    with pytest.raises(RootError, match="cannot be written"):
        replica.stage([], None)


def test_what_is_not_durable_does_not_count(elsewhere: Elsewhere) -> None:
    replica = elsewhere.open()
    replica.scan(Scan())
    elsewhere.before = failing(Sync, errno.EIO)
    assert stage(replica, file("f", b"xyz")).contents == (b"",)


def test_what_went_to_a_trash_that_is_not_durable_is_told(elsewhere: Elsewhere) -> None:
    elsewhere.write("d/f", b"old")
    replica, entries = elsewhere.survey()
    synced: list[bytes] = []

    def met(op: Op) -> OSError | None:
        if not isinstance(op, Sync):
            return None
        synced.append(op.path)
        return OSError(errno.EIO, os.strerror(errno.EIO)) if op.path.endswith(b"/trash/run/deleted") else None

    assert replica.apply([Action(Act.DELETE, RelPath(b"d/f"), None, entries["d/f"])]).done == (True,)
    elsewhere.before = met
    assert replica.record().problems == (Problem(b".aefsync/trash/run/deleted", "not durable: input/output error"),)
    home = os.fsencode(elsewhere.path / ".aefsync")
    above = [home + b"/trash" + each for each in (b"", b"/run", b"/run/deleted", b"/run/deleted/d")]
    assert {*above, os.fsencode(elsewhere.path / "d")} <= {*synced}


def test_a_server_that_offers_less(tmp_path: Path) -> None:
    (tmp_path / "B").mkdir()
    os.symlink("x", tmp_path / "B" / "link")
    with sftp_stream(["-P", "fsync,statvfs,lsetstat,posix-rename"]) as stream:
        elsewhere = Elsewhere(SftpFiles(stream), tmp_path / "B")
        elsewhere.write("f", b"old")
        elsewhere.write("d/g", b"x")
        replica, entries = elsewhere.survey()
        opened = replica.hello(Open(os.fsencode(elsewhere.path), "run", bytes(32), Access.WRITE, Missing.REFUSE, b""))
        assert not opened.stores.symlinks
        assert any("durable" in caveat for caveat in opened.caveats)
        assert replica.space() == []
        assert replace(replica, "f", b"new", entries["f"]).done == (True,)
        assert replica.apply([Action(Act.DELETE, RelPath(b"d/g"), None, entries["d/g"])]).done == (True,)
        assert replica.record().problems == ()
        replica.close()
    assert (tmp_path / "B" / "f").read_bytes() == b"new"


@pytest.mark.parametrize("step", range(0, 60, 3))
def test_a_run_that_is_cut_off_anywhere_has_lost_nothing(elsewhere: Elsewhere, step: int) -> None:
    """The old version is in place or in the trash, the new one is whole or not there, and the next run is not hindered."""
    elsewhere.write("f", b"old")
    elsewhere.write("gone", b"deleted")
    left = [step]

    def before(op: Op) -> OSError | None:
        left[0] -= 1
        if left[0] < 0:
            raise UnreachableError("cut")
        return None

    replica, entries = elsewhere.survey()
    wanted = put(replica, "f", b"new")
    elsewhere.before = before
    actions = [
        Action(Act.COPY, wanted.path, wanted, entries["f"]),
        Action(Act.DELETE, RelPath(b"gone"), None, entries["gone"]),
    ]
    try:
        replica.apply(actions)
        replica.record()
    except UnreachableError:
        pass
    replica.close()
    elsewhere.before = lambda op: None
    place = elsewhere.path / "f"
    assert not place.exists() or place.read_bytes() in (b"old", b"new")
    trashed = {path.read_bytes() for path in elsewhere.path.glob(".aefsync/trash/*/*/*") if path.is_file()}
    assert (place.exists() and place.read_bytes() == b"old") or b"old" in trashed
    assert (elsewhere.path / "gone").exists() or b"deleted" in trashed
    lease = elsewhere.path / ".aefsync" / "lease"
    if lease.exists():
        os.utime(lease, (1, 1))
    again, found = elsewhere.survey(run="next")
    if "f" not in found:
        fresh = put(again, "f", b"new")
        assert again.apply([Action(Act.CREATE, fresh.path, fresh, None)]).done == (True,)
    again.record()
    assert not list((elsewhere.path / ".aefsync" / "tmp").iterdir())
    again.close()


@pytest.mark.parametrize("mode", [0o755, 0o500])
def test_a_directory_has_its_mode_wherever_the_run_that_made_it_was_cut_off(elsewhere: Elsewhere, mode: int) -> None:
    """Nobody is to take for its user's what it was made with."""
    wanted = Entry(RelPath(b"d"), Kind.DIRECTORY, mode, 0, 0, 0, 0, bytes(32))
    make = [Action(Act.MKDIR, wanted.path, wanted, None), Action(Act.METADATA, wanted.path, wanted, None)]
    looks: list[int] = []
    is_cut, step = True, 0
    while is_cut:
        step += 1
        left, is_cut = [step], True

        def before(op: Op, left: list[int] = left) -> OSError | None:
            left[0] -= 1
            if left[0] < 0:
                raise UnreachableError("cut")
            return None

        replica, _ = elsewhere.survey()
        elsewhere.before = before
        with contextlib.suppress(UnreachableError):
            replica.apply(make)
            is_cut = False
        elsewhere.before = lambda op: None
        replica.close()
        (elsewhere.path / ".aefsync" / "lease").unlink(missing_ok=True)
        again, entries = elsewhere.survey(run="next")
        again.close()
        if "d" in entries:
            looks.append(entries["d"].mode)
            (elsewhere.path / "d").rmdir()
        shutil.rmtree(elsewhere.path / ".aefsync", ignore_errors=True)
    assert len(looks) > 3
    assert set(looks) == {mode}


def test_what_a_stale_replica_alone_has_goes_to_quarantine(elsewhere: Elsewhere) -> None:
    elsewhere.write("d/f", b"stale")
    elsewhere.write("g", b"old")
    replica, entries = elsewhere.survey()
    wanted = put(replica, "g", b"new")
    actions = [
        Action(Act.DELETE, RelPath(b"d/f"), None, entries["d/f"], aside=RETURNED),
        Action(Act.COPY, wanted.path, wanted, entries["g"], aside=RETURNED),
    ]
    assert replica.apply(actions).done == (True, True)
    replica.record()
    found = {(str(item.path), item.why) for item in replica.trash(TrashQuery())}
    assert found == {("d/f", RETURNED), ("g", RETURNED)}
    assert (elsewhere.path / ".aefsync" / "quarantine" / "run" / "returned" / "d" / "f").read_bytes() == b"stale"
    replica.close()
