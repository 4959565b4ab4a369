"""Try again what a broken connection prevented: soon at first, then ever later, and not all at the same moment.

What is tried may be as small as one greeting or as large as a whole run: a run that begins anew scans anew, finds in
staging what had arrived, and decides on what is left as it is by then.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from aefsync.errors import AefsyncError, LockedError, UnreachableError, UsageError
from aefsync.sync.events import Event, Notice

T = TypeVar("T")

FIRST_S = 0.5
LONGEST_S = 30.0


class Patience:
    """How often to try again: up to `retries` times, for reasons that may pass.

    The pauses between are those of `pause_s`.
    """

    def __init__(
        self,
        retries: int,
        *,
        sleep: Callable[[float], None] = time.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.failures = 0
        self._retries = retries
        self._sleep = sleep
        self._chance = chance

    def lasts(self) -> bool:
        """Whether to try again what failed for a reason that may pass, after a pause."""
        if self.failures >= self._retries:
            return False
        self._sleep(pause_s(self.failures, self._chance))
        self.failures += 1
        return True


def pause_s(failures: int, chance: Callable[[], float] = random.random) -> float:
    """How long to wait after so many failures: doubling up to `LONGEST_S`, each cut to between half and all of that by
    `chance` (0 … 1): peers that lost one host do not return together."""
    return min(LONGEST_S, FIRST_S * 2.0 ** min(failures, 16)) * (0.5 + chance() / 2)


def persistently(attempt: Callable[[int], T], patience: Patience) -> T:
    """The result of `attempt`, which hears how often it failed before.

    Where it fails for a reason that may pass it is tried again, as long as the patience lasts; the error that is raised
    then calls for no further attempt.
    """
    while True:
        try:
            return attempt(patience.failures)
        except UnreachableError as error:
            if not (error.transient and patience.lasts()):
                error.transient = False
                raise


def persevering(begin: Callable[[], Iterator[Event]], patience: Patience) -> Iterator[Event]:
    """The events of a run that changes nothing; it begins anew where a replica is lost before more than notices came."""
    while True:
        told = False
        try:
            for event in begin():
                told = told or not isinstance(event, Notice)
                yield event
        except UnreachableError as error:
            if told or not (error.transient and patience.lasts()):
                raise
            yield anew(error.message)
        else:
            return


def may_pass(error: AefsyncError, *, has_begun: bool) -> bool:
    """Whether what went wrong may be well again without anybody's doing; `has_begun`: it went well before."""
    if isinstance(error, UsageError):
        return False
    if isinstance(error, UnreachableError) and error.transient:
        return True
    return has_begun or isinstance(error, LockedError)


def anew(reason: str) -> Notice:
    """What is said of a run that begins anew."""
    return Notice(f"{reason}; beginning anew", warning=True)
