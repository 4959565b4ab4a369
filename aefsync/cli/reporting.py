"""The options that have a run say elsewhere, too, how it went: a log, and figures for a monitoring system."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Annotated, BinaryIO

from aefsync.cli.options import option
from aefsync.cli.writer import Writer
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.problem import reason_of
from aefsync.errors import UsageError
from aefsync.sync.request import RepairRequest

LogFile = Annotated[str, option("--log-file", says="Add what is said to this file, with the time.", metavar="FILE")]


class Reporting(NamedTuple):
    """Where else it is said how a run went."""

    log_file: LogFile = ""
    metrics_file: Annotated[
        str, option("--metrics-file", says="Write figures for Prometheus to this file.", metavar="FILE")
    ] = ""


def reporting_on(request: RepairRequest, reporting: Reporting) -> RepairRequest:
    """The request, these files being no part of any replica."""
    return request._replace(
        common=request.common._replace(own=own_files(reporting)), gauged=bool(reporting.metrics_file)
    )


def own_files(files: Iterable[str]) -> tuple[str, ...]:
    """Those of these files that there are (empty: none): they are no part of any tree."""
    return tuple(os.path.abspath(file) for file in files if file)


class Log(Writer):
    """Lines with the time before each, written at once; what was there before stays."""

    def __init__(self, stream: BinaryIO, clock: Callable[[], float] = time.time) -> None:
        super().__init__(stream)
        self._now = clock

    def line(self, text: str, *, marked: str = "", style: str = "") -> None:
        super().line(text, marked=f"{datetime.fromtimestamp(self._now(), UTC):%Y-%m-%dT%H:%M:%SZ} {marked}")
        self.flush()

    def close(self) -> None:
        """Write no more."""
        self._stream.close()


def open_log(path: str) -> Log | None:
    """The log at a path; `None` without one.  Raises `UsageError`."""
    if not path:
        return None
    try:
        return Log(open(path, "ab"))
    except OSError as error:
        raise UsageError(f"--log-file: {path}: {reason_of(error)}") from None
