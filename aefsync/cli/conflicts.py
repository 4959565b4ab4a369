"""`aefsync conflicts`: roots first, then `list`, `resolve` or `prune`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer

from aefsync.cli.chosen import replicas
from aefsync.cli.keeping import Keeping, plain_request
from aefsync.cli.options import Output, option, relative
from aefsync.cli.playing import play
from aefsync.cli.reaching import Reaching, link
from aefsync.cli.verbs import LIST, listed, refuse, split
from aefsync.core.copies import Take, Way
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.path import RelPath
from aefsync.core.ports import Monitor
from aefsync.errors import UsageError
from aefsync.sync.events import Event
from aefsync.sync.request import Request

Words = Annotated[
    list[str], typer.Argument(metavar="ROOT... [list [PATH...] | resolve PATH... | prune]", hidden=True)
]  # fmt: skip
_VERBS = (LIST, "resolve", "prune")


class Taking(NamedTuple):
    """What becomes of conflict copies."""

    take: Annotated[
        str | None,
        option(
            "--take",
            says="resolve: the version to keep, what is at the path (current), its copy, the newest one, a "
            "replica's, or both.",
            metavar="current|copy|both|newest|REPLICA",
            environment_too=False,
        ),
    ] = None
    all: Annotated[bool, option("--all", says="resolve: all conflict copies.", environment_too=False)] = False
    dry_run: Annotated[bool, option("-n", "--dry-run", says="Only say what would be done (implies -i).")] = False
    itemize: Annotated[bool, option("-i", "--itemize-changes", says="A line for each action.")] = False


class Wanted(NamedTuple):
    """The words of the command line, sorted out."""

    roots: tuple[str, ...]
    verb: str
    paths: tuple[RelPath, ...]


def conflicts(
    ctx: typer.Context, words: Words, taking: Taking, keeping: Keeping, reaching: Reaching, output: Output
) -> int:
    """List, resolve or prune conflict copies, in bulk.

    list: replica, time, size and whose version it is, path of each. resolve: PATH is a copy, what it is a copy of, or a
    directory; what gives way goes to the trash, and undo takes it back. prune: drops copies that are the same as what
    is at their path.
    """
    wanted = sorted_out(words)
    _check(ctx, wanted, taking)
    common = plain_request(ctx, replicas(ctx, wanted.roots), keeping, link(reaching))
    itemize = taking.itemize or taking.dry_run or output.verbose > 0
    return play(output, lambda monitor: _run(wanted, taking, common, monitor), itemize=itemize)


def sorted_out(words: list[str]) -> Wanted:
    """Tell roots, verb and paths apart; raises `UsageError`."""
    roots, verb, operands = split(words, _VERBS)
    paths = [relative(word) for word in operands]
    # The root itself is all that is below it.
    return Wanted(roots, verb, () if b"" in paths else tuple(map(RelPath, paths)))


def _check(ctx: typer.Context, wanted: Wanted, taking: Taking) -> None:
    if wanted.verb != "resolve":
        changing = ("dry_run", "itemize") if wanted.verb == LIST else ()
        refuse(ctx, f"conflicts {wanted.verb}", ("take", "all", *changing))
        if wanted.verb == "prune" and wanted.paths:
            raise UsageError("conflicts prune takes no paths")
        return
    if bool(wanted.paths) == taking.all:
        raise UsageError("conflicts resolve needs paths, or --all")
    if not taking.take:
        raise UsageError("conflicts resolve needs --take", hint=f"one of {', '.join(Way)}, or a replica")


def _run(wanted: Wanted, taking: Taking, common: Request, monitor: Monitor) -> Iterator[Event]:
    from aefsync.sync.conflicts import list_conflicts, prune_conflicts, resolve_conflicts

    if wanted.verb == "prune":
        return prune_conflicts(common, monitor, dry_run=taking.dry_run)
    if wanted.verb == "resolve":
        word = taking.take or ""
        take = Take(Way(word)) if word in tuple(Way) else word
        return resolve_conflicts(common, wanted.paths, take, monitor, dry_run=taking.dry_run)
    return listed(list_conflicts(common, wanted.paths, monitor), "conflicts", wanted.roots)
