"""The options that say how carefully a run writes."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from aefsync.cli.options import option
from aefsync.core.writing import Durability, Writing
from aefsync.errors import UsageError

_LEVELS = {level.name.lower(): level for level in Durability}


class Safety(NamedTuple):
    """How carefully a run writes."""

    durability: Annotated[
        str,
        option(
            "--durability",
            says="What to wait for: each file on the disk, batches of them (default), or nothing.",
            metavar="full|batch|none",
        ),
    ] = "batch"


def writing_of(safety: Safety) -> Writing:
    """The way of writing that is asked for; raises `UsageError`."""
    if safety.durability not in _LEVELS:
        raise UsageError(f"--durability: {safety.durability!r} is none of {', '.join(_LEVELS)}")
    return Writing(_LEVELS[safety.durability])
