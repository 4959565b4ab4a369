"""`aefsync diff`."""

from __future__ import annotations

from typing import Annotated

import typer

from aefsync.cli.chosen import at_least_two, replicas
from aefsync.cli.counting import Counting, counted
from aefsync.cli.options import Allowing, Comparing, Locations, Output, option, request
from aefsync.cli.playing import play
from aefsync.cli.reaching import Reaching, link
from aefsync.cli.reporting import LogFile, open_log, own_files
from aefsync.sync.request import DiffRequest

Null = Annotated[bool, option("-0", "--null", says="CODE SP RAWPATH NUL: every path, nothing escaped.")]
Quick = Annotated[bool, option("--quick", says="Size, mtime and mode only: contents are not read.")]
Chunks = Annotated[bool, option("--chunks", says="Say how much of each file differs, in how many places.")]
Brief = Annotated[bool, option("--brief", says="Stop at the first difference.")]


def diff(
    ctx: typer.Context,
    locations: Locations,
    *,
    null: Null = False,
    quick: Quick = False,
    brief: Brief = False,
    chunks: Chunks = False,
    log_file: LogFile = "",
    allowing: Allowing,
    counting: Counting,
    comparing: Comparing,
    reaching: Reaching,
    output: Output,
) -> int:
    """Compare replicas; change nothing, create nothing.

    A line a path: "<" only in A, ">" only in B, "*" content, "?" content under the same size and mtime (one copy may
    be damaged), "m" metadata, "k" kind, "!" unreadable. With more replicas a column each: equal letters, equal
    versions; "-" missing.
    """
    common = request(at_least_two("diff", replicas(ctx, locations)), comparing, link(reaching), ctx, allowing)
    asked = DiffRequest(
        counted(common._replace(own=own_files([log_file])), counting), quick=quick, brief=brief, chunks=chunks
    )
    from aefsync.sync.diff import diff as engine

    log = open_log(log_file)
    return play(output, lambda monitor: engine(asked, monitor, ctx.obj), null=null and not output.json, log=log)
