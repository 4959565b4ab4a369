"""The lock on a root: one holder at a time, whatever goes wrong while it is taken."""

from __future__ import annotations

import errno
import fcntl
import os
import time

import pytest

from aefsync.disk.home import Home, furnish, open_home
from aefsync.disk.lock import LEASE, LOCK, PATIENCE_S
from aefsync.errors import LockedError
from tests.disk.ground import Ground


def home_of(ground: Ground) -> Home:
    os.makedirs(ground.place(b".aefsync"), exist_ok=True)
    home = open_home(ground.root)
    assert home is not None
    furnish(home)
    return home


def test_one_holder_at_a_time(ground: Ground) -> None:
    home, other = home_of(ground), home_of(ground)
    home.lock.take("r1")
    assert (home.lock.is_held, home.lock.is_taken, other.lock.is_held, other.lock.is_taken) == (
        True,
        False,
        False,
        True,
    )
    with pytest.raises(LockedError, match="run r1"):
        other.lock.take("r2")
    assert not other.lock.try_take("r2")
    assert home.lock.holder.endswith("run r1")
    home.lock.release()
    assert other.lock.try_take("r2")
    home.close()
    other.close()


def test_a_lock_that_could_not_be_signed_is_not_held(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a full disk, say: whoever tries again in the same process gets it."""
    home = home_of(ground)

    def full(fd: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", full)
        with pytest.raises(OSError, match="No space left"):
            home.lock.take("r1")
    assert not home.lock.is_held
    home.lock.take("r2")
    home.close()


def test_a_lease_of_somebody_elsewhere_counts(ground: Ground) -> None:
    home = home_of(ground)
    ground.write(b".aefsync/" + LEASE, b"laptop pid 7, run r9\n")
    with pytest.raises(LockedError, match="laptop pid 7, run r9, over SFTP"):
        home.lock.take("r1")
    os.utime(ground.place(b".aefsync/" + LEASE), (0, 0))
    home.lock.take("r1")
    home.close()


def test_who_only_asks_is_waited_for(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the system keeps it from going on: it holds the lock meanwhile, and has signed nothing."""
    home = home_of(ground)
    asker = held_without_a_word(home, fcntl.LOCK_SH)
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        if sum(waits[:-1]) <= PATIENCE_S / 2 < sum(waits):
            os.close(asker)

    monkeypatch.setattr(time, "sleep", sleep)
    home.lock.take("r1")
    assert home.lock.is_held
    home.close()


def test_who_does_not_say_who_it_is_is_not_waited_for_for_ever(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    home = home_of(ground)
    holder = held_without_a_word(home, fcntl.LOCK_EX)
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    with pytest.raises(LockedError, match="unknown"):
        home.lock.take("r1")
    assert sum(waits) <= PATIENCE_S
    os.close(holder)
    home.close()


def held_without_a_word(home: Home, how: int) -> int:
    fd = home.open(LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(fd, how)
    return fd
