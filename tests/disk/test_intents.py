"""Replacing where names cannot be exchanged: whatever ends the run in between, the old file comes back."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

import pytest

from aefsync.core.action import Act, Action, Applied
from aefsync.core.path import RelPath
from aefsync.core.ports import Access, Missing, Open, Scan
from aefsync.core.space import Share
from aefsync.core.writing import Writing
from aefsync.disk import intents, moving, placing, renaming
from aefsync.disk.intents import settle, unsettled
from aefsync.disk.replica import LocalReplica
from aefsync.disk.retention import expire, half_done
from aefsync.disk.trash import purge_runs
from tests.disk.file_systems import like_everything, like_nfs, like_vfat, refusing
from tests.disk.ground import Site, later, wanted_link

NOTHING = Writing(trash_keep_s=0, trash_max=Share(0, is_percentage=False))


class Killed(BaseException):
    """The end of the process at this very call."""


def kill(*_: object, **__: object) -> None:
    raise Killed


@pytest.fixture(params=[like_nfs, like_vfat])
def plain(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that cannot exchange names."""
    request.param(monkeypatch)


def copy(site: Site, path: bytes, data: bytes = b"new") -> Action:
    found = site.entry(path)
    return Action(Act.COPY, found.path, site.staged(path, data), found)


def replace(site: Site, *paths: bytes) -> Applied:
    return site.applier.apply([copy(site, path) for path in paths])


@pytest.mark.parametrize("file_system", [like_everything, like_nfs, like_vfat])
def test_the_new_file_is_in_place_and_the_old_one_in_the_trash(
    site: Site, monkeypatch: pytest.MonkeyPatch, file_system: Callable[[pytest.MonkeyPatch], None]
) -> None:
    for name in (b"d/f", b"d/g"):
        site.write(name, b"old " + name)
    file_system(monkeypatch)
    for _ in range(2):
        assert replace(site, b"d/f", b"d/g") == Applied((True, True), (), ())
    assert site.read(b"d/f") == site.read(b"d/g") == b"new"
    assert site.read(b".aefsync/trash/run/replaced/d/f") == b"old d/f"
    assert site.read(b".aefsync/trash/run/replaced.1/d/g") == b"new"
    assert (site.intents.are_needed, unsettled(site.root, site.home)) == (file_system is not like_everything, [])
    site.intents.clear(site.root)
    assert site.contents(b".aefsync/intents") == {}


