"""Opening replicas: told apart before anything is written, opened in one order, errors that name whose they are."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from aefsync.core.ports import Access, Missing, Open, Opened, Scan
from aefsync.core.silent import Silent
from aefsync.disk.home import Home
from aefsync.disk.lock import Lock
from aefsync.disk.replica import LocalReplica
from aefsync.errors import AefsyncError, LockedError, RootError, UnreachableError, UsageError
from aefsync.sync.location import parse
from aefsync.sync.overlap import check_apart
from aefsync.sync.request import Request
from aefsync.sync.session import Session, Terms, open_session
from aefsync.wire.login import Login
from tests.support.memory import MemoryReplica, MemoryTree
from tests.support.trees import tree
from tests.sync.joined import Threads, Watched, joined, threads

READ = Terms(Access.READ, Missing.REFUSE)
WRITE = Terms(Access.WRITE, Missing.REFUSE)
CREATE = Terms(Access.WRITE, Missing.CREATE)
EMPTY = Terms(Access.READ, Missing.EMPTY)


@pytest.fixture
def engine() -> Iterator[Threads]:
    with threads() as started:
        yield started


def open_all(*roots: Path | str, terms: Terms = READ) -> Session:
    """Open, and close again."""
    with open_session(Request(tuple(map(str, roots))), [terms] * len(roots), Silent()) as session:
        return session


def no_run_wrote(folder: Path) -> bool:
    return not any(b".aefsync" in (os.path.basename(place), *names) for place, names, _ in os.walk(os.fsencode(folder)))


# apart


class Root(NamedTuple):
    """A root as its replica tells of it; the ancestors are numbers, 0 for a root that is missing."""

    path: bytes
    ancestors: tuple[int, ...]
    host: bytes = b"here"

    def opened(self) -> Opened:
        pairs = tuple((1, each) if each else (0, 0) for each in self.ancestors)
        return Opened(self.path, self.host, pairs, (), 0, created=False, seen_before=False)


APART = {
    "siblings": (Root(b"/a", (2, 1)), Root(b"/b", (3, 1))),
    "a name that begins alike": (Root(b"/a", (2, 1)), Root(b"/ab", (3, 1))),
    "equal on different hosts": (Root(b"/a", (2, 1)), Root(b"/a", (2, 1), b"there")),
    "nested on different hosts": (Root(b"/a", (2, 1)), Root(b"/a/b", (3, 2, 1), b"there")),
    "both missing": (Root(b"/a", (0, 1)), Root(b"/b", (0, 1))),
    "both missing, names that begin alike": (Root(b"/a", (0, 1)), Root(b"/ab", (0, 1))),
    "one missing beside the other": (Root(b"/a", (2, 1)), Root(b"/b", (0, 1))),
}
SAME = {
    "the same path": (Root(b"/a", (2, 1)), Root(b"/a", (2, 1))),
    "the same directory by two paths": (Root(b"/a", (2, 1)), Root(b"/b", (2, 1))),
    "the same path, missing": (Root(b"/a", (0, 1)), Root(b"/a", (0, 1))),
}
INSIDE = {
    "a child": (Root(b"/a/b", (3, 2, 1)), Root(b"/a", (2, 1))),
    "further down": (Root(b"/a/b/c", (4, 3, 2, 1)), Root(b"/a", (2, 1))),
    "by another path": (Root(b"/elsewhere/b", (3, 2, 5, 1)), Root(b"/a", (2, 1))),
    "to be made in it": (Root(b"/a/b", (0, 2, 1)), Root(b"/a", (2, 1))),
    "both to be made": (Root(b"/a/b", (0, 1)), Root(b"/a", (0, 1))),
    "the top": (Root(b"/a", (2, 1)), Root(b"/", (1,))),
}


def check(*roots: Root) -> None:
    locations = [parse(name) for name in ("A", "B", "C")[: len(roots)]]
    check_apart(locations, [root.opened() for root in roots])


@pytest.mark.parametrize("name", APART)
def test_roots_that_are_apart(name: str) -> None:
    check(*APART[name])


@pytest.mark.parametrize("name", SAME)
def test_one_directory_is_no_two_replicas(name: str) -> None:
    with pytest.raises(UsageError, match="^A and B are the same directory$"):
        check(*SAME[name])


@pytest.mark.parametrize("name", INSIDE)
def test_a_root_inside_another_is_refused_either_way(name: str) -> None:
    inner, outer = INSIDE[name]
    with pytest.raises(UsageError, match="^A lies inside B$"):
        check(inner, outer)
    with pytest.raises(UsageError, match="^B lies inside A$"):
        check(outer, inner)


def test_every_pair_is_looked_at() -> None:
    with pytest.raises(UsageError, match="^C lies inside B$"):
        check(Root(b"/x", (9, 1)), *reversed(INSIDE["a child"]))


def test_real_roots_are_told_apart(engine: Threads, tmp_path: Path) -> None:
    tree(tmp_path / "a", {"inner/f": "x"})
    tree(tmp_path / "b", {"f": "x"})
    (tmp_path / "link").symlink_to("a")
    (tmp_path / "deep").symlink_to("a/inner")
    for other, words in {
        "a": "are the same directory",
        "b/../a/": "are the same directory",
        "link": "are the same directory",
        "a/inner": "lies inside",
        "deep": "lies inside",
        "a/new": "lies inside",
        "link/new": "lies inside",
        ".": "lies inside",
    }.items():
        with pytest.raises(UsageError, match=words):
            open_all(tmp_path / "a", tmp_path / other, terms=CREATE)
    assert len(open_all(tmp_path / "a", tmp_path / "b").opened) == 2
    assert not (tmp_path / "a" / "new").exists()
    assert no_run_wrote(tmp_path)


def test_of_nested_roots_none_is_made(engine: Threads, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="lies inside"):
        open_all(tmp_path / "new" / "inner", tmp_path / "new", terms=CREATE)
    assert list(tmp_path.iterdir()) == []


# opening


def test_all_are_looked_at_before_one_is_opened_for_writing(engine: Threads, tmp_path: Path) -> None:
    for name in "cab":
        tree(tmp_path / name, {})
    session = open_all(*(tmp_path / name for name in "cab"), terms=WRITE)
    hellos = [(number, request) for number, method, request in engine.log if method == "hello"]
    looks, enters = hellos[:3], hellos[3:]
    assert {number for number, _ in looks} == {0, 1, 2}
    assert {request.access for _, request in looks} == {Access.READ}
    # In the order of their roots, whatever the order in which they were named.
    assert [(number, request.access) for number, request in enters] == [(n, Access.WRITE) for n in (1, 2, 0)]
    assert [opened.root for opened in session.opened] == [os.fsencode((tmp_path / n).resolve()) for n in "cab"]


def test_a_session_that_reads_opens_once(engine: Threads, tmp_path: Path) -> None:
    for name in "ab":
        tree(tmp_path / name, {})
    open_all(tmp_path / "a", tmp_path / "b")
    assert [method for _, method in engine.methods] == ["hello", "hello"] + ["close"] * 2


def test_replicas_share_run_and_nonce_and_no_two_sessions_do(engine: Threads, tmp_path: Path) -> None:
    for name in "ab":
        tree(tmp_path / name, {})
    seen = []
    for _ in range(2):
        open_all(tmp_path / "a", tmp_path / "b")
        requests = [request for _, method, request in engine.log if method == "hello"]
        assert len({(request.run, request.nonce) for request in requests}) == 1
        seen.append(requests[0].nonce)
    assert seen[0] != seen[1]


def test_a_root_is_created_only_when_all_can_be_opened(engine: Threads, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(RootError, match="not a directory"):
        open_all(tmp_path / "new", tmp_path / "file", terms=CREATE)
    assert not (tmp_path / "new").exists()
    tree(tmp_path / "a", {})
    session = open_all(tmp_path / "new", tmp_path / "a", terms=CREATE)
    assert [opened.created for opened in session.opened] == [True, False]
    assert (tmp_path / "new").is_dir()


def test_a_missing_root_may_count_as_empty(engine: Threads, tmp_path: Path) -> None:
    tree(tmp_path / "a", {"f": "x"})
    session = open_all(tmp_path / "a", tmp_path / "new", terms=EMPTY)
    assert [opened.empty for opened in session.opened] == [False, True]
    assert not (tmp_path / "new").exists()


def test_a_bad_location_starts_nothing(engine: Threads, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        open_all(tmp_path, "")
    assert engine.replicas == []


def test_replicas_end_whatever_happens(engine: Threads, tmp_path: Path) -> None:
    for name in "ab":
        tree(tmp_path / name, {})
    request = Request(tuple(str(tmp_path / name) for name in "ab"))
    with pytest.raises(KeyError), open_session(request, [READ] * 2, Silent()):
        raise KeyError
    assert [replica.calls["close"] for replica in engine.replicas] == [1, 1]


# errors


def test_an_error_names_its_location_once(engine: Threads, tmp_path: Path) -> None:
    tree(tmp_path / "a", {})
    missing = tmp_path / "missing"
    with pytest.raises(RootError) as caught:
        open_all(tmp_path / "a", missing)
    assert caught.value.message == f"{missing}: no such directory"


@pytest.mark.parametrize("name", ["no", "n", "is"])
def test_a_location_that_an_error_happens_to_begin_with(
    engine: Threads, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    tree(tmp_path / "a", {})
    with pytest.raises(RootError) as caught:
        open_all("a", name)
    assert caught.value.message == f"{name}: no such directory"


def test_of_two_errors_that_of_the_first_replica_is_told(engine: Threads, tmp_path: Path) -> None:
    with pytest.raises(RootError) as caught:
        open_all(tmp_path / "x", tmp_path / "y")
    assert caught.value.message == f"{tmp_path / 'x'}: no such directory"


def test_an_error_keeps_its_kind_and_its_hint() -> None:
    def fail(request: object) -> None:
        raise LockedError("held by somebody", hint="wait")

    replicas = [Watched(MemoryReplica(MemoryTree())) for _ in range(2)]
    replicas[1].hooks["scan"] = fail
    with joined(*replicas) as session:
        with pytest.raises(LockedError) as caught:
            session.each(lambda _, replica: replica.scan(Scan()))
        assert (caught.value.message, caught.value.hint) == ("B: held by somebody", "wait")


def test_what_is_lost_for_a_moment_is_tried_again_whoever_lost_it() -> None:
    """What serves an agentless replica loses its host, and says so; the process itself is there."""

    def fail(request: object) -> None:
        raise UnreachableError("connection lost", transient=True)

    replicas = [Watched(MemoryReplica(MemoryTree())) for _ in range(2)]
    replicas[1].hooks["scan"] = fail
    with joined(*replicas) as session:
        with pytest.raises(UnreachableError) as caught:
            session.each(lambda _, replica: replica.scan(Scan()))
        assert (caught.value.message, str(caught.value)) == ("B: connection lost",) * 2
        assert caught.value.transient


def test_a_lost_replica_is_named_once() -> None:
    with joined(MemoryReplica(MemoryTree()), MemoryReplica(MemoryTree())) as session:
        session.replicas[1].close()
        with pytest.raises(UnreachableError) as caught:
            session.call(1, lambda _, replica: replica.scan(Scan()))
        assert caught.value.message == "B: the connection is closed"


def test_roots_are_locked_one_after_the_other(engine: Threads, tmp_path: Path) -> None:
    for name in "ab":
        tree(tmp_path / name, {".aefsync/x": ""})
    texts = [str(tmp_path / name) for name in "ab"]
    with open_session(Request(tuple(texts)), [WRITE] * 2, Silent()):
        with pytest.raises(LockedError, match="at work"):
            open_all(*reversed(texts), terms=WRITE)
        # Of the two, it is the first in order on which the second run stops, so that it holds none.
        writing = [number for number, method, request in engine.log if method == "hello" and request.access]
        assert writing == [1]
    open_all(*texts, terms=WRITE)


@pytest.mark.usefixtures("engine")
def test_a_root_on_which_another_run_began_since_it_was_looked_at(tmp_path: Path) -> None:
    root = tree(tmp_path / "a", {"f": "x"})
    with open_session(Request((str(root),)), [WRITE], Silent()) as session:
        (root / ".aefsync").mkdir()
        with pytest.raises(LockedError, match="just begun"):
            session.call(0, lambda _, replica: replica.stage([], None))


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize(("owner", "moment"), [(Lock, "take"), (Home, "identify")])
def test_of_two_runs_that_begin_at_the_same_moment_one_says_what_the_root_is_known_by(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: type, moment: str
) -> None:
    root = tree(tmp_path / "a", {"f": "x"})
    original, known = getattr(owner, moment), []

    def after_another(home: Home | Lock, text: str) -> None:
        monkeypatch.setattr(owner, moment, original)
        second = LocalReplica()
        try:
            with contextlib.suppress(LockedError):
                request = Open(os.fsencode(root), "second", bytes(32), Access.WRITE, Missing.REFUSE, b"")
                known.append(second.hello(request).identity)
            original(home, text)
        finally:
            second.close()

    with open_session(Request((str(root),)), [WRITE], Silent()) as session, contextlib.suppress(LockedError):
        monkeypatch.setattr(owner, moment, after_another)
        session.call(0, lambda _, replica: replica.stage([], None))
        known.append(session.call(0, session.opened_now).identity)
    assert known == [(root / ".aefsync" / "id").read_text().strip()]
    assert sorted(os.listdir(root / ".aefsync")) == [".gitignore", "id", "lock", "tmp", "trash"]


def test_a_root_that_another_run_is_at_work_on_is_waited_for(
    engine: Threads, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tree(tmp_path / "a", {".aefsync/": None})
    lock = os.open(root / ".aefsync" / "lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(lock, fcntl.LOCK_EX)
    os.write(lock, b"pid 1, run other")
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            fcntl.flock(lock, fcntl.LOCK_UN)

    monkeypatch.setattr(time, "sleep", pause)
    with open_session(Request((str(root),)), [WRITE], Silent(), lock_wait_s=60) as session:
        assert session.opened[0].seen_before
    assert pauses == [0.05, 0.1, 0.2]
    fcntl.flock(lock, fcntl.LOCK_EX)
    os.pwrite(lock, b"pid 1, run other", 0)
    with pytest.raises(LockedError, match="another run"):
        open_all(root, terms=WRITE)
    assert len(pauses) == 3
    os.close(lock)


# the session


def test_costs_are_what_travels_to_other_hosts() -> None:
    with joined(*(MemoryReplica(MemoryTree()) for _ in range(3))) as session:
        session.replicas[0].scan(Scan())
        assert (session.round_trips, session.sent_bytes, session.received_bytes) == (2, 0, 0)
        here, *there = session.locations
        far = session._replace(locations=(here, *(each._replace(login=Login("box")) for each in there)))
        assert far.sent_bytes == sum(replica.sent_bytes for replica in session.replicas[1:]) > 0
        assert far.received_bytes == sum(replica.received_bytes for replica in session.replicas[1:]) > 0


def test_each_gives_results_in_the_order_of_the_replicas() -> None:
    with joined(*(MemoryReplica(MemoryTree()) for _ in range(3))) as session:
        assert session.each(lambda number, _: number) == [0, 1, 2]


def test_questions_may_leave_out_replicas() -> None:
    replicas = [Watched(MemoryReplica(MemoryTree()), number) for number in range(2)]
    with joined(*replicas) as session:
        assert session.ask([None, None]) == [None, None]
    assert [replica.calls["fingerprints"] for replica in replicas] == [0, 0]


def test_what_is_asked_of_a_replica_is_checked_by_its_terms(tmp_path: Path) -> None:
    tree_ = MemoryTree()
    with joined(MemoryReplica(tree_), access=Access.READ) as session:
        with pytest.raises(AefsyncError, match="^A: .*reading"):
            session.call(0, lambda _, replica: replica.apply([]))
        assert isinstance(session.opened[0], Opened)
        assert Open(b"/", "", b"", Access.READ, Missing.REFUSE, b"").parallel == 1
