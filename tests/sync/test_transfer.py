"""Bytes on their way: directly or through the coordinator, in bounded requests, each file read once."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aefsync.core.action import StageFile
from aefsync.core.entry import UNKNOWN, Entry, Kind
from aefsync.core.metadata import PLAIN, Namespaces
from aefsync.core.path import RelPath
from aefsync.core.ports import Piece
from aefsync.core.problem import Problem
from aefsync.core.recipe import Run
from aefsync.core.silent import Silent
from aefsync.core.step import Pass, Transfer
from aefsync.core.view import View
from aefsync.disk import extras
from aefsync.disk.hashing import SMALL
from aefsync.sync import passes
from aefsync.sync import transfer as module
from aefsync.sync.deadline import Deadline
from aefsync.sync.decide import Decided, decide
from aefsync.sync.delta import Lacking, lacking
from aefsync.sync.events import Troubled
from aefsync.sync.repair import repair
from aefsync.sync.request import RepairRequest, Request
from aefsync.sync.session import Session
from aefsync.sync.survey import survey
from aefsync.sync.transfer import BYTES, FILES, PIECE, Transferred, _requests, batches, transfer
from aefsync.wire import codec
from aefsync.wire.login import Login
from tests.support.sites import SITES, Seen, Site
from tests.support.trees import needs_attributes, tree
from tests.sync.joined import Watched, joined, threads

REQUEST = RepairRequest(Request(("A", "B")))


class Bench:
    """Sites of one kind, and their replicas, each of which can copy from the others."""

    def __init__(self, kind: str, folder: Path) -> None:
        self._make: Callable[[str], Site] = lambda name: SITES[kind](folder / name)
        self.sites: list[Site] = []

    def add(self, *names: str) -> list[Site]:
        self.sites += [self._make(name) for name in names]
        return self.sites

    def replicas(self) -> list[Watched]:
        peers = dict(enumerate(self.sites))
        found = [Watched(site.replica(peers), number) for number, site in enumerate(self.sites)]
        for replica, site in zip(found, self.sites, strict=True):
            replica.root = site.root
        return found


@pytest.fixture(params=["memory", "disk"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def bench(kind: str, tmp_path: Path) -> Bench:
    return Bench(kind, tmp_path)


def decided(session: Session) -> Decided:
    return decide(session, survey(session, REQUEST.common, View.FULL), REQUEST)


def transfers(found: Decided) -> list[Transfer]:
    """All of a plan of one window, those of conflict copies first."""
    plan = found.window(0).plan
    return [*plan.early, *plan.transfers]


def carry(session: Session, found: Decided, *, direct: bool) -> Transferred:
    """Transfer and apply, without those that did not arrive."""
    if not direct:
        session = session._replace(locations=tuple(each._replace(login=Login("far")) for each in session.locations))
    done = transfer(session, transfers(found), Deadline())
    for step in Pass:
        for number, own in enumerate(found.window(0).plan.of(step)):
            session.replicas[number].apply([each for each in own if each.path not in done.failed[number]])
    session.each(lambda _, replica: replica.record())
    return done


def furnish(a: Site, b: Site) -> None:
    a.make_directory(b"d")
    b.make_directory(b"d")
    a.write_file(b"d/empty", b"")
    a.write_file(b"d/small", b"small", 0o600, -5)
    a.write_file(b"large", bytes(range(256)) * 20_000, mtime_ns=7)
    a.write_file(b"caf\xe9\n", b"odd")
    a.write_file(b"both", b"newer", mtime_ns=9)
    b.write_file(b"both", b"older!", mtime_ns=8)
    b.write_file(b"d/back", b"way back")
    a.write_file(b"clash", b"file against directory")
    b.make_directory(b"clash")
    b.write_file(b"clash/in", b"in")


def result(kind: str, folder: Path, *, direct: bool) -> tuple[list[dict[bytes, Seen]], Transferred, list[Watched]]:
    folder.mkdir()
    bench = Bench(kind, folder)
    furnish(*bench.add("a", "b"))
    replicas = bench.replicas()
    with joined(*replicas) as session:
        done = carry(session, decided(session), direct=direct)
    return [site.listing() for site in bench.sites], done, replicas


def test_a_relay_comes_to_the_same_as_copying_directly(kind: str, tmp_path: Path) -> None:
    directly, one, direct = result(kind, tmp_path / "direct", direct=True)
    relayed, other, relay = result(kind, tmp_path / "relay", direct=False)
    assert directly == relayed
    assert directly[0] == directly[1]
    assert one == other
    assert one.problems == ()
    assert one.failed == (frozenset(), frozenset())
    assert one.literal_bytes == sum(len(seen[3]) for path, seen in directly[0].items() if _travelled(path, seen))
    assert not any(replica.calls["read"] + replica.calls["write"] for replica in direct)
    assert all(replica.calls["read"] and replica.calls["write"] for replica in relay)


def _travelled(path: bytes, seen: Seen) -> bool:
    return seen[0] is Kind.FILE and path != b"clash"


@pytest.mark.parametrize("direct", [True, False])
def test_a_file_is_read_once(bench: Bench, monkeypatch: pytest.MonkeyPatch, direct: bool) -> None:
    monkeypatch.setattr("aefsync.disk.listing._EAGER", 0)
    monkeypatch.setattr("aefsync.disk.replica.FEW_FILES", 0)
    a, b = bench.add("a", "b")
    for number in range(5):
        # Too large to be read along with the listing.
        a.write_file(b"%d" % number, b"%d" % number * (SMALL + 1))
        b.write_file(b"b%d" % number, b"%d" % number * (SMALL + 2))
    replicas = bench.replicas()
    with joined(*replicas) as session:
        carry(session, decided(session), direct=direct)
        assert [replica.files_read for replica in replicas] == [0, 0]
        # What the receivers hashed was told to the origins: nothing is left to be read.
        assert [replica.calls["learn"] for replica in replicas] == [1, 1]
        again = session.each(lambda _, replica: replica.record())
        assert [scanned.unread_files for scanned in again] == [0, 0]
        assert again[0].root == again[1].root != b""


@pytest.mark.parametrize("direct", [True, False])
def test_an_origin_is_taught_in_order(bench: Bench, monkeypatch: pytest.MonkeyPatch, direct: bool) -> None:
    """A file that is replaced, of which parts may be there, comes before those that are new and before it in order."""
    monkeypatch.setattr("aefsync.disk.listing._EAGER", 0)
    monkeypatch.setattr("aefsync.disk.replica.FEW_FILES", 0)
    a, b = bench.add("a", "b")
    for site in (a, b):
        site.make_directory(b"d")
    a.write_file(b"d/new", b"n" * (SMALL + 1))
    a.write_file(b"d/replaced", b"newer" * SMALL, mtime_ns=9)
    b.write_file(b"d/replaced", b"older" + b"x" * SMALL, mtime_ns=8)
    replicas = bench.replicas()
    with joined(*replicas) as session:
        assert carry(session, decided(session), direct=direct).failed == (frozenset(), frozenset())
        again = session.each(lambda _, replica: replica.record())
    assert [replica.files_read for replica in replicas] == [0, 0]
    assert replicas[0].calls["learn"] > 0
    assert again[0].root == again[1].root != b""


def test_what_is_known_is_not_taught(bench: Bench) -> None:
    a, _ = bench.add("a", "b")
    a.write_file(b"f", b"x")
    replicas = bench.replicas()
    with joined(*replicas) as session:
        survey(session, REQUEST.common, View.FULL)
        session.replicas[0].read_unread((), None)
        (known,) = session.fetch(0, [(0, 1)])
        done = transfer(session, [Transfer(0, 1, StageFile(known, known.path))], Deadline())
    assert done == Transferred((frozenset(), frozenset()), (), 1)
    assert replicas[0].calls["learn"] == 0


@pytest.mark.parametrize("direct", [True, False])
def test_a_file_that_fails_is_reported_once_and_left_out(bench: Bench, direct: bool) -> None:
    a, *_ = bench.add("a", "b", "c")
    a.write_file(b"changing", b"before")
    a.write_file(b"steady", b"x")
    replicas = bench.replicas()
    with joined(*replicas) as session:
        found = decided(session)
        a.write_file(b"changing", b"after", mtime_ns=99)
        done = carry(session, found, direct=direct)
    assert [(number, problem.path) for number, problem in done.problems] == [(0, b"changing")]
    assert done.failed == (frozenset(), {b"changing"}, {b"changing"})
    assert done.literal_bytes == 2
    asked = [
        action.path for replica in replicas for _, name, actions in replica.log if name == "apply" for action in actions
    ]
    assert asked == [b"steady", b"steady"]
    assert [sorted(site.listing()) for site in bench.sites[1:]] == [[b"steady"], [b"steady"]]


def test_a_file_that_shrank_on_its_way_is_refused(bench: Bench) -> None:
    a, _ = bench.add("a", "b")
    a.write_file(b"f", b"x" * 100)
    with joined(*bench.replicas()) as session:
        found = decided(session)
        a.write_file(b"f", b"x")
        done = carry(session, found, direct=False)
    assert [problem.path for _, problem in done.problems] == [b"f"]
    assert bench.sites[1].listing() == {}


def test_problems_of_several_receivers_are_told_apart_by_reason(bench: Bench) -> None:
    a, *_ = bench.add("a", "b", "c")
    a.write_file(b"f", b"x")
    replicas = bench.replicas()
    stage = replicas[2].stage
    full = (Problem(b"f", "disk full"),)
    replicas[2].stage = lambda files, peer: stage(files, peer)._replace(contents=(b"",), problems=full)
    with joined(*replicas) as session:
        done = transfer(session, transfers(decided(session)), Deadline())
    assert done.failed == (frozenset(), frozenset(), {b"f"})
    assert done.problems == ((0, full[0]),)


# requests


def files(*sizes: int) -> list[StageFile]:
    found = []
    for number, size in enumerate(sizes):
        path = RelPath(b"%d" % number)
        found.append(StageFile(Entry(path, Kind.FILE, 0o644, size, 0, 0, 0, UNKNOWN), path))
    return found


SIZES = st.lists(st.sampled_from([0, 1, PIECE, BYTES // 2, BYTES, BYTES + 1, 3 * BYTES]), max_size=30)


@given(SIZES)
def test_requests_are_bounded_and_hold_everything_in_order(sizes: list[int]) -> None:
    wanted = files(*sizes)
    found = list(batches(wanted))
    assert [file for batch in found for file in batch] == wanted
    for batch in found:
        assert batch
        assert len(batch) == 1 or sum(file.source.size for file in batch) <= BYTES


def test_requests_are_as_full_as_they_may_be() -> None:
    assert [len(batch) for batch in batches(files(*[1] * (2 * FILES + 1)))] == [FILES, FILES, 1]
    assert [len(batch) for batch in batches(files(BYTES // 2, BYTES // 2, 1))] == [2, 1]
    assert list(batches([])) == []


@given(st.lists(st.sampled_from([0, 1, 100, PIECE - 1, PIECE, PIECE + 1, 5 * PIECE]), max_size=12))
def test_pieces_cover_every_file_once(sizes: list[int]) -> None:
    wanted = files(*sizes)
    requests = list(_requests(wanted, {each.path: [Run(each.path, 0, each.source.size)] for each in wanted}))
    assert all(sum(piece.length for piece, _ in request) <= 4 * PIECE for request in requests)
    covered: dict[bytes, int] = {}
    for piece, path in (pair for request in requests for pair in request):
        assert piece.offset == covered.get(path, 0)
        assert 0 < piece.length <= PIECE
        covered[path] = piece.offset + piece.length
    assert covered == {b"%d" % number: size for number, size in enumerate(sizes) if size}


def test_a_relay_brings_what_the_receiver_lacks(bench: Bench) -> None:
    """Both sites of a kind cut alike; a new file travels whole, an edited one in part."""
    noise = random.Random(8).randbytes(600_000)
    a, b = bench.add("a", "b")
    b.write_file(b"log", noise[:500_000], mtime_ns=1)
    a.write_file(b"log", noise[:250_000] + b"edit" + noise[250_004:], mtime_ns=2)
    a.write_file(b"new", noise, mtime_ns=2)
    replicas = bench.replicas()
    with joined(*replicas) as session:
        done = carry(session, decided(session), direct=False)
    assert a.listing() == b.listing()
    assert done.literal_bytes + done.reused_bytes == 1_200_000
    assert done.reused_bytes > 450_000
    assert {run.path for runs in _asked(replicas[0], "recipes") for run in runs} == {b"log"}


def test_what_does_not_fit_together_travels_again_as_a_whole(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if two chunks had one digest: the receiver believes to have what it has not."""
    noise = random.Random(8).randbytes(60_000)
    a, b = bench.add("a", "b")
    for name in (b"log", b"other"):
        b.write_file(name, noise, mtime_ns=1)
        a.write_file(name, noise[:30_000] + b"edit" + noise[30_000:], mtime_ns=2)
    replicas = bench.replicas()
    monkeypatch.setattr(module, "lacking", lambda *given: _overlooking(lacking(*given)))
    with joined(*replicas) as session:
        done = carry(session, decided(session), direct=False)
    assert a.listing() == b.listing()
    assert done.problems == ()
    assert done.failed == (frozenset(), frozenset())
    assert done.literal_bytes > 60_000 > done.reused_bytes > 50_000
    staged = [[bytes(file.path) for file in files] for _, name, files in replicas[1].log if name == "stage"]
    assert staged == [[b"log", b"other"], [b"log"]]


