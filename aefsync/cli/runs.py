"""`aefsync runs`."""

from __future__ import annotations

from typing import Annotated

import typer

from aefsync.cli.chosen import one_replica
from aefsync.cli.options import Output
from aefsync.cli.playing import play
from aefsync.cli.reaching import Reaching, link
from aefsync.sync.request import Request

Root = Annotated[str, typer.Argument(metavar="ROOT", hidden=True)]


def runs(ctx: typer.Context, root: Root, reaching: Reaching, output: Output) -> int:
    """Show what each run did to a replica, newest first.

    A line a run: its id (which is its time, UTC), what it did here, and its command. aefsync undo takes one back.
    """
    common = Request(one_replica(ctx, root).locations, link=link(reaching))
    from aefsync.sync.runs import runs as engine

    return play(output, lambda monitor: engine(common, monitor, ctx.obj))
