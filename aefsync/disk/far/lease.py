"""The lease: the lock on a root elsewhere, `.aefsync/lease`, which only one can create and which runs out.

Who holds it writes it anew every `RENEWAL_S`; one that was not written for `LEASE_S`, by the clock of the far side, is
whoever's comes first.  To overtake it is to rename it, which only one can do.  An agent over there holds the root by a
lock on an open file (`disk/lock`), which nobody can see over SFTP but by what is written in it.  So each writes first
and then looks for the other one's sign; two that begin at the same moment both give way.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from aefsync.core.digest import framed_digest
from aefsync.core.files import Create, Lstat, Read, Remove, Rename, Write, ask, raised, told
from aefsync.core.problem import reason_of
from aefsync.disk.home import TMP
from aefsync.disk.lock import LEASE, LEASE_S, LOCK
from aefsync.disk.opening import host
from aefsync.errors import LockedError, RootError

if TYPE_CHECKING:
    from aefsync.disk.far.home import FarHome

RENEWAL_S = 30.0
_FORGOTTEN_S = 3600
"""Where processes over there cannot be seen, an agent's lock counts for so long."""
_LONGEST = 200


class Lease:
    """The lock of one root; `beat` is how a holder is told to renew it (by a thread)."""

    def __init__(self, home: FarHome, clock: Callable[[], float] = time.monotonic) -> None:
        self._home = home
        self._clock = clock
        self._text = b""
        self._renewed = 0.0
        self._over = threading.Event()
        self._lost = False

    @property
    def is_held(self) -> bool:
        return bool(self._text)

    def take(self, run: str) -> None:
        """Take it; raises `LockedError`, naming the holder."""
        line = f"{socket.gethostname()} pid {os.getpid()}, run {run} {_here()}{os.urandom(4).hex()}\n"
        text = line.encode()[:_LONGEST]
        place = self._home.at(LEASE)
        (made,) = ask(self._home.files, Create(place, text))
        if isinstance(made, OSError):
            self._overtake(made)
            (made,) = ask(self._home.files, Create(place, text))
            if isinstance(made, OSError):
                raise LockedError(f"another run is at work on this root ({self._holder() or 'unknown'})")
        self._text, self._renewed, self._lost = text, self._clock(), False
        agent = self._agent()
        if agent:
            self.release()
            raise LockedError(f"another run is at work on this root ({agent})")
        self._over.clear()
        threading.Thread(target=self._beat, daemon=True).start()

    @property
    def holder(self) -> str:
        """Who holds it, or held it last; empty where nobody does."""
        return self._holder()

    def check(self) -> None:
        """Raise `LockedError` unless it is still ours, for some time to come."""
        if self.is_held and self._clock() - self._renewed > LEASE_S / 2:
            self._renew()
        if self._lost:
            raise LockedError("another run has overtaken this one, which was silent for too long")

    def release(self) -> None:
        """Give it back, if it is still ours."""
        self._over.set()
        if self.is_held and not self._lost and self._holder(whole=True) == self._text.decode():
            ask(self._home.files, Remove(self._home.at(LEASE)))
        self._text = b""

    def _beat(self) -> None:
        while not self._over.wait(RENEWAL_S) and not self._lost:
            try:
                self._renew()
            except Exception:  # noqa: BLE001  whatever it is, the next call meets it too
                return

    def _renew(self) -> None:
        place = self._home.at(LEASE)
        (got,) = ask(self._home.files, Read(place, 0, _LONGEST))
        if isinstance(got, OSError) or got.data != self._text:
            self._lost = True
            return
        (written,) = ask(self._home.files, Write(place, 0, self._text))
        if not isinstance(written, OSError):
            self._renewed = self._clock()

    def _overtake(self, refusal: OSError) -> None:
        """Take a lease away that has run out; raises `LockedError`, or `RootError` where none can be made."""
        place, aside = self._home.at(LEASE), self._home.at(TMP + b"/lease-" + os.urandom(4).hex().encode())
        now, seen = ask(self._home.files, Create(aside, b""), Lstat(place))
        if isinstance(now, OSError) or isinstance(seen, FileNotFoundError):
            raise RootError(f"cannot be written: {reason_of(now or refusal)}")
        now = told(self._home.files, Lstat(aside))
        ask(self._home.files, Remove(aside))
        is_young = now.st_mtime_ns - raised(seen).st_mtime_ns <= LEASE_S * 1_000_000_000
        if is_young and not _has_died(self._holder(whole=True)):
            raise LockedError(f"another run is at work on this root ({self._holder() or 'unknown'})")
        moved, found = ask(self._home.files, Rename(place, aside), Lstat(aside))
        if isinstance(moved, OSError) or raised(found).st_mtime_ns != seen.st_mtime_ns:
            raise LockedError("another run at work on this root has just come back, or was overtaken by another")
        ask(self._home.files, Remove(aside))

    def _holder(self, *, whole: bool = False) -> str:
        (got,) = ask(self._home.files, Read(self._home.at(LEASE), 0, _LONGEST))
        text = "" if isinstance(got, OSError) else got.data.decode("ascii", "replace")
        return text if whole else text.strip().rpartition(" ")[0]

    def _agent(self) -> str:
        """What an agent has written that holds the root; empty where none does."""
        (got,) = ask(self._home.files, Read(self._home.at(LOCK), 0, _LONGEST))
        if isinstance(got, OSError):
            return ""
        text: str = got.data.decode("ascii", "replace").strip()
        words = text.replace(",", " ").split()
        if len(words) < 2 or words[0] != "pid" or not words[1].isdigit():
            return ""
        seen, process = ask(self._home.files, Lstat(b"/proc/self"), Lstat(b"/proc/" + words[1].encode()))
        if not isinstance(seen, OSError):
            return text if not isinstance(process, OSError) else ""
        lease = told(self._home.files, Lstat(self._home.at(LEASE)))
        return text if lease.st_mtime_ns - got.seen.st_mtime_ns < _FORGOTTEN_S * 1_000_000_000 else ""


def _has_died(text: str) -> bool:
    """Whether who wrote a lease was a process of this machine that is gone: it had lost its connection."""
    words = text.split()
    number = words[words.index("pid") + 1].rstrip(",") if "pid" in words[:-1] else ""
    if not number.isdigit() or not words[-1].startswith(_here()):
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        pass
    return False


def _here() -> str:
    """Where the number of a process means the same one: names of hosts are not unique, nor is one kernel one container."""
    processes = ""
    with contextlib.suppress(OSError):
        processes = os.readlink("/proc/self/ns/pid")
    return framed_digest((host(), processes.encode()), 4).hex()
