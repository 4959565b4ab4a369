"""`aefsync undo`."""

from __future__ import annotations

from typing import Annotated

import typer

from aefsync.cli.chosen import replicas
from aefsync.cli.options import Output, option
from aefsync.cli.playing import play
from aefsync.cli.reaching import Reaching, link
from aefsync.core.run_id import is_run
from aefsync.errors import UsageError
from aefsync.sync.request import Request

Words = Annotated[list[str], typer.Argument(metavar="ROOT... RUN|last", hidden=True)]
DryRun = Annotated[bool, option("-n", "--dry-run", says="Only say what would be done (implies -i).")]
Itemize = Annotated[bool, option("-i", "--itemize-changes", says="A line for each action.")]


def undo(
    ctx: typer.Context,
    words: Words,
    *,
    dry_run: DryRun = False,
    itemize: Itemize = False,
    reaching: Reaching,
    output: Output,
) -> int:
    """Take back what a run did to replicas.

    The run is one that aefsync runs lists, or last: the newest, an undo included. What it created is removed, what it
    replaced, moved or deleted is put back, with modes and times. What was touched since stays and is listed (exit 1).
    What has to give way goes to the trash, and an undo can be undone.
    """
    *roots, run = words
    if not roots:
        raise UsageError("undo needs a root and a run", hint="aefsync undo ROOT last; aefsync runs ROOT lists them")
    if run != "last" and not is_run(run):
        raise UsageError(f"undo: {run!r} is no run", hint="aefsync runs ROOT lists them; the newest is: last")
    common = Request(replicas(ctx, roots).locations, link=link(reaching))
    from aefsync.sync.undo import undo as engine

    is_itemized = itemize or dry_run or output.verbose > 0
    return play(output, lambda monitor: engine(common, run, monitor, dry_run=dry_run), itemize=is_itemized)
