"""The options about what is kept outside of replicas, for commands that look at replicas but do not compare them."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from aefsync.cli import filters
from aefsync.cli.chosen import Chosen
from aefsync.cli.command import configured
from aefsync.cli.config import filter_values
from aefsync.cli.options import Allowing, option
from aefsync.core.identity import Allowed
from aefsync.core.named_tuple import NamedTuple
from aefsync.sync import places
from aefsync.sync.request import Request
from aefsync.wire.login import Link


class Keeping(NamedTuple):
    """Where things of ours are kept."""

    cache_dir: Annotated[
        str | None, option("--cache-dir", says="Where indexes are kept ('': nowhere).", metavar="DIR")
    ] = None
    state_dir: Annotated[
        str | None,
        option("--state-dir", says="Where roots and locations are remembered ('': nowhere).", metavar="DIR"),
    ] = None


def plain_request(
    ctx: typer.Context, chosen: Chosen, keeping: Keeping, link: Link, allowing: Allowing | None = None
) -> Request:
    """A request about replicas as they are, but for what the configuration leaves out."""
    cache_dir, state_dir = keeping
    return Request(
        chosen.locations,
        rules=tuple(filters.lines(filter_values(*configured(ctx)))),
        cache_dir=places.cache_dir(os.environ) if cache_dir is None else cache_dir,
        link=link,
        state_dir=places.state_dir(os.environ) if state_dir is None else state_dir,
        allowed=Allowed(*(allowing or ())),
        names=chosen.names,
    )
