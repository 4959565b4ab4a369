"""`aefsync gossip`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import Annotated

import typer

from aefsync.cli.audience import Audience
from aefsync.cli.chosen import one_replica
from aefsync.cli.counting import Counting
from aefsync.cli.hooking import Hooking, hooks_of
from aefsync.cli.metrics import metered, readied
from aefsync.cli.options import Allowing, Comparing, Output, option
from aefsync.cli.playing import play, shows_progress
from aefsync.cli.reaching import Reaching
from aefsync.cli.repairing import Repairing, repair_of
from aefsync.cli.reporting import Reporting, open_log, reporting_on
from aefsync.cli.resolving import Resolving
from aefsync.cli.safety import Safety
from aefsync.cli.status_line import StatusLine
from aefsync.cli.supervisor import Supervisor
from aefsync.cli.units import duration_s
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.ports import Monitor
from aefsync.errors import UsageError
from aefsync.sync.events import Event
from aefsync.sync.request import GossipRequest, RepairRequest

_SAID_AGAIN_S = 3600
Root = Annotated[str, typer.Argument(metavar="ROOT", hidden=True)]


class Gossiping(NamedTuple):
    """How many sessions there are, and when."""

    every: Annotated[
        str | None,
        option("--every", says="Again and again, after a pause about so long.", metavar="DURATION"),
    ] = None
    rounds: Annotated[
        int | None, option("--rounds", says="So many rounds (default: 1, with --every no end).", metavar="N")
    ] = None
    fanout: Annotated[int, option("--fanout", says="Peers that are met in a round (default: 1).", metavar="K")] = 1


def gossip(
    ctx: typer.Context,
    root: Root,
    gossiping: Gossiping,
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
    """Make a replica agree with one of its group.

    It is the one not tried for longest, or any. Where all members do this now and then, all of them come to agree, and
    nobody coordinates that. Members and where they are reached: see aefsync members. One that cannot be reached is
    skipped, and another one takes its turn.
    """
    with readied(ctx, reporting.metrics_file, [root]):
        chosen = one_replica(ctx, root)
        wanted = repair_of(ctx, chosen, repairing, resolving, safety, allowing, counting, comparing, reaching)
        _check(wanted, repairing)
        wanted, log = reporting_on(wanted, reporting), open_log(reporting.log_file)
        hooks = hooks_of(hooking)
        supervisor = Supervisor(os.environ)
        request = _request(gossiping, wanted, supervisor.tick_s)
    is_endless = request.rounds is None
    shows_status = is_endless and shows_progress(output, sys.stderr) and not output.json
    status = StatusLine("gossip of") if shows_status else None
    audience = Audience(supervisor, status)
    from aefsync.sync.gossip import gossip as engine
    from aefsync.sync.surroundings import Surroundings
    from aefsync.sync.unrepeated import Unrepeated

    def begin(monitor: Monitor) -> Iterator[Event]:
        events = engine(request, audience.alive(monitor), hooks, ctx.obj, Surroundings(audience.rested))
        seen = audience.seen(metered(events, reporting.metrics_file, wanted.common.locations))
        return Unrepeated(_SAID_AGAIN_S).of(seen) if is_endless else seen

    itemize = repairing.itemize or repairing.dry_run or output.verbose > 0
    try:
        return play(output, begin, itemize=itemize, drawing=status, log=log)
    finally:
        supervisor.stopping()


def _check(wanted: RepairRequest, repairing: Repairing) -> None:
    if wanted.policies is None or repairing.mirror_from is not None:
        raise UsageError("gossip goes by versions: --mirror and --resolve lww are for repair")


def _request(gossiping: Gossiping, wanted: RepairRequest, tick_s: float) -> GossipRequest:
    every, rounds, fanout = gossiping
    for name, number in (("--rounds", rounds), ("--fanout", fanout)):
        if number is not None and number < 1:
            raise UsageError(f"{name}: {number} is too few: one is the least")
    every_s = 0 if every is None else duration_s(every, "--every")
    if every is not None and every_s < 1:
        raise UsageError(f"--every: {every} is too short: every second is the most")
    return GossipRequest(wanted, every_s, 1 if every is None and rounds is None else rounds, fanout, tick_s)
