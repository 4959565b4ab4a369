"""`--metrics-file`: how a run ended, for the text-file collector of Prometheus; the one door to its client library."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Sequence

import typer

from aefsync.cli import exits, signals
from aefsync.cli.chosen import replicas
from aefsync.core.problem import reason_of
from aefsync.errors import AefsyncError, UsageError
from aefsync.sync.events import Event, Summary, closing

_SUCCESS = "last_success_timestamp_seconds"
_TRASH, _SEEN = "trash_bytes", "member_last_seen_timestamp_seconds"
_OPEN = "conflicts_open"
_OLDEST = "oldest_verified_timestamp_seconds"
_GAUGES = {
    "last_run_timestamp_seconds": "When the last run ended, however it did.",
    _SUCCESS: "When a run last ended with all replicas in agreement.",
    "last_run_exit_code": "The exit code of the last run.",
    _OPEN: "Conflict copies, and conflicts and suspects that were left standing.",
    "rot_files": "Files that are known to be damaged.",
    _OLDEST: "When the file was verified that was verified longest ago (0: never).",
    "problems": "Paths that the last run had trouble with.",
    _TRASH: "What is in the trash of all replicas.",
    _SEEN: "When a member last had a session that came to its end (0: never).",
    "sent_bytes": "Protocol bytes that the last run sent.",
    "received_bytes": "Protocol bytes that the last run received.",
}


class Metrics:
    """The file at a path, which is always whole: it is written beside it, and renamed."""

    def __init__(self, path: str, job: str, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._job = job
        self._clock = clock
        self._copies: int | None = None
        """the conflict copies that runs are known to have seen, once one of them has looked at everything"""

    def of(self, events: Iterator[Event]) -> Iterator[Event]:
        """The events of a run; the file is written at each summary, and where the run ends without one."""
        with closing(events):
            try:
                for event in events:
                    if isinstance(event, Summary) and not event.dry_run:
                        self._write(event)
                    yield event
            except AefsyncError as error:
                self.failed(error)
                raise
            except (KeyboardInterrupt, signals.SignalledError) as error:
                self._failed(signals.exit_code(error))
                raise

    def failed(self, error: AefsyncError) -> None:
        """Write that a run ended with this error."""
        self._failed(exits.exit_code(error, "repair"))

    def _failed(self, exit_code: int) -> None:
        self._write(Summary(exit_code))

    def _write(self, summary: Summary) -> None:
        from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

        now_s, before = self._clock(), self._before()
        values = {
            "last_run_timestamp_seconds": now_s,
            _SUCCESS: now_s if summary.exit_code == 0 else before.get(_SUCCESS, {}).get("", 0),
            "last_run_exit_code": summary.exit_code,
            _OPEN: self._open(summary, before.get(_OPEN, {}).get("", 0)),
            "rot_files": summary.rot,
            "problems": summary.problems,
            "sent_bytes": summary.sent_bytes,
            "received_bytes": summary.received_bytes,
        }
        trash, seen_s = before.get(_TRASH, {}), before.get(_SEEN, {})
        if summary.gauges is not None:
            trash, seen_s = {"": summary.gauges.trash_bytes}, dict(summary.gauges.last_seen_s)
        if trash:
            values[_TRASH] = trash[""]
        if summary.verified_files or summary.oldest_verified_s:
            values[_OLDEST] = summary.oldest_verified_s
        registry = CollectorRegistry()
        for name, value in values.items():
            gauge = Gauge(f"aefsync_{name}", _GAUGES[name], ["job"], registry=registry)
            gauge.labels(self._job).set(value)
        if seen_s:
            members = Gauge(f"aefsync_{_SEEN}", _GAUGES[_SEEN], ["job", "member"], registry=registry)
            for member, value in seen_s.items():
                members.labels(self._job, member).set(value)
        try:
            write_to_textfile(self._path, registry)
        except OSError as error:
            raise AefsyncError(f"--metrics-file: {self._path}: {reason_of(error)}") from None

    def _open(self, summary: Summary, before: float) -> float:
        """What waits for a person: a run that came to nothing does not know, one that looked at a part does not know of all
        copies."""
        gauges = summary.gauges
        if gauges is None:
            return summary.conflicts + summary.suspects if summary.run else before
        if gauges.sees_all or self._copies is not None:
            self._copies = gauges.copies if gauges.sees_all else max(self._copies or 0, gauges.copies)
            return self._copies + gauges.left_standing
        return max(before, gauges.copies + gauges.left_standing)

    def _before(self) -> dict[str, dict[str, float]]:
        """What the file says so far: by name without the prefix, and by member (empty: of none)."""
        from prometheus_client.parser import text_string_to_metric_families

        found: dict[str, dict[str, float]] = {}
        with contextlib.suppress(OSError, ValueError), open(self._path, encoding="utf-8") as file:
            for family in text_string_to_metric_families(file.read()):
                for sample in family.samples:
                    name, member = sample.name.removeprefix("aefsync_"), sample.labels.get("member", "")
                    found.setdefault(name, {})[member] = sample.value
        return found


def metered(events: Iterator[Event], path: str, locations: Sequence[str]) -> Iterator[Event]:
    """The events of a run over these replicas; with a path, what they come to is written there."""
    return _metrics(path, locations).of(events) if path else events


@contextlib.contextmanager
def readied(ctx: typer.Context, path: str, words: Sequence[str]) -> Iterator[None]:
    """While a run over the replicas that words stand for is made ready: with a path, an error that ends it before it has
    begun is written there.  Where that cannot be, it is still the error that is told."""
    try:
        yield
    except AefsyncError as error:
        with contextlib.suppress(AefsyncError):
            if path:
                _metrics(path, _locations(ctx, words)).failed(error)
        raise


def _locations(ctx: typer.Context, words: Sequence[str]) -> Sequence[str]:
    """What the words stand for, or the words themselves."""
    try:
        return replicas(ctx, words).locations
    except UsageError:
        return words


def _metrics(path: str, locations: Sequence[str]) -> Metrics:
    return Metrics(os.path.abspath(path), " ".join(locations).encode("utf-8", "backslashreplace").decode())
