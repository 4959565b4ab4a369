"""`aefsync status`."""

from __future__ import annotations

from typing import Annotated

import typer

from aefsync.cli.chosen import replicas
from aefsync.cli.options import Comparing, Output, option, request
from aefsync.cli.playing import play
from aefsync.cli.reaching import Reaching, link
from aefsync.cli.reporting import LogFile, open_log, own_files
from aefsync.cli.units import duration_s

Roots = Annotated[list[str], typer.Argument(metavar="ROOT...", hidden=True)]
Live = Annotated[bool, option("--live", says="Compare the replicas, too.")]
MaxAge = Annotated[
    str | None,
    option("--max-age", says="Exit 1 where the last success is older, such as 26h.", metavar="DURATION"),
]


def status(
    ctx: typer.Context,
    roots: Roots,
    *,
    live: Live = False,
    max_age: MaxAge = None,
    log_file: LogFile = "",
    comparing: Comparing,
    reaching: Reaching,
    output: Output,
) -> int:
    """Say how replicas stand: members, last success, what is open.

    Nothing is compared, and no content read, but with --live. A line for each replica, with its open conflicts, its
    suspects, its trash and its quarantine, and below it one for each member that it knows: name, last success, where it
    is reached from here.
    """
    common = request(replicas(ctx, roots), comparing, link(reaching), ctx)._replace(own=own_files([log_file]))
    max_age_s = None if max_age is None else duration_s(max_age, "--max-age")
    from aefsync.sync.status import status as engine

    log = open_log(log_file)
    return play(output, lambda monitor: engine(common, monitor, live=live, max_age_s=max_age_s), log=log)
