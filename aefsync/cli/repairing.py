"""What a repair may do: the options that `repair` and all that repairs again and again share, and the request they make."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Annotated

import typer

from aefsync.cli.chosen import Chosen, at_least_two, replicas
from aefsync.cli.command import NO_VALUE, configured
from aefsync.cli.counting import Counting, counted
from aefsync.cli.options import Allowing, Comparing, option, request
from aefsync.cli.reaching import Reaching, link
from aefsync.cli.replica_names import spoken
from aefsync.cli.resolving import Resolving, resolution_of
from aefsync.cli.safety import Safety, min_free_of, writing_of
from aefsync.cli.units import duration_s
from aefsync.core.labels import label
from aefsync.core.named_tuple import NamedTuple
from aefsync.errors import UsageError
from aefsync.sync.events import Notice
from aefsync.sync.request import RepairRequest


class Repairing(NamedTuple):
    """What a repair may do."""

    dry_run: Annotated[bool, option("-n", "--dry-run", says="Only say what would be done (implies -i).")] = False
    itemize: Annotated[
        bool, option("-i", "--itemize-changes", says="A line for each action; with -v its size, what changes and why.")
    ] = False
    mirror: Annotated[
        bool,
        option("--mirror", says="A is the truth: extras on the others go to their trash.", environment_too=False),
    ] = False
    mirror_from: Annotated[
        str | None,
        option(
            "--mirror-from", says="With a set: the replica that is the truth.", metavar="NAME", environment_too=False
        ),
    ] = None
    max_delete: Annotated[
        str,
        option("--max-delete", says="Stop before deleting more (default: 50%, at least 10).", metavar="N|N%"),
    ] = "50%"
    no_delete: Annotated[bool, option("--no-delete", says="Delete nothing: the next run without it does.")] = False
    lock_wait: Annotated[
        str,
        option("--lock-wait", says="Wait so long for another run to end (default: not at all).", metavar="DURATION"),
    ] = "0s"
    max_duration: Annotated[
        str | None,
        option("--max-duration", says="End when so much time has passed; the next run goes on.", metavar="DURATION"),
    ] = None
    no_create_root: Annotated[bool, option("--no-create-root", says="A root that is missing is an error.")] = False
    allow_unrelated_roots: Annotated[
        bool,
        option("--allow-unrelated-roots", says="Join trees with hardly a path in common.", environment_too=False),
    ] = False
    allow_unreachable: Annotated[
        str | None,
        option(
            "--allow-unreachable",
            says="A replica that cannot be reached is no cause for exit 7 (=14d: for so long).",
            metavar="[=DURATION]",
            environment_too=False,
        ),
    ] = None


class Asked(NamedTuple):
    """A request for a repair, and what has to be said about it."""

    request: RepairRequest
    notices: tuple[Notice, ...]


def asked(
    ctx: typer.Context,
    locations: Sequence[str],
    repairing: Repairing,
    resolving: Resolving,
    safety: Safety,
    allowing: Allowing,
    counting: Counting,
    comparing: Comparing,
    reaching: Reaching,
) -> Asked:
    """The options as a value of the engine; raises `UsageError`."""
    chosen = _in_order(
        at_least_two(str(ctx.info_name), replicas(ctx, locations)), repairing, by_set=configured(ctx).chosen is not None
    )
    wanted = repair_of(ctx, chosen, repairing, resolving, safety, allowing, counting, comparing, reaching)
    return Asked(wanted, (_direction(chosen.locations),) if repairing.mirror else ())


def repair_of(
    ctx: typer.Context,
    chosen: Chosen,
    repairing: Repairing,
    resolving: Resolving,
    safety: Safety,
    allowing: Allowing,
    counting: Counting,
    comparing: Comparing,
    reaching: Reaching,
) -> RepairRequest:
    """A repair of these replicas, in this order; raises `UsageError`."""
    _check(repairing)
    limit = repairing.max_duration
    return RepairRequest(
        counted(request(chosen, comparing, link(reaching), ctx, allowing), counting),
        dry_run=repairing.dry_run,
        mirror=repairing.mirror,
        create_root=not repairing.no_create_root,
        max_delete=repairing.max_delete,
        no_delete=repairing.no_delete,
        lock_wait_s=duration_s(repairing.lock_wait, "--lock-wait"),
        max_duration_s=limit if limit is None else duration_s(limit, "--max-duration"),
        allow_unrelated_roots=repairing.allow_unrelated_roots,
        writing=writing_of(ctx, safety),
        min_free=min_free_of(safety),
        away_s=_away_s(repairing.allow_unreachable),
        **resolution_of(ctx, resolving, chosen, mirror=repairing.mirror)._asdict(),
    )


def _away_s(text: str | None) -> float | None:
    """How long a replica may be away; without a value for ever."""
    return None if text is None else math.inf if text == NO_VALUE else duration_s(text, "--allow-unreachable")


def _check(repairing: Repairing) -> None:
    if not re.fullmatch(r"\d{1,18}|(\d{1,2}|100)%", repairing.max_delete):
        raise UsageError(f"--max-delete: {repairing.max_delete!r} is neither a number nor a percentage")


def _in_order(chosen: Chosen, repairing: Repairing, *, by_set: bool) -> Chosen:
    """The replicas, that which is the truth first; a set has no first replica, so the line has to name it."""
    name = repairing.mirror_from
    if name is not None and not (repairing.mirror and by_set):
        raise UsageError("--mirror-from belongs to --mirror with a set of replicas")
    if not (repairing.mirror and by_set):
        return chosen
    if name is None:
        raise UsageError("--mirror with a set of replicas needs --mirror-from NAME, the replica that is the truth")
    if name not in chosen.names:
        known = ", ".join(filter(None, chosen.names)) or "none has a name"
        raise UsageError(f"--mirror-from: the set has no replica {name!r}; there are: {known}")
    order = sorted(range(len(chosen.locations)), key=lambda i: chosen.names[i] != name)
    return Chosen(tuple(chosen.locations[i] for i in order), tuple(chosen.names[i] for i in order))


def _direction(locations: Sequence[str]) -> Notice:
    others = [f"{label(i)} ({location})" for i, location in enumerate(locations)][1:]
    verb = "is" if len(others) == 1 else "are"
    return Notice(f"mirror: A ({locations[0]}) is the truth; {spoken(others)} {verb} made like it", warning=True)
