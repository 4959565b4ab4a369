"""Sizes, durations and points in time, read and written as people do."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from aefsync.errors import UsageError

_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhdw])")
_NS = 1_000_000_000
_BINARY = {"b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_RATE = re.compile(r"(\d+(?:\.\d+)?)(?:([bkmg])(?:i?b)?)?", re.IGNORECASE)


def duration_s(text: str, option: str) -> int:
    """Whole seconds of a duration like `30d`, `12h` or `1d12h`; raises `UsageError`."""
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise UsageError(f"{option}: {text!r} is no duration", hint="write it like 30d, 12h, 1d12h or 90s")
    return int(sum(float(number) * _SECONDS[unit] for number, unit in parts))


def moment_s(text: str, option: str) -> float:
    """Seconds since 1970 of an ISO date or date and time (local unless it has a zone) or of a run's id."""
    try:
        return datetime.fromisoformat(text[:16] if is_run(text) else text).timestamp()
    except ValueError:
        raise UsageError(f"{option}: {text!r} is no time", hint="write it like 2026-11-22T10:11:12") from None


def is_run(text: str) -> bool:
    """Whether `text` has the shape of a run's id, which begins with its time."""
    return re.fullmatch(r"\d{8}T\d{6}Z-\w+", text) is not None


def run_time_s(run: str) -> float:
    """When a run was, by its id (0 where the id does not tell)."""
    try:
        return datetime.strptime(run[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        return 0.0


def rate(text: str, option: str) -> int:
    """Bytes a second of a rate like `500` (KiB), `5M` or `1.5MiB`; raises `UsageError`."""
    found = _RATE.fullmatch(text)
    number = float(found[1]) * _BINARY[(found[2] or "k").lower()] if found else 0.0
    if number < 1:
        raise UsageError(f"{option}: {text!r} is no rate", hint="write it like 500 (KiB a second), 5M or 1.5G")
    return int(number)


def seconds_text(difference_ns: int) -> str:
    """A signed time difference, exact to the nanosecond, without idle zeros: `+3600 s`, `-0.5 s`."""
    whole, rest = divmod(abs(difference_ns), _NS)
    fraction = f".{rest:09d}".rstrip("0") if rest else ""
    return f"{'-' if difference_ns < 0 else '+'}{whole}{fraction} s"


def count_text(number: int, noun: str, plural: str | None = None) -> str:
    """`1 entry`, `3 entries`."""
    return f"{number} {noun}" if number == 1 else f"{number} {plural or noun + 's'}"
