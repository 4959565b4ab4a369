"""The file of a sidecar gives back what is free in it, wherever it is killed over that, and whoever reads it meanwhile."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from aefsync.disk.shrinking import MOST_FREE
from aefsync.disk.sidecar import Sidecar, connect
from tests.disk.rememberer import Rememberer

PENDING = 400


def page_counts(place: Path) -> tuple[int, int]:
    """Pages of the file, and how many of them are free."""
    database = sqlite3.connect(place)
    try:
        (pages,), (free,) = (database.execute(f"PRAGMA {each}").fetchone() for each in ("page_count", "freelist_count"))
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    finally:
        database.close()
    return pages, free


def hollow(place: Path, journal: str) -> Sidecar:
    """A sidecar that says something, and of which most is free."""
    chance = random.Random(1)
    sidecar = connect(str(place), journal=journal)
    sidecar.set_words({"word": b"said"})
    with sidecar.transaction():
        for number in range(PENDING):
            sidecar.set_tombstones(b"d%d" % number, {b"name": number})
            sidecar.add_pending(chance.randbytes(2000))
    with sidecar.transaction():
        sidecar.clear_pending()
    return sidecar


def said(sidecar: Sidecar) -> object:
    return sidecar.words(), sidecar.tombstones(), list(sidecar.pending())


@pytest.mark.parametrize("journal", ["WAL", "TRUNCATE"])
def test_what_is_free_is_given_back_and_nothing_else(tmp_path: Path, journal: str) -> None:
    place = tmp_path / "sidecar.db"
    sidecar = hollow(place, journal)
    before = said(sidecar)
    sidecar.shrink()
    assert said(sidecar) == before
    sidecar.close()
    pages, free = page_counts(place)
    assert free <= MOST_FREE
    assert place.stat().st_size == pages * 2048 < PENDING * 2000 / 2
    again = connect(str(place), journal=journal)
    assert said(again) == before
    # Nothing to be had any more: it stays as it is.
    again.shrink()
    again.close()
    assert page_counts(place) == (pages, free)


def test_nothing_is_done_in_a_transaction_or_for_one_who_is_told_of_the_log(tmp_path: Path) -> None:
    place = tmp_path / "sidecar.db"
    sidecar = hollow(place, "WAL")
    with sidecar.transaction():
        sidecar.shrink()
    sidecar.keep_log(lambda: None)
    sidecar.shrink()
    sidecar.close()
    assert page_counts(place)[1] > MOST_FREE


def test_while_somebody_has_it_the_file_stays_as_it_is(tmp_path: Path) -> None:
    place = tmp_path / "sidecar.db"
    sidecar = hollow(place, "TRUNCATE")
    reader = sqlite3.connect(place, isolation_level=None)
    reader.execute("BEGIN")
    assert len(reader.execute("SELECT * FROM grave").fetchall()) == PENDING
    sidecar.shrink()
    assert len(reader.execute("SELECT * FROM grave").fetchall()) == PENDING
    reader.close()
    assert page_counts(place)[1] > MOST_FREE
    assert len(sidecar.tombstones()) == PENDING
    sidecar.close()


KILLED = """
import sqlite3, sys, os, signal
from aefsync.disk.sidecar import connect
sidecar = connect(sys.argv[1], journal=sys.argv[2])
left = int(sys.argv[3])
def step():
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return 0
sidecar._database.set_progress_handler(step, 200)
sidecar.shrink()
sidecar.close()
"""


@pytest.mark.parametrize("journal", ["WAL", "TRUNCATE"])
def test_killed_anywhere_it_says_the_same(tmp_path: Path, journal: str) -> None:
    place = tmp_path / "sidecar.db"
    hollow_one = hollow(place, journal)
    before = said(hollow_one)
    hollow_one.close()
    killed = 0
    for steps in (1, 5, 10, 20, 40, 60):
        ended = subprocess.run([sys.executable, "-c", KILLED, str(place), journal, str(steps)], check=False)
        killed += ended.returncode == -signal.SIGKILL
        sidecar = connect(str(place), journal=journal)
        assert said(sidecar) == before
        sidecar.close()
        page_counts(place)
    assert killed
    sidecar = connect(str(place), journal=journal)
    sidecar.shrink()
    assert said(sidecar) == before
    sidecar.close()
    assert page_counts(place)[1] <= MOST_FREE


def test_a_session_that_is_over_leaves_little_that_is_free(root: Rememberer) -> None:
    place = root.place_of_sidecar
    for number in range(40):
        root.write(b"file-%d" % number, b"%d" % number, mtime_ns=10**18)
    root.see()
    root.bytes_of_sidecar()
    sidecar = connect(str(place), journal="WAL")
    with sidecar.transaction():
        for _ in range(PENDING):
            sidecar.add_pending(os.urandom(2000))
    with sidecar.transaction():
        sidecar.clear_pending()
    sidecar.close()
    assert page_counts(place)[1] > MOST_FREE
    root.see()
    root.bytes_of_sidecar()
    assert page_counts(place)[1] <= MOST_FREE
