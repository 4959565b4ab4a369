"""The sidecar of a root elsewhere: what is sent and when, what an end at any moment leaves, and agents that come later."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from aefsync.core.action import Act, Action
from aefsync.core.entry import Entry
from aefsync.core.files import Op, Read, Write
from aefsync.core.members import Memory
from aefsync.core.path import RelPath
from aefsync.core.ports import Access, Missing, Open, Replica, Scan, Scanned
from aefsync.core.problem import SUSPECT, Problem
from aefsync.core.version import FOUND, Dot, Version
from aefsync.disk.far.replica import FarReplica
from aefsync.disk.far.sidecar import committed
from aefsync.disk.replica import LocalReplica
from aefsync.errors import GuardError, LockedError, RootError, UnreachableError
from aefsync.wire.sftp.client import SftpFiles
from tests.disk.far.elsewhere import Distant, Elsewhere, put
from tests.support.sftpd import sftp_stream

PAST = Scan(versions=True)
COMES = Version((Dot(bytes(16), 7),), bytes(16))
HALF = 500_000_000


class Seen(NamedTuple):
    """What a scan with versions came to."""

    scanned: Scanned
    entries: dict[str, Entry]
    tombstones: dict[str, Version]
    problems: tuple[Problem, ...]

    @property
    def counter(self) -> int:
        """How many dots the replica has used."""
        assert self.scanned.standing is not None
        return self.scanned.standing.mark.counter

    def version(self, path: str) -> Version | None:
        return self.entries[path].version


def look(replica: Replica) -> Seen:
    first = replica.scan(PAST)
    scanned = replica.read_unread((), None)
    entries = {str(each.path): each for each in replica.entries([(0, scanned.entries)])}
    tombstones = {str(each.path): each.version for each in replica.tombstones([(0, scanned.tombstones)])}
    return Seen(scanned, entries, tombstones, tuple({*first.problems, *scanned.problems}))


def begin(elsewhere: Elsewhere) -> tuple[FarReplica, Seen]:
    replica = elsewhere.open()
    return replica, look(replica)


def session(elsewhere: Elsewhere, access: Access = Access.WRITE, run: str = "run") -> Seen:
    """A session that came to its end."""
    with contextlib.closing(elsewhere.open(access, run)) as replica:
        seen = look(replica)
        if access is Access.WRITE:
            replica.remember(Memory(()))
    return seen


def agent_of(elsewhere: Elsewhere, access: Access = Access.WRITE) -> LocalReplica:
    agent = LocalReplica()
    agent.hello(Open(os.fsencode(elsewhere.path), "agent", bytes(32), access, Missing.REFUSE, b""))
    return agent


def by_agent(elsewhere: Elsewhere, access: Access = Access.WRITE) -> Seen:
    """A session over there."""
    agent = agent_of(elsewhere, access)
    seen = look(agent)
    if access is Access.WRITE:
        agent.remember(Memory(()))
    agent.close()
    return seen


def home(elsewhere: Elsewhere, name: str = "") -> Path:
    return elsewhere.path / ".aefsync" / name


def state(elsewhere: Elsewhere) -> tuple[int, int, int]:
    """What changes with the sidecar whenever anybody touches it."""
    seen = home(elsewhere, "sidecar.db").stat()
    return seen.st_ino, seen.st_mtime_ns, seen.st_ctime_ns


def sidecars(elsewhere: Elsewhere) -> set[str]:
    return {each.name for each in home(elsewhere).iterdir() if each.name.startswith("sidecar")}


@pytest.fixture
def known(elsewhere: Elsewhere) -> Elsewhere:
    """A root that has a sidecar, of a session long ago."""
    elsewhere.write("a", b"a")
    elsewhere.write("d/x", b"x")
    session(elsewhere)
    os.utime(home(elsewhere, "sidecar.db"), (1000, 1000))
    return elsewhere


def test_nothing_new_is_not_sent_nor_read_more_than_once(known: Elsewhere, distant: Distant) -> None:
    before = state(known)
    known.watched.counts.clear()
    fetched: list[Op] = []
    known.before = lambda op: fetched.append(op) if isinstance(op, Read) and op.path.endswith(b"/sidecar.db") else None
    replica = known.open(Access.READ)
    replica.hello(Open(os.fsencode(known.path), "r", bytes(32), Access.WRITE, Missing.REFUSE, known.cache))
    sent, trips = distant.sent_bytes, distant.round_trips
    replica.scan(PAST)
    replica.read_unread((), None)
    replica.record()
    replica.close()
    assert (state(known), len(fetched)) == (before, 1)
    counts = known.watched.counts
    assert (counts["Replace"], counts["Create"], counts["Sync"]) == (0, 1, 0), "the lease"
    assert counts["Write"] == 0
    assert distant.round_trips - trips <= 30
    assert distant.sent_bytes - sent <= 4000
    assert sidecars(known) == {"sidecar.db"}


def test_who_only_reads_leaves_no_trace(known: Elsewhere) -> None:
    before = state(known)
    known.write("new", b"1")
    seen = session(known, Access.READ)
    assert dict(seen.version("new").vector).keys() != {}  # type: ignore[union-attr]
    assert (state(known), sidecars(known)) == (before, {"sidecar.db"})
    assert not home(known, "lease").exists()


def test_an_edit_is_over_there_before_anybody_hears_of_it(known: Elsewhere) -> None:
    known.write("new", b"1")
    replica, seen = begin(known)
    assert seen.counter == 1
    other = by_agent(known, Access.READ)
    assert other.version("new") == seen.version("new")
    replica.close()
    assert sidecars(known) == {"sidecar.db"}


def acting(elsewhere: Elsewhere, replica: FarReplica, seen: Seen) -> None:
    """A session's work: a file replaced, one new, one deleted, all with versions that came from elsewhere."""
    for path, data, found in (("a", b"newer", seen.entries["a"]), ("new", b"new", None)):
        wanted = put(replica, path, data)._replace(version=COMES)
        act = Act.CREATE if found is None else Act.COPY
        assert replica.apply([Action(act, wanted.path, wanted, found)]).done == (True,)
    gone = Action(Act.DELETE, RelPath(b"d/x"), None, seen.entries["d/x"], tombstone=COMES)
    assert replica.apply([gone]).done == (True,)
    replica.record()
    replica.remember(Memory(()))


