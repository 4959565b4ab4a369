"""`aefsync watch`."""

from __future__ import annotations

import os
import queue
import sys
from collections.abc import Iterator
from typing import Annotated

import typer

from aefsync.cli import signals
from aefsync.cli.audience import Audience
from aefsync.cli.counting import Counting
from aefsync.cli.hooking import Hooking, hooks_of
from aefsync.cli.metrics import metered, readied
from aefsync.cli.options import Allowing, Comparing, Locations, Output, option
from aefsync.cli.playing import announced, play, shows_progress
from aefsync.cli.reaching import Reaching
from aefsync.cli.repairing import Repairing, asked
from aefsync.cli.reporting import Reporting, open_log, reporting_on
from aefsync.cli.resolving import Resolving
from aefsync.cli.safety import Safety
from aefsync.cli.status_line import StatusLine
from aefsync.cli.supervisor import Supervisor
from aefsync.cli.units import duration_ns, duration_s
from aefsync.core.hint import EVERYTHING
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.ports import Monitor
from aefsync.errors import UsageError
from aefsync.sync.events import Event
from aefsync.sync.request import RepairRequest, WatchRequest


class Watching(NamedTuple):
    """When there is another pass."""

    rescan: Annotated[
        str, option("--rescan", says="How often to look at everything (default: 1h).", metavar="DURATION")
    ] = "1h"
    settle: Annotated[
        str, option("--settle", says="How long to wait for more changes (default: 100ms).", metavar="DURATION")
    ] = "100ms"
    poll: Annotated[bool, option("--poll", says="Do not rely on the system to say what changes.")] = False


def watch(
    ctx: typer.Context,
    locations: Locations,
    watching: Watching,
    repairing: Repairing,
    resolving: Resolving,
    safety: Safety,
    hooking: Hooking,
    allowing: Allowing,
    counting: Counting,
    comparing: Comparing,
    reaching: Reaching,
    reporting: Reporting,
    output: Output,
) -> int:
    """Make replicas agree, and again whenever something changes.

    What changes is noticed on each replica's own machine. Trouble that may pass, as a host that is away or a disk that
    is not mounted, is waited out. SIGHUP looks at everything now; Ctrl-C and SIGTERM end it.
    """
    with readied(ctx, reporting.metrics_file, locations):
        wanted, notices = asked(ctx, locations, repairing, resolving, safety, allowing, counting, comparing, reaching)
        wanted, log = reporting_on(wanted, reporting), open_log(reporting.log_file)
        hooks = hooks_of(hooking)
        supervisor = Supervisor(os.environ)
        request = _request(watching, wanted, supervisor.tick_s)
    status = StatusLine() if shows_progress(output, sys.stderr) and not output.json else None
    audience = Audience(supervisor, status)
    from aefsync.sync.resting import Inbox
    from aefsync.sync.surroundings import Surroundings
    from aefsync.sync.unrepeated import Unrepeated
    from aefsync.sync.watch import watch as engine

    inbox: Inbox = queue.SimpleQueue()
    around = Surroundings(audience.rested)

    def begin(monitor: Monitor) -> Iterator[Event]:
        events = engine(request, audience.alive(monitor), inbox, hooks, ctx.obj, around)
        news = Unrepeated(request.rescan_s).of(
            audience.seen(metered(events, reporting.metrics_file, wanted.common.locations))
        )
        return announced(news, *notices)

    itemize = repairing.itemize or repairing.dry_run or output.verbose > 0
    with signals.calling("SIGHUP", lambda: inbox.put((None, EVERYTHING))):
        try:
            return play(output, begin, itemize=itemize, drawing=status, log=log)
        finally:
            supervisor.stopping()


def _request(watching: Watching, wanted: RepairRequest, tick_s: float) -> WatchRequest:
    rescan_s = duration_s(watching.rescan, "--rescan")
    if rescan_s < 1:
        raise UsageError(f"--rescan: {watching.rescan} is too short: every second is the most")
    settle_s = duration_ns(watching.settle, "--settle") / 1e9
    return WatchRequest(wanted, settle_s, rescan_s, watching.poll, tick_s)
