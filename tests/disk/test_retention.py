from __future__ import annotations

import os
from datetime import UTC, datetime

import pytest

from aefsync.core.run_id import time_s
from aefsync.core.space import Share
from aefsync.core.writing import DAY_S, Writing
from aefsync.disk.home import Home
from aefsync.disk.retention import expire, forget_bytes, run_bytes, trash_bytes
from aefsync.disk.trash_listing import trash_runs
from tests.disk.ground import Site

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
EVERYTHING = Share(10_000, is_percentage=True)
BLOCK = 4096


def run_of(days: float) -> str:
    """A run so many days ago."""
    return f"{datetime.fromtimestamp(NOW.timestamp() - days * DAY_S, UTC):%Y%m%dT%H%M%SZ}-beef"


def now_ns() -> int:
    return int(NOW.timestamp()) * 10**9


def put(site: Site, run: str, size: int = 0) -> None:
    site.write(b".aefsync/trash/%s/deleted/d/f" % run.encode(), bytes(size))
    began_s = time_s(run)
    if began_s:
        os.utime(site.place(b".aefsync/trash/%s" % run.encode()), (began_s, began_s))


@pytest.mark.parametrize(("days", "stays"), [(29.9, True), (30.1, False), (400, False)])
def test_old_trash_goes(site: Site, days: float, stays: bool) -> None:
    put(site, run_of(days))
    put(site, run_of(1))
    expire(site.home, run_of(0), Writing(trash_max=EVERYTHING), now_ns)
    assert trash_runs(site.home) == [run_of(days)] * stays + [run_of(1)]


def test_what_was_put_there_by_a_run_whose_clock_was_slow_is_as_old_as_it_looks(site: Site) -> None:
    put(site, run_of(400))
    put(site, run_of(300))
    yesterday_s = NOW.timestamp() - DAY_S
    os.utime(site.place(b".aefsync/trash/" + run_of(400).encode()), (yesterday_s, yesterday_s))
    expire(site.home, run_of(0), Writing(trash_max=EVERYTHING), now_ns)
    assert trash_runs(site.home) == [run_of(400)]


def test_the_oldest_goes_while_there_is_too_much(site: Site) -> None:
    runs = [run_of(days) for days in (5, 4, 3, 2, 0)]
    for run in runs:
        put(site, run, 10 * BLOCK)
    each = run_bytes(site.home, runs[0], keep=False)
    assert each >= 10 * BLOCK
    expire(site.home, runs[-1], Writing(trash_max=Share(3 * each, is_percentage=False)), now_ns)
    assert trash_runs(site.home) == runs[2:]


def test_what_this_run_put_there_stays(site: Site) -> None:
    put(site, run_of(1), BLOCK)
    put(site, run_of(0), 100 * BLOCK)
    expire(site.home, run_of(0), Writing(trash_keep_s=0, trash_max=Share(0, is_percentage=False)), now_ns)
    assert trash_runs(site.home) == [run_of(0)]


def test_what_is_no_runs_stays(site: Site) -> None:
    put(site, "mine", 10 * BLOCK)
    site.write(b".aefsync/quarantine/x", b"rotten")
    expire(site.home, run_of(0), Writing(trash_keep_s=0, trash_max=Share(0, is_percentage=False)), now_ns)
    assert trash_runs(site.home) == ["mine"]
    assert site.exists(b".aefsync/quarantine/x")


def test_sizes_are_summed_up_once(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    put(site, run_of(3), 10 * BLOCK)
    before = trash_bytes(site.home)
    assert not site.exists(b".aefsync/trash/%s/.bytes" % run_of(3).encode()), "whoever only asks writes nothing"
    expire(site.home, run_of(0), Writing(trash_max=EVERYTHING), now_ns)
    walked: list[bytes] = []
    monkeypatch.setattr(Home, "measure", lambda home, path: walked.append(path) or 0)
    assert trash_bytes(site.home) == before
    expire(site.home, run_of(0), Writing(trash_max=EVERYTHING), now_ns)
    assert walked == []
    forget_bytes(site.home, run_of(3))
    assert trash_bytes(site.home) == 0
    assert len(walked) == 1


def test_a_damaged_sum_is_made_anew(site: Site) -> None:
    put(site, run_of(3), 10 * BLOCK)
    site.write(b".aefsync/trash/%s/.bytes" % run_of(3).encode(), b"rubbish")
    assert run_bytes(site.home, run_of(3), keep=True) >= 10 * BLOCK
    assert int(site.read(b".aefsync/trash/%s/.bytes" % run_of(3).encode())) >= 10 * BLOCK


def test_a_root_without_trash(site: Site) -> None:
    os.rmdir(site.place(b".aefsync/trash"))
    expire(site.home, run_of(0), Writing(), now_ns)
    assert trash_runs(site.home) == []