@pytest.mark.usefixtures("plain")
def test_killed_between_the_two_renames(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (b"d/f", b"d/g"):
        site.write(name, b"old")
    actions = [copy(site, name) for name in (b"d/f", b"d/g")]
    monkeypatch.setattr(placing, "rename_new", kill)
    with pytest.raises(Killed):
        site.applier.apply(actions)
    assert site.names() == {b"d", b"d/g"}
    (problem,) = unsettled(site.root, site.home)
    assert (problem.path, problem.subtree) == (b"d/f", True)
    assert settle(site.root, site.home) == []
    assert (site.read(b"d/f"), site.read(b"d/g")) == (b"old", b"old")
    assert (unsettled(site.root, site.home), settle(site.root, site.home)) == ([], [])
    assert site.contents(b".aefsync/intents") == {}


@pytest.mark.usefixtures("plain")
def test_what_could_not_be_put_back_stays_in_the_trash_whoever_wants_none(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new one cannot come, nor the old one return: it is nowhere else."""
    site.write(b"d/f", b"old")
    action = copy(site, b"d/f")
    with monkeypatch.context() as patch:
        patch.setattr(placing, "rename_new", refusing(errno.EIO))
        assert site.applier.apply([action]).done == (False,)
    site.trash.empty()
    assert purge_runs(site.home, ["run"]).done == (False,)
    expire(site.home, "next", NOTHING, later, half_done(site.home))
    assert settle(site.root, site.home) == []
    assert site.read(b"d/f") == b"old"
    site.trash.empty()
    assert purge_runs(site.home, ["run"]).done == (True,)


@pytest.mark.usefixtures("plain")
def test_killed_before_the_first_rename(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.write(b"f", b"old")
    action = copy(site, b"f")
    calls: list[object] = []

    def kill_at_the_old_file(*places: object) -> None:
        """The first call is about the new one, which an exchange would have taken from its slot."""
        calls.append(places)
        if len(calls) == 2:
            raise Killed
        renaming.rename_out(*places)  # type: ignore[arg-type]

    monkeypatch.setattr(placing, "rename_out", kill_at_the_old_file)
    with pytest.raises(Killed):
        site.applier.apply([action])
    assert unsettled(site.root, site.home) == []
    os.unlink(site.place(b"f"))
    assert settle(site.root, site.home) == []
    assert not site.exists(b"f"), "nothing was taken away: it was its user who deleted it"


@pytest.mark.usefixtures("plain")
def test_what_came_meanwhile_stays(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.write(b"f", b"old")
    action = copy(site, b"f")
    monkeypatch.setattr(placing, "rename_new", kill)
    with pytest.raises(Killed):
        site.applier.apply([action])
    site.write(b"f", b"newer")
    assert settle(site.root, site.home) == []
    assert site.read(b"f") == b"newer"
    assert site.read(b".aefsync/trash/run/replaced/f") == b"old"


@pytest.mark.usefixtures("plain")
def test_a_replaced_file_that_its_user_deletes_does_not_come_back(site: Site) -> None:
    site.write(b"f", b"old")
    assert replace(site, b"f").done == (True,)
    os.unlink(site.place(b"f"))
    assert (unsettled(site.root, site.home), settle(site.root, site.home)) == ([], [])
    assert not site.exists(b"f")


@pytest.mark.usefixtures("plain")
def test_a_directory_that_is_gone_by_then(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.write(b"d/f", b"old")
    action = copy(site, b"d/f")
    monkeypatch.setattr(placing, "rename_new", kill)
    with pytest.raises(Killed):
        site.applier.apply([action])
    os.rmdir(site.place(b"d"))
    assert settle(site.root, site.home) == []
    assert site.read(b".aefsync/trash/run/replaced/d/f") == b"old"


@pytest.mark.usefixtures("plain")
def test_the_second_rename_fails(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.write(b"f", b"old")
    action = copy(site, b"f")
    rename_new, failures = placing.rename_new, [OSError(errno.EIO, "Input/output error")]

    def fail_once(*args: object) -> None:
        if failures:
            raise failures.pop()
        rename_new(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(placing, "rename_new", fail_once)
    assert [problem.reason for problem in site.applier.apply([action]).problems] == ["input/output error"]
    assert site.read(b"f") == b"old"
    assert unsettled(site.root, site.home) == []


@pytest.mark.usefixtures("plain")
def test_without_a_durable_intent_nothing_is_taken_away(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (b"f", b"g"):
        site.write(name, b"old")
    actions = [copy(site, name) for name in (b"f", b"g")]
    monkeypatch.setattr(os, "write", refusing(errno.ENOSPC))
    applied = site.applier.apply(actions)
    assert [problem.reason for problem in applied.problems] == ["no space left on device"] * 2
    assert (site.read(b"f"), site.read(b"g")) == (b"old", b"old")
    assert (unsettled(site.root, site.home), settle(site.root, site.home)) == ([], [])


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize("cut", range(1, 30))
def test_a_record_that_was_never_written_whole(site: Site, monkeypatch: pytest.MonkeyPatch, cut: int) -> None:
    """Its rename was never begun; those before it count."""
    site.write(b"first", b"old")
    site.intents.declare([intents.Intent("replaced", RelPath(b"first"), RelPath(b"first"))])
    whole = len(site.read(b".aefsync/intents/run"))
    site.intents.declare([intents.Intent("replaced", RelPath(b"second"), RelPath(b"second"))])
    os.makedirs(site.place(b".aefsync/trash/run/replaced"))
    os.rename(site.place(b"first"), site.place(b".aefsync/trash/run/replaced/first"))
    os.truncate(site.place(b".aefsync/intents/run"), max(whole, whole + 23 - cut))
    assert settle(site.root, site.home) == []
    assert site.names() == {b"first"}


@pytest.mark.usefixtures("plain")
def test_one_write_for_all_of_a_batch(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [b"%d" % number for number in range(9)]
    for name in names:
        site.write(name, b"old")
    assert replace(site, names[0]).done == (True,)
    synced: list[int] = []
    actions = [copy(site, name) for name in names]
    monkeypatch.setattr(os, "fsync", synced.append)
    assert all(site.applier.apply(actions).done)
    assert len(synced) == 1


def test_a_link_over_a_file(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.write(b"f", b"old")
    found = site.entry(b"f")
    like_nfs(monkeypatch)
    action = Action(Act.LINK, found.path, wanted_link(b"f", b"to"), found)
    assert site.applier.apply([action]).done == (True,)
    assert os.readlink(site.place(b"f")) == b"to"


def test_where_there_are_no_symlinks(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    like_vfat(monkeypatch)
    applied = site.applier.apply([Action(Act.LINK, RelPath(b"l"), wanted_link(b"l", b"to"), None)])
    assert [problem.reason for problem in applied.problems] == ["symlinks cannot be stored here"]


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize("calls", [0, 1])
def test_killed_while_two_things_change_places(site: Site, monkeypatch: pytest.MonkeyPatch, calls: int) -> None:
    site.write(b"a", b"one")
    site.write(b"b", b"two")
    one, two = site.entry(b"a"), site.entry(b"b")
    wanted = one._replace(path=RelPath(b"b"))
    action = Action(Act.MOVE, wanted.path, wanted, one, one.path, two)
    rename_new, left = moving.rename_new, iter(range(calls))

    def kill_later(*args: object) -> None:
        if next(left, None) is None:
            raise Killed
        rename_new(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(moving, "rename_new", kill_later)
    with pytest.raises(Killed):
        site.applier.apply([action])
    assert len(site.names()) == 1
    assert len(unsettled(site.root, site.home)) == 1
    assert settle(site.root, site.home) == []
    assert {site.read(b"a"), site.read(b"b")} == {b"one", b"two"}


@pytest.mark.parametrize("access", Access)
def test_a_scan_knows_of_what_is_half_replaced(site: Site, monkeypatch: pytest.MonkeyPatch, access: Access) -> None:
    site.write(b"d/f", b"old")
    action = copy(site, b"d/f")
    with monkeypatch.context() as context:
        like_nfs(context)
        context.setattr(placing, "rename_new", kill)
        with pytest.raises(Killed):
            site.applier.apply([action])
    replica = LocalReplica()
    replica.hello(Open(os.fsencode(site.path), "next", bytes(32), access, Missing.REFUSE, b""))
    scanned = replica.scan(Scan())
    replica.close()
    if access is Access.WRITE:
        assert (scanned.entries, scanned.problems, site.read(b"d/f")) == (2, (), b"old")
    else:
        assert [(problem.path, problem.subtree) for problem in scanned.problems] == [(b"d/f", True)]


@pytest.mark.usefixtures("plain")
@pytest.mark.parametrize("tail", [bytes(9), b"repl" + bytes(9), b"deleted\0.aefsync\0x\0", b"\xff\0f\0f\0"])
def test_what_makes_no_sense_ends_what_is_pending(site: Site, monkeypatch: pytest.MonkeyPatch, tail: bytes) -> None:
    """As a machine may leave it that lost its power: what stands before that is put back, and no run is stopped by it."""
    site.write(b"f", b"old")
    action = copy(site, b"f")
    monkeypatch.setattr(placing, "rename_new", kill)
    with pytest.raises(Killed):
        site.applier.apply([action])
    with open(site.place(b".aefsync/intents/run"), "ab") as file:
        file.write(tail)
    assert [problem.path for problem in unsettled(site.root, site.home)] == [b"f"]
    assert settle(site.root, site.home) == []
    assert (site.read(b"f"), site.contents(b".aefsync/intents")) == (b"old", {})
