"""The options that say which version of a path wins, and what becomes of conflicts."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Annotated

import typer

from aefsync.cli.chosen import Chosen
from aefsync.cli.command import configured, is_on_the_line
from aefsync.cli.environment import variable
from aefsync.cli.options import option
from aefsync.core.labels import label
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.policy import Policies, PolicyKind, Rule, parse_policy
from aefsync.errors import UsageError
from aefsync.sync.preferring import preferred

VERSIONS, LWW = "versions", "lww"


class Resolving(NamedTuple):
    """How replicas that differ are made to agree."""

    resolve: Annotated[
        str,
        option(
            "--resolve",
            says="Which version wins: the one that had seen the other (versions), or the one last written (lww).",
            metavar="versions|lww",
        ),
    ] = VERSIONS
    conflicts: Annotated[
        str,
        option(
            "--conflicts",
            says="What becomes of versions that had not seen each other: keep-both (default), newest, skip, "
            "prefer:REPLICA, merge:CMD.",
            metavar="POLICY",
        ),
    ] = str(PolicyKind.KEEP_BOTH)


class Resolution(NamedTuple):
    """The same for the engine: no `policies` where the last write wins."""

    policies: Policies | None = None
    preferred: tuple[tuple[str, int], ...] = ()


def resolution_of(ctx: typer.Context, resolving: Resolving, chosen: Chosen, *, mirror: bool) -> Resolution:
    """How the replicas of a command line are made to agree; raises `UsageError`."""
    _check(ctx, resolving, mirror=mirror)
    if mirror or resolving.resolve == LWW:
        return Resolution()
    config, own = configured(ctx)
    try:
        policies = Policies(parse_policy(resolving.conflicts), _rules(ctx, own.rules if own else ()))
    except ValueError as error:
        raise UsageError(f"--conflicts: {error}") from None
    return Resolution(policies, _preferred(policies, chosen, config.file))


def _rules(ctx: typer.Context, rules: Sequence[Rule]) -> tuple[Rule, ...]:
    """What holds of the rules of a set: the command line and the environment, which come before it, mean all paths."""
    if is_on_the_line(ctx, "conflicts") or os.environ.get(variable("--conflicts")):
        return tuple(rule._replace(policy=None) for rule in rules)
    return tuple(rules)


def _check(ctx: typer.Context, resolving: Resolving, *, mirror: bool) -> None:
    for name in ("resolve", "conflicts"):
        if mirror and is_on_the_line(ctx, name):
            raise UsageError(f"--mirror and --{name} exclude each other: with --mirror the first replica is the truth")
    if resolving.resolve not in (VERSIONS, LWW):
        raise UsageError(f"--resolve: {resolving.resolve!r} is no way to resolve; {VERSIONS} and {LWW} are")
    if resolving.resolve == LWW and is_on_the_line(ctx, "conflicts"):
        raise UsageError("--conflicts belongs to --resolve versions: where the last write wins, nothing is in conflict")


def _preferred(policies: Policies, chosen: Chosen, file: str) -> tuple[tuple[str, int], ...]:
    """The replicas that policies prefer, by what these call them: a name, a location or a label."""
    if len(chosen.locations) == 1:
        return ()  # the others turn up later, in gossip
    labels = tuple(map(label, range(len(chosen.locations))))
    known = ", ".join(f"{own} ({location})" for own, location in zip(labels, chosen.locations, strict=True))
    try:
        return preferred(policies, (chosen.names, chosen.locations, labels), known)
    except UsageError as error:
        error.hint = f"a rule may come from {file}" if file else None
        raise
