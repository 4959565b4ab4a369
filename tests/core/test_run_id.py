"""Ids of runs: they sort by time, and tell it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from aefsync.core.run_id import id_of, is_run, since_id, time_s


def test_runs_are_named_by_their_time() -> None:
    early, late = (id_of(datetime(2026, 11, day, 10, 11, 12, tzinfo=UTC)) for day in (9, 22))
    assert early == "20261109T101112Z-0000"
    moment = datetime(2026, 11, 9, 10, 11, 12, 700_000, tzinfo=UTC)
    assert early < id_of(moment) == "20261109T101112Z-b333" < id_of(moment + timedelta(microseconds=50)) < late
    assert time_s(id_of(moment)) == moment.timestamp() // 1
    assert since_id(moment.timestamp()) < early < since_id(moment.timestamp() + 1)
    assert since_id(-5) == "19700101T000000Z"


@pytest.mark.parametrize(
    "text", ["", "nonsense", "20261109T101112Z", "20261109T101112Z-", "20261109T101112Z-0/..", "last"]
)
def test_what_is_no_id(text: str) -> None:
    assert not is_run(text)
    assert time_s(text) == 0


def test_the_shape_of_an_id_with_a_time_that_is_none() -> None:
    assert is_run("20261399T101112Z-0000")
    assert time_s("20261399T101112Z-0000") == 0
