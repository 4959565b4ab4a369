"""Rest: between two passes the replicas of a watch hold nothing, and listen, each of them to its own root."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from aefsync.core.hint import ROOT, Hints, Wait
from aefsync.errors import AefsyncError
from aefsync.sync.together import together

if TYPE_CHECKING:
    from aefsync.wire.remote import RemoteReplica

Said = tuple[int | None, Hints]
"""Which replica has said it (`None`: the user), and what."""
Inbox = queue.SimpleQueue[Said]
"""What was said and not yet heard.  Anybody may put something in, a signal handler too."""

_LONGEST_S = 60.0


class Resting:
    """The replicas of a watch while it does nothing."""

    def __init__(self, replicas: Sequence[RemoteReplica], inbox: Inbox, *, listens: bool) -> None:
        self._replicas = replicas
        self._inbox = inbox
        self._listens = listens
        self._deaf: set[int] = set()
        self._waiting: dict[int, threading.Thread] = {}

    def rest(self) -> list[Said]:
        """Have all replicas rest, if they do not yet; what was said so far."""
        said = together([partial(self._wait, number, 0) for number in range(len(self._replicas))])
        # A replica that is asked anything ends the wait that is under way there.
        for thread in list(self._waiting.values()):
            thread.join()
        self._waiting.clear()
        return [*self._heard(), *enumerate(said)]

    def listen(self, limit_s: float) -> list[Said]:
        """What is said within the time, as soon as anything is."""
        for number in range(len(self._replicas)):
            if number not in self._waiting and number not in self._deaf:
                thread = threading.Thread(target=self._tell, args=(number, min(limit_s, _LONGEST_S)), daemon=True)
                self._waiting[number] = thread
                thread.start()
        try:
            first = self._inbox.get(timeout=limit_s)
        except queue.Empty:
            return []
        return [first, *self._heard()]

    def _tell(self, number: int, limit_s: float) -> None:
        hints = self._wait(number, int(limit_s * 1000))
        self._waiting.pop(number, None)
        self._inbox.put((number, hints))

    def _wait(self, number: int, limit_ms: int) -> Hints:
        try:
            hints = self._replicas[number].wait(Wait(limit_ms, self._listens))
        except AefsyncError as error:
            hints = Hints(deaf=(ROOT,), reason=error.message)
        (self._deaf.add if ROOT in hints.deaf else self._deaf.discard)(number)
        return hints

    def _heard(self) -> list[Said]:
        heard: list[Said] = []
        with contextlib.suppress(queue.Empty):
            while True:
                heard.append(self._inbox.get_nowait())
        return heard