def cut(left: int) -> Callable[[Op], OSError | None]:
    """Lose the connection after so many operations more."""
    remaining = [left]

    def before(op: Op) -> OSError | None:
        remaining[0] -= 1
        if remaining[0] < 0:
            raise UnreachableError("cut")
        return None

    return before


@pytest.mark.parametrize("step", range(0, 120, 9))
def test_a_run_that_is_cut_off_anywhere_has_edited_nothing(known: Elsewhere, step: int) -> None:
    """Each path is as before or as it was meant to be, with the version that belongs to that, and no dot was used."""
    next_one = (by_agent, session)[step % 2]
    replica, seen = begin(known)
    known.before = cut(step)
    try:
        acting(known, replica, seen)
    except UnreachableError:
        pass
    replica.close()
    known.before = lambda op: None
    lease = home(known, "lease")
    if lease.exists():
        os.utime(lease, (1, 1))
    later = next_one(known)
    assert (later.counter, later.problems) == (0, ())
    contents = {name: (known.path / name).read_bytes() for name in later.entries if (known.path / name).is_file()}
    assert contents["a"] in (b"a", b"newer")
    assert later.version("a") == (COMES if contents["a"] == b"newer" else FOUND)
    assert later.version("new") == COMES if "new" in contents else "new" not in later.tombstones
    assert ("d/x" in contents) != (later.tombstones.get("d/x") == COMES)
    assert not list(home(known).glob("intents/*"))
    assert next_one(known).scanned.history == later.scanned.history
    assert sidecars(known) == {"sidecar.db"}


