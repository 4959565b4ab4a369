"""Mending: what is damaged on one replica is brought from a peer whose copy is as it was recorded, chunk by chunk.

Peers are asked only when something is damaged, and only about that: the locations given, the other replicas of the run,
and the members that are known to be reached from here.  They are opened for reading, beside whatever else goes on there.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from aefsync.core.action import ROTTEN, Act, Action, StageFile
from aefsync.core.entry import Entry, Kind
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.path import RelPath
from aefsync.core.ports import Access, Missing, Monitor, Opened, Scan
from aefsync.core.recipe import Run
from aefsync.core.rot import Damage
from aefsync.errors import AefsyncError
from aefsync.sync.contacts import Contacts
from aefsync.sync.delta import Lacking, Seeded, lacking
from aefsync.sync.events import Acted, Notice, Troubled
from aefsync.sync.locating import locate
from aefsync.sync.request import Request
from aefsync.sync.session import Session, Terms, open_session
from aefsync.sync.transfer import send

if TYPE_CHECKING:
    from aefsync.wire.remote import RemoteReplica

AT_ONCE = 1024
"""Damaged files that are dealt with together."""


@dataclass
class Mended:
    """What all mending came to; `lost` counts the peers that were named and could not be reached."""

    files: int = 0
    literal_bytes: int = 0
    reused_bytes: int = 0
    lost: int = 0


class Peer(NamedTuple):
    """A replica that may have what another one lost; `number` is its place among those of the run, if it is one."""

    location: str
    is_named: bool
    number: int | None = None


class Peers:
    """The peers of the replicas of a session, opened as they are needed, and closed with the context."""

    def __init__(self, common: Request, named: Sequence[str], session: Session, monitor: Monitor) -> None:
        self._common = common
        self._session = session
        self._monitor = monitor
        self._named = [Peer(text, is_named=True) for text in named]
        self._roots = [Peer(text, is_named=True, number=i) for i, text in enumerate(common.locations)]
        self._contacts = Contacts(common.state_dir)
        self._stack = contextlib.ExitStack()
        self._opened: dict[str, Session | AefsyncError] = {}

    def __enter__(self) -> Peers:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def of(self, number: int) -> list[Peer]:
        """Who may mend a replica, the likeliest first."""
        standing = self._session.opened[number].standing
        known = self._contacts.of(standing.id) if standing is not None else {}
        others = [peer for peer in self._roots if peer.number != number]
        members = [Peer(text, is_named=False) for text in known.values()]
        found: dict[str, Peer] = {}
        for peer in (*self._named, *others, *members):
            found.setdefault(peer.location, peer)
        return list(found.values())

    def open(self, peer: Peer) -> Session:
        """The peer, opened for reading; raises `AefsyncError`, each time."""
        found = self._opened.get(peer.location)
        if found is None:
            found = self._opened[peer.location] = self._try(peer)
        if isinstance(found, AefsyncError):
            raise found
        return found

    def _try(self, peer: Peer) -> Session | AefsyncError:
        alone = self._common._replace(locations=(peer.location,), names=(), paths=())
        try:
            return self._stack.enter_context(
                open_session(alone, [Terms(Access.READ, Missing.REFUSE)], self._monitor, command="scrub")
            )
        except AefsyncError as error:
            return error


def mend(
    session: Session, number: int, damaged: Sequence[Damage], peers: Peers, mended: Mended
) -> Iterator[Acted | Notice | Troubled]:
    """Have a replica hold again what its records say; an action for each file that it does."""
    replica, opened = session.replicas[number], session.opened[number]
    left, is_changed = list(damaged), False
    for peer in peers.of(number):
        if not left:
            break
        try:
            there = peers.open(peer)
            if is_same(there.opened[0], opened):
                continue
            for start in range(0, len(left), AT_ONCE):
                batch = left[start : start + AT_ONCE]
                for path, size in _bring(there, replica, opened, batch, mended):
                    is_changed = True
                    yield Acted("repair_rot", path, peer.number, (number,), size, f"from {peer.location}")
                    left = [each for each in left if each.recorded.path != path]
        except AefsyncError as error:
            mended.lost += peer.is_named and peer.number is None
            yield Notice(f"{error.message}: nothing is mended from there", warning=True)
    if is_changed:
        scanned = session.call(number, lambda _, replica: replica.record())
        yield from (Troubled(number, each) for each in scanned.problems if not each.subtree)


def _bring(
    there: Session, replica: RemoteReplica, opened: Opened, damaged: Sequence[Damage], mended: Mended
) -> Iterator[tuple[RelPath, int]]:
    """Mend from one peer what it has as it should be; path and size of each file."""
    origin = there.replicas[0]
    held = held_by(origin, [each.recorded.path for each in damaged])
    wanted = [each for each in damaged if _is_as_recorded(held.get(each.recorded.path), each.recorded)]
    if not wanted:
        return
    by_path = {each.recorded.path: each for each in wanted}
    for batch, staged in send(origin, replica, _missing(there.opened[0], opened, origin, replica, wanted)):
        mended.literal_bytes += staged.literal_bytes
        mended.reused_bytes += staged.reused_bytes
        arrived = [file.path for file, content in zip(batch, staged.contents, strict=True) if content]
        entries = [by_path[path].recorded for path in arrived]
        actions = [Action(Act.COPY, each.path, each, each, aside=ROTTEN) for each in entries]
        applied = replica.apply(actions)
        for entry, done in zip(entries, applied.done, strict=True):
            if done:
                mended.files += 1
                yield entry.path, entry.size


def is_same(one: Opened, other: Opened) -> bool:
    """Whether it is one root, reached in two ways."""
    return (one.root, one.host) == (other.root, other.host)


def held_by(origin: RemoteReplica, paths: Sequence[RelPath]) -> dict[RelPath, Entry]:
    """What a peer has at these paths, read where that was not known."""
    scanned = origin.scan(Scan(paths=tuple(paths)))
    if scanned.unread_files:
        scanned = origin.read_unread((), None)
    return locate(origin, paths)


def _is_as_recorded(held: Entry | None, recorded: Entry) -> bool:
    """Whether a copy holds the recorded bytes; when it was written does not matter."""
    return held is not None and held.kind is Kind.FILE and held.same_content(recorded) and held.size == recorded.size


def _missing(
    there: Opened, here: Opened, origin: RemoteReplica, replica: RemoteReplica, wanted: Sequence[Damage]
) -> Lacking:
    """What has to travel: of what can still be read in the damaged file only what is not in it."""
    files = [(StageFile(each.recorded, each.recorded.path), each.content) for each in wanted]
    if not (there.chunker and there.chunker == here.chunker):
        whole = tuple(Run(file.path, 0, file.source.size) for file, _ in files)
        return Lacking(whole, tuple(file for file, _ in files))
    return lacking(origin, replica, [Seeded(file, (file.path,) if content else ()) for file, content in files])
