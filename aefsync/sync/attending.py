"""Which replicas of a session take part in what changes: not those that are read-only, nor those lost on the way.

What cannot be done on them is left undone; the others go on to the end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from aefsync.core.one_sided import OneSided
from aefsync.core.path import RelPath
from aefsync.core.step import Transfer
from aefsync.errors import ProtocolError, UnreachableError
from aefsync.sync.deadline import Deadline
from aefsync.sync.growing import Grown, bring, digests_of, news
from aefsync.sync.session import Session
from aefsync.sync.transfer import Transferred, transfer

if TYPE_CHECKING:
    from aefsync.wire.remote import RemoteReplica

T = TypeVar("T")


class Attending:
    """The replicas that are still there; `lost` says of each of the others why."""

    def __init__(self, session: Session) -> None:
        self.lost: dict[int, str] = {}
        self.may_return = True
        """whether those that are lost may be there again in a moment"""
        self.read_only = frozenset(number for number, opened in enumerate(session.opened) if opened.read_only)
        self.session = session

    def each(self, call: Callable[[int, RemoteReplica], T], otherwise: Callable[[int], T]) -> list[T]:
        """Call something on every replica at once; `otherwise` stands for the result of one that is lost."""

        def attempt(number: int, replica: RemoteReplica) -> T:
            if number in self.lost:
                return otherwise(number)
            try:
                return self.session.call(number, call)
            except (UnreachableError, ProtocolError) as error:
                if not replica.is_lost:
                    raise
                self._lose([number], error)
                return otherwise(number)

        return self.session.each(attempt)

    def grow(self, found: OneSided, deadline: Deadline) -> Grown:
        """Bring everybody what one replica has, as far as that goes, teach that one what was found, and have it put in
        place."""
        holder, came = found.holder, [list[bytes]() for _ in self.session.replicas]

        def carry(number: int, _: RemoteReplica) -> UnreachableError | ProtocolError | None:
            if number == holder or holder in self.lost:
                return None
            return bring(self.session, number, found, deadline, came[number])

        lost = next((each for each in self.each(carry, lambda _: None) if each is not None), None)
        if lost is not None and holder not in self.lost:
            self._lose([holder], lost)
        contents = digests_of(found, came)
        learned = news(found, contents)
        if learned:
            self.each(lambda number, replica: replica.learn(learned) if number == holder else None, lambda _: None)
        count = found.growth.length
        flags = self.each(lambda number, replica: b"" if number == holder else replica.plant(), lambda _: b"")
        return Grown(
            found, tuple(b"" if n == holder else own.ljust(count, b"\0") for n, own in enumerate(flags)), contents
        )

    def transfer(self, wanted: Sequence[Transfer], deadline: Deadline) -> Transferred:
        """Carry out what transfers can be; the others have failed."""
        while True:
            lost = frozenset(self.lost)
            out = lost | self.read_only
            able = [each for each in wanted if each.receiver not in out and each.origin not in lost]
            try:
                done = transfer(self.session, able, deadline)
            except (UnreachableError, ProtocolError) as error:
                gone = [n for n, replica in enumerate(self.session.replicas) if replica.is_lost and n not in lost]
                if not gone:
                    raise
                # Somebody else may have found that out meanwhile.
                self._lose([n for n in gone if n not in self.lost], error)
                continue
            return done._replace(failed=self._failed(done, wanted))

    def _lose(self, numbers: Sequence[int], error: UnreachableError | ProtocolError) -> None:
        self.lost |= dict.fromkeys(numbers, error.message)
        self.may_return = self.may_return and isinstance(error, UnreachableError) and error.transient

    @property
    def arrived_bytes(self) -> int:
        """Content that is in the staging of some replica, of files that are not complete."""
        return sum(replica.arrived_bytes for replica in self.session.replicas)

    def _failed(self, done: Transferred, wanted: Sequence[Transfer]) -> tuple[frozenset[RelPath], ...]:
        dropped = [(each.receiver, each.file.path) for each in wanted if each.origin in self.lost]
        return tuple(
            paths | {path for receiver, path in dropped if receiver == number}
            for number, paths in enumerate(done.failed)
        )