def test_what_was_done_to_the_end_is_one_file(known: Elsewhere) -> None:
    replica, seen = begin(known)
    acting(known, replica, seen)
    assert sidecars(known) == {"sidecar.db"}
    replica.close()
    later = by_agent(known)
    assert (later.counter, later.version("a"), later.tombstones) == (0, COMES, {"d/x": COMES})


def test_what_a_killed_agent_left_beside_it_counts(known: Elsewhere, tmp_path: Path) -> None:
    known.write("new", b"1")
    agent = agent_of(known)
    seen = look(agent)
    shutil.copytree(home(known), tmp_path / "killed")
    agent.close()
    shutil.rmtree(home(known))
    shutil.copytree(tmp_path / "killed", home(known))
    assert (home(known, "sidecar.db-wal")).stat().st_size
    (home(known, "lock")).write_bytes(b"")
    assert session(known, Access.READ).version("new") == seen.version("new")
    assert session(known, run="next").version("new") == seen.version("new")
    assert sidecars(known) - {"sidecar.db-shm"} == {"sidecar.db"}


def test_one_made_for_a_rollback_journal_is_put_there_anew(known: Elsewhere) -> None:
    database = sqlite3.connect(home(known, "sidecar.db"))
    database.execute("PRAGMA journal_mode = TRUNCATE").fetchall()
    database.close()
    known.write("new", b"1")
    replica, seen = begin(known)
    assert by_agent(known, Access.READ).version("new") == seen.version("new")
    replica.close()


def test_sharper_eyes_see_no_edits_and_weaker_ones_neither(known: Elsewhere) -> None:
    """An agent sees nanoseconds, inodes and ctimes."""
    known.write("sharp", b"s", 3000)
    os.utime(known.path / "sharp", ns=(3000 * 10**9 + HALF, 3000 * 10**9 + HALF))
    first = by_agent(known)
    assert first.counter == 1
    for next_one in (session, by_agent, session):
        later = next_one(known)
        assert (later.counter, later.problems) == (1, ())
        assert later.version("sharp") == first.version("sharp")


@pytest.mark.parametrize("eyes", [by_agent, session], ids=["agent", "sftp"])
def test_same_size_and_second_but_another_content_is_suspect(
    known: Elsewhere, eyes: Callable[[Elsewhere], Seen]
) -> None:
    by_agent(known) if eyes is session else session(known)
    place = known.path / "a"
    place.unlink()
    place.write_bytes(b"b")
    os.utime(place, (1000, 1000))
    shutil.rmtree(known.cache.decode(), ignore_errors=True)
    later = eyes(known)
    assert later.problems == (Problem(b"a", SUSPECT, subtree=True),)
    assert later.counter == 0


def damages(place: Path) -> Iterator[tuple[str, Callable[[], object]]]:
    yield "empty", lambda: place.write_bytes(b"")
    yield "no database", lambda: place.write_bytes(b"x" * 9000)
    yield "cut", lambda: place.write_bytes(place.read_bytes()[:9000])


@pytest.mark.parametrize("damage", ["empty", "no database", "cut"])
def test_a_damaged_one_is_set_aside(known: Elsewhere, damage: str) -> None:
    dict(damages(home(known, "sidecar.db")))[damage]()
    damaged = home(known, "sidecar.db").read_bytes()
    assert "joins as a new one" in session(known, Access.READ).problems[0].reason
    assert home(known, "sidecar.db").read_bytes() == damaged
    seen = session(known, run="next")
    assert "set aside as sidecar.db.damaged-next" in seen.problems[0].reason
    assert home(known, "sidecar.db.damaged-next").read_bytes() == damaged
    assert by_agent(known).problems == ()


