"""`--metrics-file`: how a run ended, for the text-file collector of Prometheus; the one door to its client library."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Protocol, cast

from aefsync.cli import exits, signals
from aefsync.errors import AefsyncError
from aefsync.sync.events import Event, Summary

_SUCCESS = "last_success_timestamp_seconds"
_GAUGES = {
    "last_run_timestamp_seconds": "When the last run ended, however it did.",
    _SUCCESS: "When a run last ended with all replicas in agreement.",
    "last_run_exit_code": "The exit code of the last run.",
    "conflicts_open": "Conflicts and suspects that the last run made or left standing.",
    "problems": "Paths that the last run had trouble with.",
    "sent_bytes": "Protocol bytes that the last run sent.",
    "received_bytes": "Protocol bytes that the last run received.",
}


class _Closable(Protocol):
    def close(self) -> None: ...


class Metrics:
    """The file at a path, which is always whole: it is written beside it, and renamed."""

    def __init__(self, path: str, job: str, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._job = job
        self._clock = clock

    def of(self, events: Iterator[Event]) -> Iterator[Event]:
        """The events of a run; the file is written at each summary, and where the run ends without one."""
        with closing(cast("_Closable", events)):
            try:
                for event in events:
                    if isinstance(event, Summary) and not event.dry_run:
                        self._write(event)
                    yield event
            except AefsyncError as error:
                self._failed(exits.exit_code(error, "repair"))
                raise
            except (KeyboardInterrupt, signals.SignalledError) as error:
                self._failed(signals.exit_code(error))
                raise

    def _failed(self, exit_code: int) -> None:
        self._write(Summary(exit_code, (), "", dry_run=False, equal=False, roots=(), entries=()))

    def _write(self, summary: Summary) -> None:
        from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

        now_s = self._clock()
        values = {
            "last_run_timestamp_seconds": now_s,
            _SUCCESS: now_s if summary.exit_code == 0 else self._last_success_s(),
            "last_run_exit_code": summary.exit_code,
            "conflicts_open": summary.conflicts + summary.suspects,
            "problems": summary.problems,
            "sent_bytes": summary.sent_bytes,
            "received_bytes": summary.received_bytes,
        }
        registry = CollectorRegistry()
        for name, value in values.items():
            gauge = Gauge(f"aefsync_{name}", _GAUGES[name], ["job"], registry=registry)
            gauge.labels(self._job).set(value)
        try:
            write_to_textfile(self._path, registry)
        except OSError as error:
            raise AefsyncError(f"--metrics-file: {self._path}: {(error.strerror or str(error)).lower()}") from None

    def _last_success_s(self) -> float:
        """What the file says so far; 0: never."""
        try:
            with open(self._path, encoding="utf-8", errors="replace") as file:
                found = re.search(rf"^aefsync_{_SUCCESS}\{{[^\n]*\}} (\S+)$", file.read(), re.MULTILINE)
            return float(found[1]) if found else 0.0
        except (OSError, ValueError):
            return 0.0


def metered(events: Iterator[Event], path: str, locations: Sequence[str]) -> Iterator[Event]:
    """The events of a run over these replicas; with a path, what they come to is written there."""
    return Metrics(os.path.abspath(path), " ".join(locations)).of(events) if path else events
