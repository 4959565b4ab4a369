"""What a command that goes on and on takes from outside, so that a test can be all that to it."""

from __future__ import annotations

import random
import time
from collections.abc import Callable


class Surroundings:
    """A clock, sleep, chance, and who is told (`on_rest`, with the seconds until the next pass is due) that it goes on."""

    def __init__(
        self,
        on_rest: Callable[[float], None] = lambda due_s: None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.on_rest = on_rest
        self.clock = clock
        self.sleep = sleep
        self.chance = chance
