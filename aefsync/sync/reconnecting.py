"""Try again what a broken connection prevented: soon at first, then ever later, and not all at the same moment."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from aefsync.errors import UnreachableError

T = TypeVar("T")

FIRST_S = 0.5
LONGEST_S = 30.0


def persistently(
    attempt: Callable[[int], T],
    retries: int,
    *,
    sleep: Callable[[float], None] = time.sleep,
    chance: Callable[[], float] | None = None,
) -> T:
    """The result of `attempt`, which hears how often it was tried before.

    Where it fails for a reason that may pass it is tried again, up to `retries` times.  The pauses double up to
    `LONGEST_S`, each cut to between half and all of that by `chance` (0 … 1; at random): peers that lost one host do
    not return together.
    """
    for number in range(retries + 1):
        try:
            return attempt(number)
        except UnreachableError as error:
            if not error.transient or number == retries:
                raise
        sleep(pause_s(number, chance))
    raise AssertionError("unreachable")


def pause_s(number: int, chance: Callable[[], float] | None = None) -> float:
    """How long to wait when it has failed `number` times before."""
    return min(LONGEST_S, FIRST_S * 2.0 ** min(number, 16)) * (0.5 + (chance or _random)() / 2)


def _random() -> float:
    import random  # with much of the cryptography that a run without trouble does without

    return random.random()  # noqa: S311  a pause is no secret
