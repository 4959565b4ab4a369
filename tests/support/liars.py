"""Sessions with somebody who lies: A on this machine, B on another host, and what must hold whatever either is told.

What a liar does follows from a seed, so that any session can be had again: `seed` of a `Trial` says all.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from aefsync.core.identity import Allowed
from aefsync.core.policy import Policies, parse_globs
from aefsync.core.silent import Silent
from aefsync.errors import AefsyncError
from aefsync.sync.agent import Pin, PinnedReplica
from aefsync.sync.diff import diff
from aefsync.sync.events import Event, Notice, Summary, Troubled
from aefsync.sync.gossip import gossip
from aefsync.sync.hooks import Hooks
from aefsync.sync.members import add_member
from aefsync.sync.repair import repair
from aefsync.sync.request import DiffRequest, GossipRequest, RepairRequest, Request
from aefsync.sync.scrub import ScrubRequest, scrub
from aefsync.sync.surroundings import Surroundings
from aefsync.wire.login import Link, Login
from aefsync.wire.serve import serve
from aefsync.wire.stream import SocketStream, Stream
from tests.support.lies import Liar, LyingStream
from tests.support.trees import tree, write
from tests.sync.joined import threads

LONGEST_S = 60
"""A session that takes longer goes on for ever."""
NOISE = random.Random(11).randbytes(90_000)
HERE = {
    "both": NOISE, "d/f1": "one", "d/f2": "two", "e/new here": "x" * 3000, "gone/a": "1", "same/s": "s", "odd": "here",
    "moved": "m" * 5000, "many/0": "0",
}  # fmt: skip
THERE = {
    "both": NOISE[:50_000] + b"other" + NOISE[50_005:], "d/f1": "ONE", "d/f2": "two", "f/new there": b"y" * 70_000,
    "same/s": "s", "odd/below": "there", "away/moved": "m" * 5000, "many/0": "0",
}  # fmt: skip
CANARY = {"keep": "secret outside", "d/keep": "secret outside", "d/f1": "secret outside"}


class Ground:
    """A, B, and what nobody may touch; `prepared` have met before, and been edited since."""

    def __init__(self, folder: Path, *, prepared: bool = False) -> None:
        self.folder = folder
        self.a, self.b = tree(folder / "A", HERE), tree(folder / "B", THERE, mtime_ns=1_500_000_000_000_000_000)
        self.outside = tree(folder / "outside", CANARY)
        self.state = folder / "state"
        if prepared:
            self._have_met()
        for root in (self.a, self.b):
            (root / "link").symlink_to("../outside")
        self.known = {data for root in (self.a, self.b) for data in contents(root).values()}
        self.own = set(contents(self.a).values()), set(contents(self.b).values())
        for place in (self.outside, *self.outside.rglob("*")):
            os.utime(place, (0, os.lstat(place).st_mtime))
        self._canary = self._outside()

    def _have_met(self) -> None:
        request = self.request("box:" + str(self.b))
        with contextlib.ExitStack() as stack:
            stack.enter_context(threads())
            stack.enter_context(far())
            list(repair(self.repairing(request, versions=True), Silent()))
            list(add_member(request._replace(locations=(str(self.a),)), "B", "box:" + str(self.b), Silent()))
        write(self.a / "d/f1", b"edited at A")
        write(self.b / "d/f1", b"edited at B")
        write(self.b / "fresh", b"fresh at B" * 500)
        (self.a / "d/f2").unlink()
        (self.b / "many/0").unlink()

    def request(self, *others: str) -> Request:
        return Request(
            (str(self.a), *others),
            state_dir=str(self.state),
            cache_dir=str(self.folder / "cache"),
            link=Link(retries=0),
            allowed=Allowed(empty_root=True),
        )

    def repairing(self, request: Request, *, versions: bool, mirror: bool = False) -> RepairRequest:
        policies = Policies() if versions else None
        return RepairRequest(request, mirror=mirror, policies=policies, allow_unrelated_roots=True)

    def _outside(self) -> list[tuple[object, ...]]:
        """The canary, and when it was last looked into; and what stands beside it."""
        places = sorted((self.outside, *self.outside.rglob("*")))
        return [(place, os.lstat(place).st_atime_ns, os.lstat(place).st_mtime_ns) for place in places]

    def check_outside(self) -> None:
        assert self._outside() == self._canary
        assert {each.name for each in self.folder.iterdir()} <= {"A", "B", "outside", "state", "cache"}
        assert not any(b"secret outside" in data for root in (self.a, self.b) for data in contents(root).values())

    def check_nothing_lost(self, number: int) -> None:
        """What stood in a tree is in it, or in its trash, or was never written over."""
        root = (self.a, self.b)[number]
        assert self.own[number] <= set(contents(root, trash=True).values())

    def check_whole(self, root: Path) -> None:
        """Nothing but whole files that somebody had is in a tree."""
        assert set(contents(root).values()) <= self.known | {b""}


def contents(root: Path, *, trash: bool = False) -> dict[Path, bytes]:
    """What the files below a root hold."""
    found = {}
    for directory, directories, names in os.walk(root):
        if not trash:
            directories[:] = [name for name in directories if name != ".aefsync"]
        for place in (Path(directory) / name for name in names):
            if place.is_file() and not place.is_symlink():
                found[place] = place.read_bytes()
    return found


@contextlib.contextmanager
def far(
    answers: Liar | None = None,
    calls: Liar | None = None,
    pin: Pin = Pin(),  # noqa: B008  a value
) -> Iterator[None]:
    """While the context lasts every host has an agent in a thread; either side may be a liar."""
    begun: list[threading.Thread] = []

    def dial(login: Login, link: Link, heard: Callable[[str], None], command: str = "") -> Stream:
        here, there = socket.socketpair()
        stream = SocketStream(there) if answers is None else LyingStream(there, answers)
        begun.append(threading.Thread(target=serve, args=(PinnedReplica(pin), stream), daemon=True))
        begun[-1].start()
        return SocketStream(here) if calls is None else LyingStream(here, calls)

    with pytest.MonkeyPatch.context() as patch:
        for module in ("connecting", "session"):
            patch.setattr(f"aefsync.sync.{module}.dial", dial)
        yield
    for thread in begun:
        thread.join(LONGEST_S)
        assert not thread.is_alive()


@contextlib.contextmanager
def in_time(seconds: int = LONGEST_S) -> Iterator[None]:
    """Have what takes longer end with an exception."""

    def late(number: int, frame: object) -> None:
        raise TimeoutError("it goes on for ever")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


class Ended(NamedTuple):
    """How a session came to its end."""

    code: int
    said: tuple[str, ...] = ()
    trace: str = ""


def ended(work: Callable[[], Iterator[Event]]) -> Ended:
    said: list[str] = []
    code = -1
    try:
        with in_time():
            for event in work():
                if isinstance(event, Troubled):
                    said.append(event.problem.reason)
                elif isinstance(event, Notice):
                    said.append(event.text)
                elif isinstance(event, Summary):
                    code = event.exit_code
    except AefsyncError as error:
        return Ended(error.exit_code, (*said, error.message))
    except Exception:  # noqa: BLE001  whatever it is
        return Ended(code, tuple(said), traceback.format_exc())
    return Ended(code, tuple(said))


def _diff(ground: Ground, there: str) -> Iterator[Event]:
    return diff(DiffRequest(ground.request(there), chunks=True), Silent())


def _lww(ground: Ground, there: str) -> Iterator[Event]:
    return repair(ground.repairing(ground.request(there), versions=False), Silent())


def _mirror(ground: Ground, there: str) -> Iterator[Event]:
    request = ground.request(there)
    return repair(
        ground.repairing(request._replace(locations=request.locations[::-1]), versions=False, mirror=True), Silent()
    )


def _versions(ground: Ground, there: str) -> Iterator[Event]:
    return repair(ground.repairing(ground.request(there), versions=True), Silent())


def _gossip(ground: Ground, there: str) -> Iterator[Event]:
    asked = GossipRequest(ground.repairing(ground.request(), versions=True))
    return gossip(asked, Silent(), Hooks(), None, Surroundings(chance=lambda: 0.0))


def _scrub(ground: Ground, there: str) -> Iterator[Event]:
    place = ground.a / "both"
    before = os.lstat(place)
    damaged = bytearray(place.read_bytes())
    damaged[70_000] ^= 1
    place.write_bytes(damaged)
    os.utime(place, ns=(before.st_atime_ns, before.st_mtime_ns))
    ground.known.add(bytes(damaged))
    ground.own[0].discard(NOISE)
    ground.own[0].add(bytes(damaged))
    return scrub(ScrubRequest(ground.request(), (there,), mended=parse_globs(["**"])), Silent())


class Session(NamedTuple):
    """What is asked of a pair; `prepared`: it has met before."""

    ask: Callable[[Ground, str], Iterator[Event]]
    prepared: bool


SESSIONS = {
    "diff": Session(_diff, prepared=False),
    "lww": Session(_lww, prepared=False),
    "mirror": Session(_mirror, prepared=False),
    "first": Session(_versions, prepared=False),
    "versions": Session(_versions, prepared=True),
    "gossip": Session(_gossip, prepared=True),
    "scrub": Session(_scrub, prepared=True),
}
MESSAGES = {
    "diff": (6, 4),
    "lww": (20, 17),
    "mirror": (11, 9),
    "first": (22, 19),
    "versions": (13, 11),
    "gossip": (13, 11),
    "scrub": (8, 6),
}
"""How many messages the agent and the coordinator send, about."""


class Trial(NamedTuple):
    """What one lie came to."""

    ground: Ground
    told: str
    ended: Ended


def lied_by_agent(folder: Path, session: str, seed: int) -> Trial:
    """A session in which B, on the other host, lies to the coordinator and so to A."""
    asked = SESSIONS[session]
    ground = Ground(folder, prepared=asked.prepared)
    liar = Liar(seed, seed % MESSAGES[session][0])
    with threads(), far(answers=liar):
        end = ended(lambda: asked.ask(ground, f"box:{ground.b}"))
    return Trial(ground, liar.told, end)


def lied_by_coordinator(folder: Path, session: str, seed: int, pin: Pin) -> Trial:
    """A session in which the coordinator lies to the agent that serves B."""
    asked = SESSIONS[session]
    ground = Ground(folder, prepared=asked.prepared)
    liar = Liar(seed, seed % MESSAGES[session][1])
    with threads(), far(calls=liar, pin=pin):
        end = ended(lambda: asked.ask(ground, f"box:{ground.b}"))
    return Trial(ground, liar.told, end)


def check(trial: Trial) -> None:
    """What holds whatever was lied about: an end in one line or a result, everything outside as it was, and in the trees
    nothing lost and nothing half."""
    ground, told, end = trial
    assert not end.trace, f"{told}: {end.trace}"
    assert end.code in range(9), (told, end)
    assert not any("internal error" in text for text in end.said), (told, end)
    ground.check_outside()
    for number, root in enumerate((ground.a, ground.b)):
        ground.check_whole(root)
        ground.check_nothing_lost(number)
