"""The agent: the process that serves one replica, as a child over a socket or as `aefsync agent` over stdio."""

from __future__ import annotations

import contextlib
import os
import select
import socket
from collections.abc import Sequence
from typing import NoReturn

from aefsync.core.action import Applied
from aefsync.core.members import Memory
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.past import TakenBack, TrashItem, Undo
from aefsync.core.ports import Access, Missing, Open, Opened
from aefsync.core.unsettled import LeftStanding
from aefsync.core.version import Dot
from aefsync.disk.replica import LocalReplica
from aefsync.errors import RootError, UnreachableError
from aefsync.sync.places import cache_dir, state_dir
from aefsync.wire.serve import serve
from aefsync.wire.stream import PipeStream, SocketStream

PULSE_S = 2.0
"""How often an agent says that it is alive: far more often than the shortest silence that a user may set."""


class Peers:
    """The sockets to the other replicas of one coordinator: each sends its root's descriptor to all the others."""

    def __init__(self, sockets: dict[int, socket.socket]) -> None:
        self._sockets = sockets
        self._roots: dict[int, int] = {}

    def show(self, root_fd: int) -> None:
        """Hand this replica's root to the others; -1: it was let go, and so are theirs."""
        if root_fd < 0:
            self._forget()
            return
        for peer in self._sockets.values():
            with contextlib.suppress(OSError):
                socket.send_fds(peer, [b"r"], [root_fd])

    def root(self, number: int) -> int:
        """The root of another replica, read only in use."""
        if number not in self._roots:
            peer = self._sockets.get(number)
            if peer is None:
                raise UnreachableError(f"no replica {number} on this machine")
            _, received, _, _ = socket.recv_fds(peer, 1, 1)
            if not received:
                raise UnreachableError(f"replica {number} is gone")
            self._roots[number] = received[0]
        return self._roots[number]

    def _forget(self) -> None:
        """Let go of the others' roots, also of those that nobody has asked for."""
        roots = list(self._roots.values())
        self._roots.clear()
        for peer in self._sockets.values():
            with contextlib.suppress(OSError):
                # (`recv_fds` of Python 3.11 takes flags, and ignores them.)
                while select.select([peer], [], [], 0)[0] and (received := socket.recv_fds(peer, 1, 1)[1]):
                    roots += received
        for fd in roots:
            os.close(fd)


def serve_child(stream: socket.socket, peers: dict[int, socket.socket]) -> NoReturn:
    """Serve a replica to a coordinator of this machine, and end."""
    shared = Peers(peers)
    replica = LocalReplica(peer_root=shared.root, on_root=shared.show)
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        serve(replica, SocketStream(stream))
    # Everything is closed; taking a large heap apart object by object would only keep the coordinator waiting.
    os._exit(0)


class Pin(NamedTuple):
    """What an agent was started for; a peer cannot ask for more.

    `root` is the one directory that is served, with what is beneath (`None`: any).  `read_only` lets nothing be
    changed.  With `append_only` what is replaced or deleted goes to the trash and stays there.
    """

    root: bytes | None = None
    read_only: bool = False
    append_only: bool = False


class PinnedReplica(LocalReplica):
    """A replica that keeps to its pin.

    What a peer names without a leading `/` is below the pinned root, or where there is none below the home of the
    login, in which an agent is started.
    """

    def __init__(self, pin: Pin) -> None:
        super().__init__()
        self._pin = pin
        self._pinned = None if pin.root is None else os.path.realpath(pin.root)

    def hello(self, request: Open) -> Opened:
        if self._pin.read_only:
            missing = Missing.EMPTY if request.missing is Missing.CREATE else request.missing
            request = request._replace(access=Access.READ, missing=missing)
        if self._pin.append_only:
            request = request._replace(writing=request.writing.keeping_all())
        # A peer names no path outside the root: not for a cache, and not for what comes out of the trash.
        cache, state = os.fsencode(cache_dir(os.environ)), os.fsencode(state_dir(os.environ))
        request = request._replace(root=self._place(request.root), cache_dir=cache, own=(state,))
        try:
            opened = super().hello(request)
        except RootError as error:
            if self._pinned is None and not os.path.exists(request.root):
                error.hint = _hint_at_home(request.root) or error.hint
            raise
        opened = opened._replace(read_only=self._pin.read_only, append_only=self._pin.append_only)
        is_free = opened.created and self._pinned is None
        return opened._replace(instead=_hint_at_home(request.root) or "") if is_free else opened

    @property
    def _may_try(self) -> bool:
        return not self._pin.read_only

    def restore(self, items: Sequence[TrashItem], to: bytes = b"") -> Applied:
        self._check_writable()
        if to and self._pinned is not None:
            raise RootError("this agent copies nothing out of its root")
        return super().restore(items, to)

    def undo(self, request: Undo) -> TakenBack:
        if not request.dry_run:
            self._check_writable()
            if self._pin.append_only:
                raise RootError("this agent is append-only: nothing is undone here")
        return super().undo(request)

    def purge(self, runs: Sequence[str]) -> Applied:
        self._check_writable()
        if self._pin.append_only:
            raise RootError("this agent is append-only: nothing leaves its trash")
        return super().purge(runs)

    def mint(self) -> Dot:
        self._check_writable()
        return super().mint()

    def remember(self, memory: Memory) -> LeftStanding:
        self._check_writable()
        return super().remember(memory)

    def _check_writable(self) -> None:
        if self._pin.read_only:
            raise RootError("this agent is read-only")

    def _place(self, root: bytes) -> bytes:
        if self._pinned is None:
            return root
        place = os.path.realpath(os.path.join(self._pinned, root))
        if place != self._pinned and not place.startswith(self._pinned.rstrip(b"/") + b"/"):
            raise RootError(f"this key is pinned to {os.fsdecode(self._pinned)}")
        return place


def _hint_at_home(root: bytes) -> str | None:
    """Those who know scp and rsync write `host:/docs` and mean what lies in their home."""
    inside = root.strip(b"/")
    if not inside or not root.startswith(b"/") or not os.path.isdir(os.path.expanduser(b"~/" + inside)):
        return None
    return f"there is a ~/{os.fsdecode(inside)}: what begins without / is below the home"


def serve_stdio(pin: Pin) -> None:
    """`aefsync agent`: serve a replica over standard input and output.

    Standard output carries protocol only: what would be printed by accident goes to standard error.  Raises
    `ProtocolError` or `IncompatibleError` where whoever is at the other end is no aefsync, or not a fitting one.
    """
    stream = PipeStream(os.dup(0), os.dup(1))
    os.dup2(2, 1)
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        broken = serve(PinnedReplica(pin), stream, pulse_s=PULSE_S)
        if broken is not None:
            raise broken