def _overlooking(found: Lacking) -> Lacking:
    """All that is lacking but the first run of a file."""
    return found._replace(runs=found.runs[1:])


def test_an_interrupted_run_is_continued(tmp_path: Path) -> None:
    """What had arrived in staging need not travel again, also of a file that the receiver never had."""
    noise = random.Random(9).randbytes(3_000_000)
    bench = Bench("disk", tmp_path)
    a, b = bench.add("a", "b")
    a.write_file(b"new", noise)
    with joined(*bench.replicas()) as session:
        found = decided(session)
        entry = transfers(found)[0].file.source
        pieces = session.replicas[0].read([Piece(entry.path, 0, 2_000_000)])
        session.replicas[1].write(pieces)
    with joined(*bench.replicas()) as session:
        done = carry(session, decided(session), direct=False)
    assert a.listing() == b.listing()
    assert done.literal_bytes + done.reused_bytes == len(noise)
    assert done.reused_bytes > 1_900_000


def _asked(replica: Watched, method: str) -> list[Any]:
    return [argument for _, name, argument in replica.log if name == method]


def test_many_files_take_several_requests(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FILES", 3)
    a, b = bench.add("a", "b")
    for number in range(7):
        a.write_file(b"%d" % number, b"%d" % number)
    replicas = bench.replicas()
    with joined(*replicas) as session:
        carry(session, decided(session), direct=True)
    assert [len(staged) for _, name, staged in replicas[1].log if name == "stage"] == [3, 3, 1]
    assert a.listing() == b.listing()


@pytest.mark.parametrize("is_new", [True, False])
def test_messages_are_cut_by_what_attributes_weigh(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_new: bool
) -> None:
    needs_attributes(tmp_path)
    a, b = (str(tmp_path / name) for name in "ab")
    tree(tmp_path / "a", {f"d/{number:02}": str(number) for number in range(40)})
    request = RepairRequest(Request((a, b), aspects=PLAIN._replace(xattrs=Namespaces.USER)))
    with threads():
        if not is_new:
            list(repair(request, Silent()))
        for number in range(40):
            os.setxattr(tmp_path / f"a/d/{number:02}", "user.a", b"%04d" % number * 500)
        for part, name in ((extras, "_MOST"), (module, "WEIGHT"), (passes, "WEIGHT")):
            monkeypatch.setattr(part, name, 20_000)
        monkeypatch.setattr(codec, "MAX_FRAME", 40_000)
        assert [event.problem for event in repair(request, Silent()) if isinstance(event, Troubled)] == []
    found = [os.getxattr(tmp_path / f"b/d/{number:02}", "user.a") for number in range(40)]
    assert found == [b"%04d" % number * 500 for number in range(40)]


def test_what_the_time_does_not_allow_for_counts_as_failed(bench: Bench) -> None:
    a, _ = bench.add("a", "b")
    for number in range(3):
        a.write_file(b"%d" % number, b"x")
    late = Deadline(0)
    with joined(*bench.replicas()) as session:
        done = transfer(session, transfers(decided(session)), late)
    assert done.failed[1] == {b"0", b"1", b"2"}
    assert (done.problems, done.literal_bytes, late.late) == ((), 0, True)
