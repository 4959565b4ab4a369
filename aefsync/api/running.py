"""Running: `diff`, `repair`, `scrub` and `watch`, from options to results."""

from __future__ import annotations

import queue
from collections.abc import Iterator, Sequence
from typing import Self, Unpack

from aefsync.api.asking import Location, Options, RepairOptions, check, repair_request, request, scrub_request
from aefsync.api.result import Result, results, the_result
from aefsync.core.hint import EVERYTHING, Hints
from aefsync.core.ports import Monitor
from aefsync.core.silent import Silent
from aefsync.sync.events import Event
from aefsync.sync.request import DiffRequest, WatchRequest


def diff(
    *locations: Location,
    quick: bool = False,
    brief: bool = False,
    chunks: bool = False,
    monitor: Monitor | None = None,
    **options: Unpack[Options],
) -> Result:
    """Compare replicas; change nothing, and create nothing in them.

    `quick` reads no contents, `brief` stops at the first difference, `chunks` says of two replicas how much of each
    file differs.  Raises `AefsyncError` where nothing can be said; trouble with single paths is in the result.
    """
    check(locations, options, Options, 2)
    wanted = DiffRequest(request(locations, options), quick=quick, brief=brief, chunks=chunks)
    from aefsync.sync.diff import diff as engine

    return the_result(lambda: engine(wanted, monitor or Silent()))


def repair(*locations: Location, monitor: Monitor | None = None, **options: Unpack[RepairOptions]) -> Result:
    """Make replicas agree, or say which paths still differ and why.

    Raises `AefsyncError` where nothing could be done: `GuardError` where a guard stopped it before anything was
    changed, `LockedError` where another run is at work, `UnreachableError` where a replica could not be reached.
    """
    check(locations, options, RepairOptions, 2)
    wanted = repair_request(locations, options)
    from aefsync.sync.repair import repair as engine

    return the_result(lambda: engine(wanted, monitor or Silent()))


def watch(
    *locations: Location,
    rescan_s: float = 3600.0,
    settle_s: float = 0.1,
    polls: bool = False,
    monitor: Monitor | None = None,
    **options: Unpack[RepairOptions],
) -> Watch:
    """Make replicas agree, and again whenever something changes: a result for each pass.

        with aefsync.watch("photos", "nas:photos") as passes:
            for done in passes:
                ...

    Everything is looked at each `rescan_s`; a pass begins when nothing was heard for `settle_s`; with `polls` nothing
    is listened to.  Trouble that may pass is waited out.
    """
    check(locations, options, RepairOptions, 2)
    return Watch(WatchRequest(repair_request(locations, options), settle_s, rescan_s, polls), monitor or Silent())


def scrub(
    *locations: Location,
    peers: Sequence[Location] = (),
    accept: Sequence[str] = (),
    suspects: Sequence[str] = (),
    dry_run: bool = False,
    time_limit_s: int | None = None,
    read_percent: int = 100,
    monitor: Monitor | None = None,
    **options: Unpack[Options],
) -> Result:
    """Read replicas anew, and bring back from peers what rotted; the summary says how much still is (`rot`, `suspects`).

    `suspects` are globs of those to be brought back too, `accept` of what is to be taken for an edit.  Where time or
    share are used up the next scrub goes on.  Raises `AefsyncError` as `repair` does.
    """
    check(locations, options, Options, 1)
    from aefsync.sync.scrub import scrub as engine

    wanted = scrub_request(locations, options, peers, accept, suspects)
    wanted = wanted._replace(dry_run=dry_run, time_limit_s=time_limit_s, read_percent=read_percent)
    return the_result(lambda: engine(wanted, monitor or Silent()))


class _Stopped(BaseException):
    """Ends a watch from inside; it is no error of which the engine could take care."""


class Watch:
    """A watch that goes on: an iterator over the results of its passes.  `stop` and `wake` may be called by any thread."""

    def __init__(self, request: WatchRequest, monitor: Monitor) -> None:
        self._inbox: queue.SimpleQueue[tuple[int | None, Hints]] = queue.SimpleQueue()
        self._is_stopped = False
        self._results = results(lambda: self._begin(request, monitor))

    def __iter__(self) -> Iterator[Result]:
        return self

    def __next__(self) -> Result:
        try:
            return next(self._results)
        except _Stopped:
            raise StopIteration from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def wake(self) -> None:
        """Have everything looked at now."""
        self._inbox.put((None, EVERYTHING))

    def stop(self) -> None:
        """End after the pass that is under way, if one is."""
        self._is_stopped = True
        self._inbox.put((None, Hints()))

    def close(self) -> None:
        """End it; a pass that was waiting for its result to be taken is broken off, and goes on with the next run."""
        self._results.close()

    def _begin(self, request: WatchRequest, monitor: Monitor) -> Iterator[Event]:
        from aefsync.sync.hooks import Hooks
        from aefsync.sync.surroundings import Surroundings
        from aefsync.sync.watch import watch as engine

        return engine(request, monitor, self._inbox, Hooks(), around=Surroundings(self._rested))

    def _rested(self, due_s: float) -> None:
        if self._is_stopped:
            raise _Stopped
