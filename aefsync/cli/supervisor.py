"""Tells whoever started a watch as a service how it goes: `sd_notify(3)`, a datagram for each thing worth knowing."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable, Mapping

TICK_S = 60.0
"""How often a watch shows that it lives, where nobody asks for more."""


class Supervisor:
    """What listens at `NOTIFY_SOCKET`, if anything does; it may want to hear of us every `tick_s` seconds."""

    def __init__(self, environ: Mapping[str, str], clock: Callable[[], float] = time.monotonic) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._clock = clock
        self._limit_s = _limit_s(environ) if address else None
        self._due_s = clock()
        self._is_ready = False
        self._lock = threading.Lock()

    @property
    def tick_s(self) -> float:
        """How often it is to be told that we are alive: twice as often as it insists on."""
        return TICK_S if self._limit_s is None else min(TICK_S, self._limit_s / 2)

    def ready(self) -> None:
        """The first pass is over: what depends on it may begin."""
        if not self._is_ready:
            self._is_ready = True
            self._say("READY=1")

    def alive(self) -> None:
        """Something goes on; may be called by any thread, and as often as one likes."""
        if self._limit_s is None:
            return
        with self._lock:
            now_s = self._clock()
            if now_s < self._due_s:
                return
            self._due_s = now_s + self.tick_s / 2
        self._say("WATCHDOG=1")

    def stopping(self) -> None:
        """The end has begun."""
        self._say("STOPPING=1")

    def _say(self, text: str) -> None:
        if not self._address:
            return
        # It may have gone away; that is no reason to do the same.
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as stream:
            stream.sendto(text.encode(), self._address)


def _limit_s(environ: Mapping[str, str]) -> float | None:
    """After how long a silence the service would be ended; `None`: never."""
    if environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    with contextlib.suppress(ValueError):
        limit_us = int(environ.get("WATCHDOG_USEC", "0"))
        return limit_us / 1e6 if limit_us > 0 else None
    return None