def test_one_of_a_newer_program_is_left_alone(known: Elsewhere) -> None:
    place = home(known, "sidecar.db")
    database = sqlite3.connect(place)
    database.execute("PRAGMA user_version = 99")
    database.close()
    before = place.read_bytes()
    with pytest.raises(GuardError, match="newer"):
        session(known)
    assert place.read_bytes() == before


def test_one_that_changes_while_it_is_fetched_is_fetched_again(known: Elsewhere) -> None:
    times = iter(range(2000, 3000))
    left = [1]

    def before(op: Op) -> OSError | None:
        if isinstance(op, Read) and op.path.endswith(b"sidecar.db") and left[0]:
            left[0] -= 1
            os.utime(op.path, (at := next(times), at))
        return None

    known.before = before
    assert session(known, Access.READ).problems == ()
    left[0] = 1000
    os.utime(home(known, "sidecar.db"), (1, 1))
    replica = known.open(Access.READ)
    with pytest.raises(RootError, match="is being changed by another run"):
        replica.scan(PAST)
    replica.close()


def test_who_is_not_sent_everything_is_told(known: Elsewhere) -> None:
    known.write("new", b"1")
    known.before = lambda op: OSError(5, "no reason") if isinstance(op, Write) and b"-wal" in op.path else None
    replica = known.open()
    with pytest.raises(RootError, match=r"sidecar\.db"):
        replica.scan(PAST)
    replica.close()
    known.before = lambda op: None
    assert by_agent(known).counter == 1


def test_an_agent_at_work_is_not_disturbed(known: Elsewhere) -> None:
    agent = agent_of(known)
    before = state(known)
    with pytest.raises(LockedError, match="pid"):
        known.open()
    agent.close()
    assert state(known) == before
    replica = known.open()
    with pytest.raises(LockedError, match="over SFTP"):
        agent_of(known)
    replica.close()


def test_what_a_killed_process_left_here_is_removed_by_the_next(known: Elsewhere) -> None:
    place = Path(os.fsdecode(known.cache)) / "fetched"
    (place / "aefsync-left").mkdir(parents=True)
    (place / "aefsync-left" / "sidecar.db").write_bytes(b"x")
    one, other = known.open(Access.READ), known.open(Access.READ)
    assert look(one).entries == look(other).entries
    assert len(list(place.iterdir())) == 2
    assert {stat.S_IMODE(each.stat().st_mode) for each in (place, *place.iterdir())} == {0o700}
    one.close()
    other.close()
    assert not list(place.iterdir())
    shutil.rmtree(known.cache.decode())
    Path(os.fsdecode(known.cache)).write_text("not a directory")
    assert session(known, Access.READ).entries


def test_a_server_that_cannot_replace_a_file(tmp_path: Path) -> None:
    (tmp_path / "B").mkdir()
    with sftp_stream(["-P", "posix-rename"]) as stream:
        elsewhere = Elsewhere(SftpFiles(stream), tmp_path / "B")
        elsewhere.write("f", b"x")
        with pytest.raises(RootError, match="does not replace a file in one step"):
            session(elsewhere)


def test_what_was_begun_and_not_ended_is_not_sent(tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "db", isolation_level=None)
    for statement in ("journal_mode = WAL", "wal_autocheckpoint = 0", "cache_size = 2"):
        database.execute(f"PRAGMA {statement}").fetchall()
    database.execute("CREATE TABLE t (x)")
    with open(tmp_path / "db-wal", "rb") as log:
        first = committed(log, 0)
        assert first == os.fstat(log.fileno()).st_size
        database.execute("BEGIN")
        for _ in range(40):
            database.execute("INSERT INTO t VALUES (zeroblob(4000))")
        assert os.fstat(log.fileno()).st_size > first
        assert committed(log, first) == first
        database.execute("ROLLBACK")
        database.execute("INSERT INTO t VALUES (1)")
        second = committed(log, first)
        assert first < second < os.fstat(log.fileno()).st_size
    database.close()
