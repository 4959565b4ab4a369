"""The lock on a root of this machine: `.aefsync/lock`, held by whoever writes for as long as it is open.

Whoever comes over SFTP cannot see it, but only what is written in it; and of that one's lease (`far/lease`) an agent sees
nothing but the file.  So each writes first, and then looks for the other one's sign.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time

from aefsync.disk.confined import ConfinedRoot
from aefsync.errors import LockedError

LOCK = b"lock"
LEASE = b"lease"
"""Who holds the root from elsewhere, without an agent."""
LEASE_S = 120.0
"""A lease that was not written for so long has run out."""
PATIENCE_S = 0.5
"""So long is waited for who holds the lock and does not say who it is: a machine at work lets a moment last."""
_HELD = (errno.EWOULDBLOCK, errno.EACCES)
"""How the system says that somebody else has it."""


class Lock:
    """The lock of one root, in its home."""

    def __init__(self, home: ConfinedRoot) -> None:
        self._home = home
        self._fd = -1

    @property
    def is_held(self) -> bool:
        """Whether this session holds it."""
        return self._fd >= 0

    def take(self, run: str) -> None:
        """Take it; raises `LockedError`, naming the holder, and `OSError`."""
        fd = self._home.open(LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        with contextlib.ExitStack() as unless_ours:
            unless_ours.callback(os.close, fd)
            try:
                _seize(fd)
            except OSError as error:
                if error.errno not in _HELD:
                    raise
                raise LockedError(f"another run is at work on this root ({_line(fd)})") from None
            os.ftruncate(fd, 0)
            os.write(fd, f"pid {os.getpid()}, run {run}\n".encode())
            tenant = self._tenant()
            if tenant:
                os.ftruncate(fd, 0)
                raise LockedError(f"another run is at work on this root ({tenant}, over SFTP)")
            unless_ours.pop_all()
        self._fd = fd

    def _tenant(self) -> str:
        """Who holds the root by a lease that has not run out; empty where nobody does."""
        with contextlib.suppress(OSError):
            if time.time() - self._home.lstat(LEASE).st_mtime < LEASE_S:
                return self._said_in(LEASE)
        return ""

    def _said_in(self, name: bytes) -> str:
        fd = self._home.open_file(name)
        try:
            return _line(fd)
        finally:
            os.close(fd)

    def try_take(self, run: str) -> bool:
        """Take it if nobody has it."""
        try:
            self.take(run)
        except (LockedError, OSError):
            return False
        return True

    @property
    def holder(self) -> str:
        """Who holds it, or held it last and did not come to its end; raises `OSError` where nobody ever did."""
        return self._said_in(LOCK)

    @property
    def is_taken(self) -> bool:
        """Whether another session holds it; asked without taking it for longer than a moment."""
        if self.is_held:
            return False
        try:
            fd = self._home.open(LOCK, os.O_RDONLY | os.O_NOFOLLOW)
        except OSError:
            return False
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError as error:
            return error.errno in _HELD
        finally:
            os.close(fd)
        return False

    def release(self) -> None:
        """Give it back, if it is held."""
        if self.is_held:
            with contextlib.suppress(OSError):
                os.ftruncate(self._fd, 0)
            os.close(self._fd)
            self._fd = -1


def _seize(fd: int) -> None:
    """Take a lock; raises `OSError`.  Whoever only asks whether it is held has it for a moment, without a word."""
    attempts = 250
    for attempt in range(1, attempts + 1):
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if attempt == attempts or os.pread(fd, 1, 0):
                raise
            time.sleep(PATIENCE_S / attempts)
        else:
            return


def _line(fd: int) -> str:
    """Who an open file says that holds the root."""
    return os.pread(fd, 200, 0).decode("ascii", "replace").strip() or "unknown"
