"""Sizes, durations and points in time, read and written as people do."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from aefsync.core.run_id import time_s
from aefsync.errors import UsageError

_PART = r"(\d+(?:\.\d+)?)(ms|[smhdw])"
_NS = 1_000_000_000
_BINARY = {"b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_RATE = r"(?i)(\d+(?:\.\d+)?)(?:([bkmg])(?:i?b)?)?"
_UNITS_NS = {"ms": _NS // 1000, "s": _NS, "m": 60 * _NS, "h": 3600 * _NS, "d": 86_400 * _NS, "w": 7 * 86_400 * _NS}
_LONGEST_NS = 36_525 * 86_400 * _NS


def duration_s(text: str, option: str) -> int:
    """Whole seconds of a duration like `30d`, `12h` or `1d12h`; raises `UsageError`."""
    return duration_ns(text, option) // _NS


def duration_ns(text: str, option: str) -> int:
    """The nanoseconds of a duration like `2s`, `1.5s`, `10ms` or `1h30m`; raises `UsageError`."""
    parts = re.findall(_PART, text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise UsageError(f"{option}: {text!r} is no duration", hint="write it like 30d, 12h, 1d12h or 90s")
    total_ns = sum(_times(number, _UNITS_NS[unit]) for number, unit in parts)
    if total_ns > _LONGEST_NS:
        raise UsageError(f"{option}: {text!r} is longer than a century")
    return total_ns


def in_seconds(text: str) -> str:
    """A duration for an option that rsync has, too: a bare number means seconds there."""
    return f"{text}s" if re.fullmatch(r"\d+(\.\d+)?", text) else text


def _times(number: str, unit_ns: int) -> int:
    """A decimal number of units, exactly."""
    whole, _, fraction = number.partition(".")
    return int(whole) * unit_ns + (int(fraction) * unit_ns // 10 ** len(fraction) if fraction else 0)


def moment_s(text: str, option: str) -> float:
    """Seconds since 1970 of an ISO date or date and time (local unless it has a zone) or of a run's id."""
    try:
        return time_s(text) or datetime.fromisoformat(text).timestamp()
    except ValueError:
        raise UsageError(f"{option}: {text!r} is no time", hint="write it like 2026-11-22T10:11:12") from None


def moment_text(moment: int) -> str:
    """A time in seconds since 1970, as one reads it anywhere: `2026-11-22T10:11:12Z`.

    What no calendar holds is written as a number.
    """
    try:
        return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%dT%H:%M:%SZ}"
    except (ValueError, OverflowError, OSError):
        return f"@{moment}"


def rate(text: str, option: str) -> int:
    """Bytes a second of a rate like `500` (KiB), `5M` or `1.5MiB`; raises `UsageError`."""
    found = re.fullmatch(_RATE, text)
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
