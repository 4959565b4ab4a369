"""The replicas that a command line chooses: locations as they stand, and sets of the configuration by `@NAME`."""

from __future__ import annotations

from collections.abc import Sequence

import typer

from aefsync.cli.command import configured
from aefsync.core.named_tuple import NamedTuple
from aefsync.errors import UsageError


class Chosen(NamedTuple):
    """The replicas of a command line, sets spelled out; `names` are those that a set gives to some of them."""

    locations: tuple[str, ...]
    names: tuple[str, ...] = ()


def replicas(ctx: typer.Context, words: Sequence[str]) -> Chosen:
    """The replicas that words stand for; raises `UsageError` for a set that does not exist."""
    config, chosen = configured(ctx)
    pairs: list[tuple[str, str]] = []
    for word in words:
        if chosen is not None and word.startswith("@"):
            pairs += zip(chosen.locations, chosen.names, strict=True)
        elif word.startswith("@"):
            known = f"{config.file} has no set of that name" if config.file else "there is no configuration file"
            raise UsageError(f"{word}: {known}", hint=f"a directory of that name is ./{word}")
        else:
            pairs.append((word, ""))
    names = tuple(name for _, name in pairs)
    return Chosen(tuple(location for location, _ in pairs), names if any(names) else ())


def one_replica(ctx: typer.Context, word: str) -> Chosen:
    """The replica that a word stands for."""
    chosen = replicas(ctx, [word])
    if len(chosen.locations) > 1:
        raise UsageError(f"{word}: one replica is wanted here, not a set of them")
    return chosen


def at_least_two(command: str, chosen: Chosen) -> Chosen:
    """The replicas, if there are enough to compare."""
    if len(chosen.locations) < 2:
        raise UsageError(f"{command} needs at least two replicas", hint=f"aefsync {command} A B")
    return chosen
