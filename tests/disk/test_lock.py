"""The lock on a root: one holder at a time, whatever goes wrong while it is taken."""

from __future__ import annotations

import errno
import os

import pytest

from aefsync.disk.home import Home, furnish, open_home
from aefsync.disk.lock import LEASE
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
