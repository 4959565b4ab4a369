"""`aefsync repair`, also called `sync`."""

from __future__ import annotations

from collections.abc import Iterator

import typer

from aefsync.cli.counting import Counting
from aefsync.cli.hooking import Hooking, hooks_of
from aefsync.cli.metrics import metered, readied
from aefsync.cli.options import Allowing, Comparing, Locations, Output
from aefsync.cli.playing import announced, play
from aefsync.cli.reaching import Reaching
from aefsync.cli.repairing import Repairing, asked
from aefsync.cli.reporting import Reporting, open_log, reporting_on
from aefsync.cli.resolving import Resolving
from aefsync.cli.safety import Safety
from aefsync.core.ports import Monitor
from aefsync.sync.events import Event
from aefsync.sync.hooks import hooked


def repair(
    ctx: typer.Context,
    locations: Locations,
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
    """Make replicas agree (also: aefsync sync).

    Replicas remember what they have seen, so deletions travel, and of versions that had not seen each other both are
    kept: see aefsync conflicts. With --resolve lww the newest one wins and nothing is deleted, with --mirror all others
    become like A. What is replaced or deleted goes to the trash of its replica: see aefsync trash.
    """
    with readied(ctx, reporting.metrics_file, locations):
        wanted, notices = asked(ctx, locations, repairing, resolving, safety, allowing, counting, comparing, reaching)
        wanted, log = reporting_on(wanted, reporting), open_log(reporting.log_file)
        hooks = hooks_of(hooking)
    from aefsync.sync.repair import repair as engine

    itemize = repairing.itemize or repairing.dry_run or output.verbose > 0

    def begin(monitor: Monitor) -> Iterator[Event]:
        events = metered(
            hooked(engine(wanted, monitor, ctx.obj), hooks), reporting.metrics_file, wanted.common.locations
        )
        return announced(events, *notices)

    return play(output, begin, itemize=itemize, log=log)
