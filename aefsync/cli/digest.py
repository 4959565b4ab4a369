"""`aefsync digest`."""

from __future__ import annotations

from typing import Annotated

import typer

from aefsync.cli.chosen import one_replica
from aefsync.cli.options import Comparing, Output, option, relative, request
from aefsync.cli.playing import play
from aefsync.cli.reaching import Reaching, link
from aefsync.cli.reporting import LogFile, open_log, own_files
from aefsync.core.view import View
from aefsync.errors import UsageError

Root = Annotated[str, typer.Argument(metavar="ROOT", hidden=True)]
Paths = Annotated[list[str] | None, typer.Argument(metavar="[PATH...]", hidden=True)]
Tree = Annotated[int, option("--tree", says="Digests of N levels beneath, too.", metavar="N")]
Content = Annotated[bool, option("--content", says="Leave out modes and times.")]


def digest(
    ctx: typer.Context,
    root: Root,
    *,
    paths: Paths = None,
    tree: Tree = 0,
    content: Content = False,
    log_file: LogFile = "",
    comparing: Comparing,
    reaching: Reaching,
    output: Output,
) -> int:
    """Print the digest of a replica or of paths in it.

    Equal digests, equal trees, wherever they are.
    """
    if tree < 0:
        raise UsageError(f"--tree: {tree} is no number of levels")
    common = request(one_replica(ctx, root), comparing, link(reaching), ctx)._replace(own=own_files([log_file]))
    inside = tuple(relative(path) for path in paths or [])
    from aefsync.sync.digest import digest as engine

    view = View.CONTENT if content else View.FULL
    log = open_log(log_file)
    return play(output, lambda monitor: engine(common, inside, tree, view, monitor, ctx.obj), log=log)
