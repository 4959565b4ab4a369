"""The ids of runs, `20261109T101112Z-b333`: they begin with the time and sort by it."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_TIME = "%Y%m%dT%H%M%SZ"
_SHAPE = re.compile(r"(\d{8}T\d{6}Z)-\w+")


def id_of(moment: datetime) -> str:
    """The id of a run that begins then: the last four digits are what there is of the second, in 1/65536."""
    return f"{moment:{_TIME}}-{(moment.microsecond << 16) // 1_000_000:04x}"


def since_id(moment_s: float) -> str:
    """What the ids of runs since this moment (seconds since 1970) are not below."""
    return f"{datetime.fromtimestamp(max(0, moment_s), UTC):{_TIME}}"


def is_run(text: str) -> bool:
    """Whether `text` has the shape of a run's id."""
    return _SHAPE.fullmatch(text) is not None


def time_s(run: str) -> float:
    """When a run began, by its id; 0 for what is none."""
    found = _SHAPE.fullmatch(run)
    try:
        return datetime.strptime(found[1], _TIME).replace(tzinfo=UTC).timestamp() if found else 0.0
    except ValueError:
        return 0.0
