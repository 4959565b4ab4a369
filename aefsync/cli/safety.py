"""The options that say how carefully a run writes."""

from __future__ import annotations

from typing import Annotated

import typer

from aefsync.cli.command import is_on_the_line
from aefsync.cli.options import option
from aefsync.cli.units import duration_s
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.space import Share, parse_share
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
    no_trash: Annotated[
        bool,
        option("--no-trash", says="Keep nothing of what is replaced or deleted.", environment_too=False),
    ] = False
    trash_keep: Annotated[
        str, option("--trash-keep", says="How long the trash is kept (default: 30d).", metavar="DURATION")
    ] = "30d"
    trash_max: Annotated[
        str, option("--trash-max", says="How large it may get (default: 20% of the disk).", metavar="N%|SIZE")
    ] = "20%"
    min_free: Annotated[
        str, option("--min-free", says="Stop before filling a disk up to this (default: 1%).", metavar="N%|SIZE")
    ] = "1%"


def writing_of(ctx: typer.Context, safety: Safety) -> Writing:
    """The way of writing that is asked for; raises `UsageError`."""
    if safety.durability not in _LEVELS:
        raise UsageError(f"--durability: {safety.durability!r} is none of {', '.join(_LEVELS)}")
    for name in ("trash_keep", "trash_max"):
        if safety.no_trash and is_on_the_line(ctx, name):
            raise UsageError(f"--no-trash and --{name.replace('_', '-')} exclude each other")
    keep_s = duration_s(safety.trash_keep, "--trash-keep")
    return Writing(_LEVELS[safety.durability], not safety.no_trash, keep_s, _share(safety.trash_max, "--trash-max"))


def min_free_of(safety: Safety) -> Share:
    """What of each file system has to stay free; raises `UsageError`."""
    return _share(safety.min_free, "--min-free")


def _share(text: str, option: str) -> Share:
    try:
        return parse_share(text)
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from None
