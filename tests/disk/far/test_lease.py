"""The lease: one run at a time on a root, whether it comes by SFTP or by an agent, and no dead one in the way."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from aefsync.core.ports import Access, Missing, Open
from aefsync.disk.far.home import FarHome, find_home
from aefsync.disk.far.root import FarRoot
from aefsync.disk.lock import LEASE_S
from aefsync.disk.replica import LocalReplica
from aefsync.errors import LockedError
from aefsync.wire.sftp.client import SftpFiles
from tests.disk.far.elsewhere import Elsewhere, put


@pytest.fixture
def home(elsewhere: Elsewhere) -> Path:
    """The `.aefsync` of a root that was written in before."""
    replica = elsewhere.open()
    replica.stage([], None)
    replica.close()
    assert not (elsewhere.path / ".aefsync" / "lease").exists()
    return elsewhere.path / ".aefsync"


def far_home(files: SftpFiles, home: Path) -> FarHome:
    found = find_home(FarRoot(files, os.fsencode(home.parent)))
    assert found is not None
    return found


def by_agent(home: Path) -> LocalReplica:
    replica = LocalReplica()
    replica.hello(Open(os.fsencode(home.parent), "other", bytes(32), Access.WRITE, Missing.REFUSE, b""))
    return replica


def age(place: Path, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(place, (then, then))


def test_who_comes_second_is_told_who_came_first(elsewhere: Elsewhere, home: Path) -> None:
    first = elsewhere.open(run="first")
    with pytest.raises(LockedError, match=f"pid {os.getpid()}, run first"):
        elsewhere.open(run="second")
    elsewhere.open(Access.READ, run="third").close()
    first.close()
    elsewhere.open(run="fourth").close()


def test_an_agent_and_sftp_keep_each_other_out(elsewhere: Elsewhere, home: Path) -> None:
    agent = by_agent(home)
    with pytest.raises(LockedError, match=f"pid {os.getpid()}, run other"):
        elsewhere.open()
    agent.close()
    far = elsewhere.open(run="mine")
    with pytest.raises(LockedError, match="run mine.*over SFTP"):
        by_agent(home)
    far.close()
    by_agent(home).close()


def test_an_agent_that_died_is_no_obstacle(elsewhere: Elsewhere, home: Path) -> None:
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    (home / "lock").write_text(f"pid {int(gone.stdout)}, run lost\n")
    elsewhere.open().close()


def test_a_lease_that_ran_out_is_overtaken(elsewhere: Elsewhere, home: Path) -> None:
    (home / "lease").write_text("far away pid 1, run lost 0\n")
    age(home / "lease", LEASE_S - 20)
    with pytest.raises(LockedError, match="run lost"):
        elsewhere.open()
    age(home / "lease", LEASE_S + 20)
    replica = elsewhere.open(run="next")
    assert "run next" in (home / "lease").read_text()
    replica.close()
    assert not list((home / "tmp").glob("lease*"))
    (home / "lease").write_text("far away pid 1, run lost 0\n")
    age(home / "lease", LEASE_S + 20)
    by_agent(home).close()


def test_who_lost_its_connection_and_is_gone_is_no_obstacle_here(elsewhere: Elsewhere, home: Path) -> None:
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    replica = elsewhere.open(run="lost")
    held = (home / "lease").read_text()
    replica.close()
    mark = held.split()[-1]
    died = held.replace(f"pid {os.getpid()}", f"pid {int(gone.stdout)}")
    # Two machines may have one name, and containers on one machine their own processes: the mark tells them apart.
    for text in (
        held,
        died.replace(mark, "0" + mark[1:] if mark[0] != "0" else "1" + mark[1:]),
        died.replace("pid", "p"),
    ):
        (home / "lease").write_text(text)
        with pytest.raises(LockedError, match=r"lost|unknown"):
            elsewhere.open()
    (home / "lease").write_text(died)
    elsewhere.open().close()


def test_who_was_overtaken_writes_nothing_more(elsewhere: Elsewhere, files: SftpFiles, home: Path) -> None:
    now = [0.0]
    replica = elsewhere.open()
    replica._home.lease._clock = lambda: now[0]
    replica._home.lease._renewed = now[0]
    put(replica, "f", b"x")
    now[0] += LEASE_S / 2 + 1
    put(replica, "g", b"x")
    assert replica._home.lease._renewed == now[0], "renewed before it was used again"
    (home / "lease").write_text("somebody else's")
    now[0] += LEASE_S / 2 + 1
    with pytest.raises(LockedError, match="overtaken"):
        put(replica, "h", b"x")
    replica.close()
    assert (home / "lease").read_text() == "somebody else's"
