"""`aefsync init`."""

from __future__ import annotations

from typing import Annotated

import typer

from aefsync.cli.chosen import replicas
from aefsync.cli.keeping import Keeping, plain_request
from aefsync.cli.options import Allowing, Output, option
from aefsync.cli.playing import play
from aefsync.cli.reaching import Reaching, link
from aefsync.core.membership import check_name
from aefsync.errors import UsageError

Roots = Annotated[list[str], typer.Argument(metavar="ROOT...", hidden=True)]
Name = Annotated[str | None, option("--name", says="What the other members call this replica.", metavar="NAME")]


def init(
    ctx: typer.Context,
    roots: Roots,
    *,
    name: Name = None,
    allowing: Allowing,
    keeping: Keeping,
    reaching: Reaching,
    output: Output,
) -> int:
    """Have replicas remember what they hold from now on.

    The first repair does it, too; beforehand it tells apart what was there before and what changed since. Everything
    is read once. A set gives its replicas their names.
    """
    chosen = replicas(ctx, roots)
    if name is not None and len(chosen.locations) != 1:
        raise UsageError("--name is for one replica at a time")
    names = (name,) if name is not None else chosen.names or ("",) * len(chosen.locations)
    for each in filter(None, names):
        try:
            check_name(each)
        except ValueError as error:
            raise UsageError(f"--name: {error}") from None
    common = plain_request(ctx, chosen, keeping, link(reaching), allowing)
    from aefsync.sync.init import init as engine

    return play(output, lambda monitor: engine(common, names, monitor))
