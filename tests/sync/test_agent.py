"""The process that serves a replica: roots handed from peer to peer, pins, and protocol alone on standard output."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from aefsync.core.members import Memory
from aefsync.core.past import TrashItem, Undo
from aefsync.core.path import RelPath
from aefsync.core.ports import Access, Missing, Open, Scan
from aefsync.core.space import Share
from aefsync.core.writing import Writing
from aefsync.errors import AefsyncError, RootError, UnreachableError
from aefsync.sync.agent import Peers, Pin, PinnedReplica
from aefsync.sync.places import cache_dir
from aefsync.wire.codec import Connection, Role
from aefsync.wire.remote import RemoteReplica
from aefsync.wire.stream import PipeStream
from tests.support.trees import survey, tree
from tests.sync.joined import NONCE

REPO = Path(__file__).parents[2]
ITEM = TrashItem("20200101T000000Z-0000", "deleted", RelPath(b"f"), is_directory=False, size=1)


def ask(
    root: Path, access: Access = Access.READ, missing: Missing = Missing.REFUSE, cache: bytes = b"", text: str = ""
) -> Open:
    return Open(os.fsencode(root) + text.encode(), "run", NONCE, access, missing, cache)


# Peers


@pytest.fixture
def peers() -> Iterator[tuple[Peers, Peers]]:
    one, other = socket.socketpair()
    with one, other:
        yield Peers({1: one}), Peers({0: other})


def test_a_root_is_handed_over_once(peers: tuple[Peers, Peers], tmp_path: Path) -> None:
    fd = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    peers[0].show(fd)
    os.close(fd)
    received = peers[1].root(0)
    try:
        assert os.path.samestat(os.fstat(received), os.stat(tmp_path))
        assert peers[1].root(0) == received
    finally:
        os.close(received)


def test_a_replica_that_is_no_peer_is_unreachable(peers: tuple[Peers, Peers]) -> None:
    with pytest.raises(UnreachableError, match="no replica 7"):
        peers[0].root(7)


def test_a_peer_that_ended_is_unreachable(tmp_path: Path) -> None:
    one, other = socket.socketpair()
    other.close()
    with one:
        left = Peers({1: one})
        fd = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
        left.show(fd)
        os.close(fd)
        with pytest.raises(UnreachableError, match="replica 1 is gone"):
            left.root(1)


# pins


@pytest.fixture
def pinned(tmp_path: Path) -> Iterator[PinnedReplica]:
    tree(tmp_path / "pin", {"below/f": "x", "g": "y"})
    tree(tmp_path / "pinned-not", {"f": "x"})
    (tmp_path / "pin" / "out").symlink_to(tmp_path / "pinned-not")
    (tmp_path / "in").symlink_to(tmp_path / "pin" / "below")
    (tmp_path / "also").symlink_to(tmp_path / "pin")
    replica = PinnedReplica(Pin(os.fsencode(tmp_path / "also")))
    yield replica
    replica.close()


@pytest.mark.parametrize("text", ["/pinned-not", "/pin/out", "/pin/..", "", "/pin/below/../..", "/pin/out/new", "/new"])
@pytest.mark.parametrize("missing", [Missing.REFUSE, Missing.CREATE])
def test_nothing_outside_the_pin_is_opened(pinned: PinnedReplica, tmp_path: Path, text: str, missing: Missing) -> None:
    before = sorted(os.walk(tmp_path))
    with pytest.raises(RootError, match="pinned to"):
        pinned.hello(ask(tmp_path, Access.WRITE, missing, text=text))
    assert sorted(os.walk(tmp_path)) == before


@pytest.mark.parametrize("text", ["/pin", "/pin/", "/pin/below", "/in", "/also/below", "/pinned-not/../pin"])
def test_the_pin_and_what_is_beneath_are_opened(pinned: PinnedReplica, tmp_path: Path, text: str) -> None:
    opened = pinned.hello(ask(tmp_path, Access.WRITE, text=text))
    assert opened.root == os.path.realpath(os.fsencode(tmp_path) + text.encode())


def test_the_whole_machine_as_a_pin(tmp_path: Path) -> None:
    replica = PinnedReplica(Pin(b"/"))
    assert replica.hello(ask(tmp_path)).root == os.path.realpath(os.fsencode(tmp_path))
    replica.close()


def test_a_read_only_agent_says_so_and_lets_nothing_be_changed(tmp_path: Path) -> None:
    tree(tmp_path / "B", {"f": "x", ".aefsync/trash/20200101T000000Z-0000/deleted/f": "y"})
    before = survey(tmp_path)
    missing = PinnedReplica(Pin(read_only=True))
    opened = missing.hello(ask(tmp_path / "new", Access.WRITE, Missing.CREATE))
    assert (opened.read_only, opened.empty, opened.created) == (True, True, False)
    missing.close()
    replica = PinnedReplica(Pin(read_only=True))
    assert replica.hello(ask(tmp_path / "B", Access.WRITE)).read_only
    replica.scan(Scan())
    for change in (
        lambda: replica.restore([ITEM]),
        lambda: replica.purge([ITEM.run]),
        lambda: replica.undo(Undo("x")),
        replica.mint,
        lambda: replica.remember(Memory(())),
    ):
        with pytest.raises(RootError, match="this agent is read-only"):
            change()
    with pytest.raises(AefsyncError, match="opened for reading"):
        replica.apply([])
    replica.close()
    assert survey(tmp_path) == before
    assert not (tmp_path / "new").exists()


def test_an_append_only_agent_lets_nothing_leave_the_trash(tmp_path: Path) -> None:
    tree(tmp_path / "B", {".aefsync/trash/20200101T000000Z-0000/deleted/f": "y"})
    replica = PinnedReplica(Pin(append_only=True))
    harsh = Writing(keeps_trash=False, trash_keep_s=0, trash_max=Share(0, is_percentage=False))
    assert replica.hello(ask(tmp_path / "B", Access.WRITE)._replace(writing=harsh)).append_only
    assert replica._request.writing == harsh.keeping_all()
    assert harsh.keeping_all().keeps_trash
    with pytest.raises(RootError, match="append-only: nothing leaves its trash"):
        replica.purge([ITEM.run])
    with pytest.raises(RootError, match="append-only: nothing is undone here"):
        replica.undo(Undo(ITEM.run))
    assert replica.restore([ITEM]).done == (True,)
    replica.close()


@pytest.mark.parametrize("asked", [b".", b"", b"./", b"below", b"below/../below"])
def test_what_is_not_absolute_is_below_the_pin(pinned: PinnedReplica, tmp_path: Path, asked: bytes) -> None:
    opened = pinned.hello(ask(tmp_path)._replace(root=asked))
    inside = b"/below" if b"below" in asked else b""
    assert opened.root == os.path.realpath(os.fsencode(tmp_path / "pin")) + inside


def test_what_is_not_absolute_does_not_lead_out_of_the_pin(pinned: PinnedReplica, tmp_path: Path) -> None:
    for asked in (b"..", b"out", b"below/../../pinned-not", b"../pin-not"):
        with pytest.raises(RootError, match="pinned to"):
            pinned.hello(ask(tmp_path)._replace(root=asked))


def test_a_pinned_agent_copies_nothing_out_of_its_root(pinned: PinnedReplica, tmp_path: Path) -> None:
    pinned.hello(ask(tmp_path / "pin", Access.WRITE))
    with pytest.raises(RootError, match="copies nothing out"):
        pinned.restore([ITEM], os.fsencode(tmp_path / "pinned-not"))
    # Within the root that is another matter: there is just nothing of that name.
    assert pinned.restore([ITEM]).done == (False,)


def test_a_cache_that_a_peer_names_is_ignored(pinned: PinnedReplica, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    pinned.hello(ask(tmp_path / "pin", cache=os.fsencode(elsewhere)))
    pinned.scan(Scan())
    pinned.read_unread((), None)
    pinned.close()
    assert not elsewhere.exists()
    assert os.path.isdir(cache_dir(os.environ))


# standard input and output


def agent(*words: str, code: str | None = None) -> subprocess.Popen[bytes]:
    start = ["-m", "aefsync", "agent", *words] if code is None else ["-c", code]
    pipe = subprocess.PIPE
    environment = {**os.environ, "PYTHONPATH": str(REPO)}
    return subprocess.Popen([sys.executable, *start], stdin=pipe, stdout=pipe, stderr=pipe, env=environment)


def connect(process: subprocess.Popen[bytes]) -> RemoteReplica:
    assert process.stdin is not None
    assert process.stdout is not None
    return RemoteReplica(PipeStream(os.dup(process.stdout.fileno()), os.dup(process.stdin.fileno())), label="far")


def test_an_agent_speaks_over_its_standard_streams(tmp_path: Path) -> None:
    tree(tmp_path / "pin", {"f": "x"})
    with agent("--root", str(tmp_path / "pin")) as process:
        replica = connect(process)
        with pytest.raises(RootError, match="pinned to"):
            replica.hello(ask(tmp_path))
        replica.hello(ask(tmp_path / "pin"))
        assert replica.scan(Scan()).entries == 1
        replica.close()
        rest, errors = process.communicate()
    assert (process.returncode, rest, errors) == (0, b"", b"")


def test_an_agent_ends_when_its_input_does() -> None:
    with agent() as process:
        output, errors = process.communicate(b"")
    assert (process.returncode, output, errors) == (0, Connection(Role.SERVER, compress=True).greet(), b"")


PRINTING = """
import os
from aefsync.sync import agent
class Printing(agent.PinnedReplica):
    def scan(self, request):
        print("by accident", flush=True)
        os.write(1, b"below python")
        return super().scan(request)
agent.PinnedReplica = Printing
agent.serve_stdio(agent.Pin())
"""


def test_what_is_printed_by_accident_is_no_part_of_the_protocol(tmp_path: Path) -> None:
    with agent(code=PRINTING) as process:
        replica = connect(process)
        replica.hello(ask(tmp_path))
        assert replica.scan(Scan()).entries == 0
        replica.close()
        rest, errors = process.communicate()
    assert (process.returncode, rest) == (0, b"")
    assert b"by accident" in errors
    assert b"below python" in errors


def test_what_may_be_meant_in_place_of_a_root_that_is_made_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    place = tmp_path / "p"
    for is_at_home in (False, True):
        if is_at_home:
            tree(tmp_path / "home" / str(place)[1:], {})
        replica = PinnedReplica(Pin())
        opened = replica.hello(ask(place, Access.WRITE, Missing.CREATE))
        replica.close()
        assert opened.created
        assert opened.instead == (f"there is a ~{place}: what begins without / is below the home" if is_at_home else "")
        shutil.rmtree(place)
