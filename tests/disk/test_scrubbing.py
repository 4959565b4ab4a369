from __future__ import annotations

import errno
import itertools
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from aefsync.core.action import RETURNED, ROTTEN, Act, Action, StageFile
from aefsync.core.digest import content_digest
from aefsync.core.past import TrashQuery
from aefsync.core.path import RelPath
from aefsync.core.ports import Access, Missing, Open, Piece, Scan
from aefsync.core.rot import Scrub, Scrubbed, Verdict
from aefsync.core.version import FOUND, Dot
from aefsync.disk import rereading, scrubber, verifying
from aefsync.disk.filesystem import REMOTE
from aefsync.disk.replica import LocalReplica
from aefsync.disk.scrubber import Clocks
from tests.disk.ground import Ground
from tests.support.rot import Mapped, quiet

MINUTE_NS = 60 * 10**9
ALL = Scrub(begins=True)


class Root(Ground):
    """A root that is scrubbed session by session; `ahead_ns` is how far its clock is ahead of the times on the disk."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.ahead_ns = 2 * MINUTE_NS
        self.sessions = 0
        self.replica = LocalReplica()

    def open(self, access: Access = Access.WRITE, *, versions: bool = True) -> LocalReplica:
        """Begin a session, the last one being over."""
        self.replica.close()
        self.sessions += 1
        self.replica = LocalReplica(clock_ns=lambda: time.time_ns() + self.ahead_ns)
        self.replica.hello(Open(os.fsencode(self.path), f"run{self.sessions}", bytes(32), access, Missing.REFUSE, b""))
        self.replica.scan(Scan(versions=versions))
        return self.replica

    def see(self, *, versions: bool = True) -> None:
        """A session that knows all contents in the end."""
        self.open(versions=versions).record()
        if versions:
            self.replica.mint()

    def scrub(self, request: Scrub = ALL, access: Access = Access.WRITE, *, versions: bool = True) -> Scrubbed:
        """A session that scrubs."""
        return self.open(access, versions=versions).scrub(request)

    def close(self) -> None:
        self.replica.close()
        super().close()


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Root]:
    with quiet(tmp_path) as folder:
        root = Root(folder / "root")
        yield root
        root.close()


def told(scrubbed: Scrubbed) -> list[tuple[bytes, str]]:
    return [(bytes(each.recorded.path), each.verdict.value) for each in scrubbed.damaged]


def rot(root: Root, path: bytes, data: bytes = b"12345", *, versions: bool = True) -> None:
    """Have a file rot after it was recorded."""
    root.write(path, data)
    mapped = Mapped(root.place(path), 2)
    root.see(versions=versions)
    mapped.flip()


@pytest.mark.parametrize("versions", [True, False], ids=["sidecar", "index"])
def test_a_flipped_bit_is_rot_once_the_record_is_old_enough(root: Root, *, versions: bool) -> None:
    root.write(b"d/b", b"12345")
    rot(root, b"d/a", versions=versions)
    before = os.stat(root.place(b"d/a"))
    scrubbed = root.scrub(versions=versions)
    assert told(scrubbed) == [(b"d/a", "rot")]
    (damage,) = scrubbed.damaged
    assert damage.recorded.content == content_digest(b"12345")
    assert damage.content == content_digest(b"12245")
    assert damage.recorded.stat_key[3:] == (before.st_ctime_ns, before.st_ino)
    assert (scrubbed.files, scrubbed.size, scrubbed.left_files, scrubbed.rot) == (2, 10, 0, 1)
    assert scrubbed.oldest_s >= time.time() + 60


def test_what_was_recorded_soon_after_it_was_written_is_suspect_for_good(root: Root) -> None:
    root.ahead_ns = MINUTE_NS // 2
    rot(root, b"a")
    root.ahead_ns = 10 * MINUTE_NS
    for _ in range(2):
        assert told(root.scrub()) == [(b"a", "suspect")]


def test_a_scrub_makes_a_record_old_enough(root: Root) -> None:
    root.ahead_ns = MINUTE_NS // 2
    root.write(b"a", b"12345")
    mapped = Mapped(root.place(b"a"), 2)
    root.see()
    root.ahead_ns = 10 * MINUTE_NS
    assert told(root.scrub()) == []
    mapped.flip()
    assert told(root.scrub()) == [(b"a", "rot")]


def test_what_somebody_may_be_writing_is_suspect(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    rot(root, b"a")
    with open(root.place(b"a"), "r+b"):
        assert told(root.scrub()) == [(b"a", "suspect")]
        monkeypatch.setattr(rereading, "_LEASE", -1)
        root.ahead_ns += MINUTE_NS
        assert rereading.is_open_for_writing(root.root.fd, b"a")
    assert not rereading.is_open_for_writing(root.root.fd, b"a")


def test_where_inodes_are_not_stable_it_is_suspect(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aefsync.disk.replica.file_system_of", lambda fd: REMOTE)
    rot(root, b"a")
    assert told(root.scrub()) == [(b"a", "suspect")]


@pytest.mark.parametrize("versions", [True, False], ids=["sidecar", "index"])
def test_a_tool_that_puts_the_mtime_back_leaves_a_suspect(root: Root, *, versions: bool) -> None:
    root.write(b"a", b"12345", mtime_ns=10**18)
    root.see(versions=versions)
    with open(root.place(b"a"), "r+b") as file:
        file.write(b"x")
    os.utime(root.place(b"a"), ns=(10**18, 10**18))
    for _ in range(2):
        assert told(root.scrub(versions=versions)) == [(b"a", "suspect")]


def edits() -> dict[str, Callable[[Root], None]]:
    return {
        "size": lambda root: root.write(b"a", b"123456"),
        "mtime": lambda root: root.write(b"a", b"x2345", mtime_ns=10**18 + 1),
        "replaced": lambda root: (
            root.write(b"new", b"x2345", mtime_ns=10**18),
            os.rename(root.place(b"new"), root.place(b"a")),
        )[1],
        "mode": lambda root: os.chmod(root.place(b"a"), 0o600),
        "removed": lambda root: os.unlink(root.place(b"a")),
        "moved": lambda root: os.rename(root.place(b"a"), root.place(b"c")),
        "none": lambda root: None,
    }


@pytest.mark.parametrize("edit", edits())
@pytest.mark.parametrize("versions", [True, False], ids=["sidecar", "index"])
def test_edits_raise_no_alarm(root: Root, edit: str, *, versions: bool) -> None:
    root.write(b"a", b"12345", mtime_ns=10**18)
    root.see(versions=versions)
    edits()[edit](root)
    scrubbed = root.scrub(versions=versions)
    assert (scrubbed.damaged, scrubbed.problems, scrubbed.rot, scrubbed.suspects) == ((), (), 0, 0)


def test_what_cannot_be_read_is_rot(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    root.write(b"a", b"12345")
    root.see()

    def lost(*_: object) -> bytes:
        raise OSError(errno.EIO, "input/output error")

    monkeypatch.setattr(verifying, "reread", lost)
    (damage,) = root.scrub().damaged
    assert (damage.verdict, damage.content) == (Verdict.ROT, b"")


def test_what_may_not_be_read_is_a_problem(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    root.write(b"a", b"12345")
    root.see()

    def forbidden(*_: object) -> bytes:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(verifying, "reread", forbidden)
    scrubbed = root.scrub()
    assert [(each.path, each.reason) for each in scrubbed.problems] == [(b"a", "permission denied")]
    assert scrubbed.damaged == ()


def test_who_only_reads_leaves_nothing(root: Root) -> None:
    root.write(b"a", b"12345")
    assert root.scrub(access=Access.READ).files == 1
    assert root.names() == {b"a"}
    assert not root.exists(b".aefsync")


def test_a_file_that_nothing_is_known_of_is_recorded_as_it_is_found(root: Root) -> None:
    root.write(b"a", b"12345")
    assert told(root.scrub(versions=False)) == []
    assert root.open(versions=False).read_unread((), None).root


def test_portions_go_on_where_the_last_one_ended(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (b"a/1", b"a/2", b"a/3", b"b/1", b"c"):
        root.write(name, b"12345")
    root.see()
    read: list[bytes] = []
    verify = verifying.Verifying.verify

    def noted(self: verifying.Verifying, directory: int, row: verifying.Row, *others: object) -> None:
        read.append(os.path.basename(os.readlink(b"/proc/self/fd/%d" % directory)) + b"/" + row.name)
        verify(self, directory, row, *others)  # type: ignore[arg-type]

    monkeypatch.setattr(verifying.Verifying, "verify", noted)
    first = root.scrub(Scrub(begins=True, files=3))
    assert (first.files, first.left_files, first.left_size, first.oldest_s) == (3, 2, 10, 0)
    # Another session, as if that one had been interrupted.
    second = root.scrub(Scrub(begins=True, size=1))
    assert (second.files, second.left_files) == (1, 2)
    rest = root.replica.scrub(Scrub())
    assert rest.left_files == 0
    assert rest.oldest_s > 0
    assert read == [b"root/c", b"a/1", b"a/2", b"a/3", b"b/1", b"root/c"]
    read.clear()
    root.scrub(Scrub(begins=True, files=2))
    assert read == [b"a/1", b"a/2"]


def test_what_is_known_to_be_damaged_comes_first(root: Root) -> None:
    root.write(b"a/1", b"12345")
    rot(root, b"b/1")
    root.scrub()
    assert told(root.scrub(Scrub(begins=True, files=1))) == [(b"b/1", "rot")]


def test_a_rate_is_kept(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    root.write(b"a", bytes(1000))
    root.write(b"b", bytes(500))
    slept: list[float] = []
    monkeypatch.setattr(scrubber, "Clocks", lambda now_ns: Clocks(now_ns, lambda: 0.0, slept.append))
    monkeypatch.setattr("aefsync.disk.scrubbing.Clocks", scrubber.Clocks)
    root.scrub(Scrub(begins=True, bytes_per_s=100))
    assert slept == [10.0, 15.0]


def mend(root: Root, path: bytes, data: bytes) -> None:
    """What the coordinator does."""
    (damage,) = root.scrub().damaged
    root.replica.write([Piece(RelPath(path), 0, len(data), data)])
    assert root.replica.stage([StageFile(damage.recorded, RelPath(path))], None).contents == (content_digest(data),)
    action = Action(Act.COPY, RelPath(path), damage.recorded, damage.recorded, aside=ROTTEN)
    assert root.replica.apply([action]).done == (True,)
    root.replica.record()


def entry_of(root: Root, path: bytes) -> tuple[bytes, object]:
    replica = root.open()
    scanned = replica.read_unread((), None)
    entry = next(each for each in replica.entries([(0, scanned.entries)]) if each.path == path)
    return entry.content, entry.version


def test_mending_changes_no_version_and_keeps_what_was_damaged(root: Root) -> None:
    rot(root, b"a")
    root.write(b"b", b"edited")
    before = os.stat(root.place(b"a"))
    counter = root.open().scan(Scan(versions=True)).standing
    mend(root, b"a", b"12345")
    after = os.stat(root.place(b"a"))
    assert (after.st_mtime_ns, after.st_mode, root.read(b"a")) == (before.st_mtime_ns, before.st_mode, b"12345")
    assert after.st_ino != before.st_ino
    kept = next(path for path in root.contents(b".aefsync/quarantine") if path.endswith(b"rot/a"))
    assert root.read(kept) == b"12245"
    assert entry_of(root, b"a") == (content_digest(b"12345"), FOUND)
    standing = root.open().scan(Scan(versions=True)).standing
    assert counter is not None and standing is not None
    assert standing.mark.counter == counter.mark.counter
    assert root.scrub().rot == 0
    assert root.replica.runs() == []


def test_what_is_accepted_is_an_edit(root: Root) -> None:
    rot(root, b"a")
    assert root.scrub(Scrub(begins=True)).rot == 1
    scrubbed = root.replica.scrub(Scrub(files=0, accepted=(RelPath(b"a"),)))
    assert (scrubbed.problems, scrubbed.rot, scrubbed.suspects) == ((), 0, 0)
    content, version = entry_of(root, b"a")
    assert content == content_digest(b"12245")
    assert version != FOUND
    assert isinstance(version, tuple)
    assert any(isinstance(dot, Dot) and dot.counter for dot in itertools.chain.from_iterable(version[:1]))
    assert told(root.scrub()) == []


def test_what_vanished_cannot_be_accepted(root: Root) -> None:
    rot(root, b"a")
    root.scrub()
    os.unlink(root.place(b"a"))
    scrubbed = root.replica.scrub(Scrub(files=0, accepted=(RelPath(b"a"), RelPath(b"b"))))
    assert [(each.path, each.reason) for each in scrubbed.problems] == [
        (b"a", "changed since the scan"),
        (b"b", "vanished"),
    ]


def test_a_lost_note_is_found_again(root: Root) -> None:
    rot(root, b"a")
    root.scrub()
    root.replica.close()
    for data in (b"no database", b""):
        root.write(b".aefsync/scrub.db", data)
        assert told(root.scrub()) == [(b"a", "rot")]


def test_what_returned_is_kept_until_somebody_wants_it(root: Root) -> None:
    root.write(b"d/a", b"old")
    root.see(versions=False)
    replica = root.open(versions=False)
    replica.record()
    (entry,) = (each for each in replica.entries([(0, 2)]) if each.path == b"d/a")
    assert replica.apply([Action(Act.DELETE, entry.path, None, entry, aside=RETURNED)]).done == (True,)
    replica.record()
    (item,) = replica.trash(TrashQuery())
    assert (item.run, item.why, item.path) == ("run2", "returned", b"d/a")
    replica.purge(["run2"])
    assert list(replica.trash(TrashQuery())) == [item]
    assert replica.restore([item]).done == (True,)
    assert root.read(b"d/a") == b"old"
