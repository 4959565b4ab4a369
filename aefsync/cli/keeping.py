"""The options about what is kept outside of replicas, for commands that look at replicas but do not compare them."""

from __future__ import annotations

import typer

from aefsync.cli import filters
from aefsync.cli.chosen import Chosen
from aefsync.cli.command import configured
from aefsync.cli.config import filter_values
from aefsync.cli.options import Allowing, CacheDir, StateDir, cache_place, state_place
from aefsync.core.identity import Allowed
from aefsync.core.named_tuple import NamedTuple
from aefsync.sync.request import Request
from aefsync.wire.login import Link


class Keeping(NamedTuple):
    """Where things of ours are kept."""

    cache_dir: CacheDir = None
    state_dir: StateDir = None


def plain_request(
    ctx: typer.Context, chosen: Chosen, keeping: Keeping, link: Link, allowing: Allowing | None = None
) -> Request:
    """A request about replicas as they are, but for what the configuration leaves out."""
    return Request(
        chosen.locations,
        rules=tuple(filters.lines(filter_values(*configured(ctx)))),
        cache_dir=cache_place(keeping.cache_dir),
        link=link,
        state_dir=state_place(keeping.state_dir),
        allowed=Allowed(*(allowing or ())),
        names=chosen.names,
    )
