"""A mount below the root, here one that only says so: what is meant for it goes through an annex at its top."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

import pytest

from aefsync.core.action import Act, Action, StageFile
from aefsync.core.digest import content_digest
from aefsync.core.past import TrashQuery
from aefsync.core.path import RelPath
from aefsync.core.ports import Access, Missing, Open, Piece, Scan
from aefsync.disk import placing, syscalls
from aefsync.disk.confined import ConfinedRoot
from aefsync.disk.home import open_home
from aefsync.disk.intents import settle
from aefsync.disk.replica import LocalReplica
from aefsync.disk.staging import Staging
from tests.disk.file_systems import Mounted, place_of, refusing
from tests.disk.ground import Site, wanted, wanted_link
from tests.disk.test_intents import Killed, kill


@pytest.fixture
def mounted(site: Site, monkeypatch: pytest.MonkeyPatch) -> Mounted:
    site.write(b"mnt/d/old", b"old")
    site.write(b"mnt/d/extra", b"extra")
    site.write(b"here", b"here")
    return Mounted(monkeypatch, site.place(b"mnt"), os.fsencode(site.path))


def do(site: Site, *actions: Action) -> list[str]:
    """The reasons why actions were not carried out."""
    return [problem.reason for problem in site.applier.apply(actions).problems]


@pytest.mark.usefixtures("mounted")
def test_a_file_is_created(site: Site) -> None:
    entry = site.staged(b"mnt/d/new", b"new", mode=0o604)
    assert do(site, Action(Act.CREATE, entry.path, entry, None)) == []
    assert (site.read(b"mnt/d/new"), site.mode(b"mnt/d/new")) == (b"new", 0o604)
    assert os.lstat(site.place(b"mnt/d/new")).st_mtime_ns == entry.mtime_ns
    assert list(site.home.annexes) == [b"mnt"]
    assert site.read(b"mnt/.aefsync/.gitignore") == b"*\n"


@pytest.mark.usefixtures("mounted")
def test_a_file_is_replaced(site: Site) -> None:
    found, entry = site.entry(b"mnt/d/old"), site.staged(b"mnt/d/old", b"new")
    assert do(site, Action(Act.COPY, entry.path, entry, found)) == []
    assert site.read(b"mnt/d/old") == b"new"
    assert site.read(b"mnt/.aefsync/trash/run/replaced/d/old") == b"old"


@pytest.mark.usefixtures("mounted")
def test_a_file_is_deleted(site: Site) -> None:
    found = site.entry(b"mnt/d/extra")
    assert do(site, Action(Act.DELETE, found.path, None, found)) == []
    assert site.read(b"mnt/.aefsync/trash/run/deleted/d/extra") == b"extra"


@pytest.mark.usefixtures("mounted")
def test_a_symlink_is_made(site: Site) -> None:
    assert do(site, Action(Act.LINK, RelPath(b"mnt/l"), wanted_link(b"mnt/l", b"to"), None)) == []
    assert os.readlink(site.place(b"mnt/l")) == b"to"
    assert os.lstat(site.place(b"mnt/l")).st_mtime_ns == 10**18


def test_the_annex_is_found_once(site: Site, mounted: Mounted) -> None:
    entries = [site.staged(b"mnt/d/%d" % number, b"x") for number in range(5)]
    assert do(site, *(Action(Act.CREATE, entry.path, entry, None) for entry in entries)) == []
    assert mounted.refused == 1


def move_of(site: Site, source: bytes, path: bytes) -> Action:
    found = site.entry(source)
    return Action(Act.MOVE, RelPath(path), found._replace(path=RelPath(path)), found, found.path)


@pytest.mark.usefixtures("mounted")
@pytest.mark.parametrize(
    ("source", "path", "trash"),
    [
        (b"here", b"mnt/there", b".aefsync/trash/run/deleted/here"),
        (b"mnt/d/old", b"there", b"mnt/.aefsync/trash/run/deleted/d/old"),
    ],
)
def test_a_file_is_moved_from_mount_to_mount(site: Site, source: bytes, path: bytes, trash: bytes) -> None:
    data = site.read(source)
    assert do(site, move_of(site, source, path)) == []
    assert (site.read(path), site.read(trash), site.exists(source)) == (data, data, False)


@pytest.mark.usefixtures("mounted")
def test_a_symlink_is_moved_from_mount_to_mount(site: Site) -> None:
    os.symlink(b"to", site.place(b"l"))
    assert do(site, move_of(site, b"l", b"mnt/l")) == []
    assert (os.readlink(site.place(b"mnt/l")), site.exists(b"l")) == (b"to", False)


@pytest.mark.usefixtures("mounted")
def test_a_directory_is_moved_in_pieces(site: Site) -> None:
    for name in (b"dir/a", b"dir/sub/b", b"dir/sub/c"):
        site.write(name, name)
    os.mkdir(site.place(b"dir/empty"), 0o750)
    os.symlink(b"a", site.place(b"dir/l"))
    assert do(site, move_of(site, b"dir", b"mnt/moved")) == []
    assert not site.exists(b"dir")
    assert [site.read(b"mnt/moved/" + name) for name in (b"a", b"sub/b", b"sub/c")] == [
        *(b"dir/a", b"dir/sub/b", b"dir/sub/c"),
    ]
    assert os.readlink(site.place(b"mnt/moved/l")) == b"a"
    assert site.mode(b"mnt/moved/empty") == 0o750


@pytest.mark.usefixtures("mounted")
def test_a_directory_that_cannot_be_moved_whole_loses_nothing(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (b"dir/a", b"dir/b", b"dir/c"):
        site.write(name, name)
    action = move_of(site, b"dir", b"mnt/moved")
    stage = Staging.stage

    def full(self: Staging, files: list[object], peer: object) -> object:
        if files[0].path.endswith(b"/b"):  # type: ignore[attr-defined]
            raise OSError(errno.ENOSPC, "No space left on device")
        return stage(self, files, peer)  # type: ignore[arg-type]

    monkeypatch.setattr(Staging, "stage", full)
    assert do(site, action) == ["no space left on device"]
    assert {site.read(b"mnt/moved/a"), site.read(b"dir/b"), site.read(b"dir/c")} == {b"dir/a", b"dir/b", b"dir/c"}
    assert {b"dir\0", b"mnt\0moved\0"} <= site.applier.touched


@pytest.mark.usefixtures("mounted")
def test_bytes_that_changed_on_the_way_are_refused(site: Site) -> None:
    entry = site.staged(b"mnt/d/new", b"new")
    name = site.staging.name(entry.path)
    assert name is not None
    with open(site.place(b".aefsync/tmp/run/" + name), "r+b") as file:
        file.write(b"NEW")
    assert do(site, Action(Act.CREATE, entry.path, entry, None)) != []
    assert not site.exists(b"mnt/d/new")


@pytest.mark.usefixtures("mounted")
def test_an_edit_at_the_last_moment_becomes_a_conflict_copy(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    found, entry = site.entry(b"mnt/d/old"), site.staged(b"mnt/d/old", b"new")
    site.annexes.make(b"mnt")
    slot = site.trash.slot

    def edit(why: str, path: RelPath) -> object:
        site.write(b"mnt/d/old", b"edited!")
        return slot(why, path)

    monkeypatch.setattr(site.trash, "slot", edit)
    applied = site.applier.apply([Action(Act.COPY, entry.path, entry, found)])
    (kept,) = applied.kept
    assert (site.read(b"mnt/d/old"), site.read(kept.kept_as)) == (b"new", b"edited!")


@pytest.mark.usefixtures("mounted")
def test_an_annex_that_somebody_else_writes_in(site: Site) -> None:
    other = Site(Path(os.fsdecode(site.place(b"mnt/x"))))
    other.close()
    os.rename(site.place(b"mnt/x/.aefsync"), site.place(b"mnt/.aefsync"))
    entry = site.staged(b"mnt/new", b"new")
    action = Action(Act.CREATE, entry.path, entry, None)
    fd = os.open(site.place(b"mnt"), os.O_RDONLY)
    home = open_home(ConfinedRoot(fd))
    assert home is not None
    home.lock.take("another")
    assert [reason[:14] for reason in do(site, action)] == ["another run is"]
    home.close()
    os.close(fd)
    assert do(site, action) == []


@pytest.mark.usefixtures("mounted")
def test_a_link_in_the_place_of_an_annex_is_not_followed(site: Site, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    os.symlink(tmp_path / "elsewhere", site.place(b"mnt/.aefsync"))
    entry = site.staged(b"mnt/new", b"new")
    assert do(site, Action(Act.CREATE, entry.path, entry, None)) != []
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert not site.exists(b"mnt/new")


def test_killed_between_the_two_renames_there(site: Site, mounted: Mounted, monkeypatch: pytest.MonkeyPatch) -> None:
    found, entry = site.entry(b"mnt/d/old"), site.staged(b"mnt/d/old", b"new")
    with monkeypatch.context() as context:

        def no_flags(old_fd: int, old: bytes, new_fd: int, new: bytes, flags: int) -> None:
            mounted.check(place_of(old_fd, old), place_of(new_fd, new))
            refusing(errno.EINVAL)()

        context.setattr(syscalls, "renameat2", no_flags)
        context.setattr(placing, "rename_new", kill)
        with pytest.raises(Killed):
            site.applier.apply([Action(Act.COPY, entry.path, entry, found)])
    assert not site.exists(b"mnt/d/old")
    assert settle(site.root, site.home) == []
    assert site.read(b"mnt/d/old") == b"old"


@pytest.mark.usefixtures("mounted")
def test_a_session_leaves_the_annex_clean(site: Site) -> None:
    site.write(b"mnt/.aefsync/tmp/killed/00000001", b"left by a run that was killed")
    site.annexes.make(b"mnt")
    site.annexes.close()
    site.home.annexes.pop(b"mnt").close()
    replica = LocalReplica()
    replica.hello(Open(os.fsencode(site.path), "next", bytes(32), Access.WRITE, Missing.REFUSE, b""))
    assert replica.scan(Scan()).entries == 5
    entry = wanted(b"mnt/new", b"new")
    replica.write([Piece(entry.path, 0, 3, b"new")])
    assert replica.stage([StageFile(entry, entry.path)], None).contents == (content_digest(b"new"),)
    assert replica.apply([Action(Act.CREATE, entry.path, entry, None)]).done == (True,)
    assert replica.record().entries == 6
    replica.close()
    assert site.contents(b"mnt/.aefsync/tmp") == {}
    assert os.listdir(site.place(b"mnt/.aefsync/tmp")) == []


def session(site: Site, run: str) -> LocalReplica:
    replica = LocalReplica()
    replica.hello(Open(os.fsencode(site.path), run, bytes(32), Access.WRITE, Missing.REFUSE, b""))
    return replica


@pytest.mark.usefixtures("mounted")
def test_the_trash_of_an_annex_shows_in_that_of_the_root(site: Site) -> None:
    os.symlink(b"to", site.place(b"mnt/link"))
    for path in (b"here", b"mnt/d/extra", b"mnt/link", b"mnt/d/old"):
        found = site.entry(path)
        assert do(site, Action(Act.DELETE, found.path, None, found)) == []
    with contextlib.closing(session(site, "next")) as replica:
        items = replica.trash(TrashQuery())
        assert [item.path for item in items] == [b"here", b"mnt/d/extra", b"mnt/d/old", b"mnt/link"]
        assert [item.path for item in replica.trash(TrashQuery(b"mnt/d"))] == [b"mnt/d/extra", b"mnt/d/old"]
        site.write(b"mnt/d/old", b"newer")
        assert replica.restore(items).done == (True,) * 4
        assert (site.read(b"mnt/d/extra"), site.read(b"mnt/d/old")) == (b"extra", b"old")
        assert [item.path for item in replica.trash(TrashQuery())] == [b"mnt/d/old"]
        assert site.read(b"mnt/.aefsync/trash/next/replaced/d/old") == b"newer"
        assert replica.purge(["run", "next"]).done == (True, True)
        assert list(replica.trash(TrashQuery())) == []
    assert os.listdir(site.place(b"mnt/.aefsync/trash")) == []


@pytest.mark.usefixtures("mounted")
def test_old_trash_of_an_annex_goes(site: Site) -> None:
    old = b"20200101T000000Z-beef"
    site.write(b"mnt/.aefsync/trash/%s/deleted/x" % old, b"x")
    os.utime(site.place(b"mnt/.aefsync/trash/" + old), (0, 0))
    site.annexes.make(b"mnt")
    site.annexes.close()
    site.home.annexes.pop(b"mnt").close()
    with contextlib.closing(session(site, "20260101T000000Z-beef")) as replica:
        replica.scan(Scan())
        found = site.entry(b"mnt/d/extra")
        assert replica.apply([Action(Act.DELETE, found.path, None, found)]).done == (True,)
        replica.record()
    assert os.listdir(site.place(b"mnt/.aefsync/trash")) == [b"20260101T000000Z-beef"]
