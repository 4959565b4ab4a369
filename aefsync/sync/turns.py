"""One replica after the other, each dealt with by itself: where one is lost on the way, the others are done (7)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from aefsync.errors import ProtocolError, UnreachableError
from aefsync.sync.events import Event, Notice
from aefsync.sync.session import Session


class Turns:
    """The replicas of a session; `lost` are those that were lost in their turns."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.lost: list[int] = []

    def take(self, turn: Callable[[int], Iterator[Event]]) -> Iterator[Event]:
        """What is told in each turn; raises what is raised in one but for the loss of a replica beside others."""
        for number, replica in enumerate(self._session.replicas):
            try:
                yield from turn(number)
            except (UnreachableError, ProtocolError) as error:
                if not replica.is_lost or len(self._session.replicas) == 1:
                    raise
                self.lost.append(number)
                yield Notice(f"{error.message}; the others are done", warning=True)
