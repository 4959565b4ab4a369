"""`aefsync trash`: roots first, then `list`, `restore` or `purge`."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Annotated

import typer

from aefsync.cli.chosen import replicas
from aefsync.cli.options import Output, option, relative
from aefsync.cli.playing import play
from aefsync.cli.reaching import Reaching, link
from aefsync.cli.units import duration_s, moment_s
from aefsync.cli.verbs import LIST, listed, refuse, split
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.past import TrashQuery
from aefsync.core.ports import Monitor
from aefsync.core.run_id import is_run, since_id
from aefsync.errors import UsageError
from aefsync.sync.events import Event
from aefsync.sync.request import Request

Words = Annotated[
    list[str], typer.Argument(metavar="ROOT... [list [PATH] | restore PATH | purge]", hidden=True)
]  # fmt: skip


class Choosing(NamedTuple):
    """Which things in the trash are meant."""

    since: Annotated[
        str | None, option("--since", says="list: what was put there in this time, such as 2d.", metavar="DURATION")
    ] = None
    run: Annotated[str | None, option("--run", says="list, restore: what this run put there.", metavar="ID")] = None
    at: Annotated[
        str | None, option("--at", says="restore: as it was at that time (2026-11-22T10:00).", metavar="TIME")
    ] = None
    to: Annotated[str | None, option("--to", says="restore: into this directory, not in place.", metavar="DIR")] = None
    older_than: Annotated[
        str | None,
        option("--older-than", says="purge: what has been there this long, such as 30d.", metavar="DURATION"),
    ] = None


_ALLOWED = {LIST: {"since", "run"}, "restore": {"run", "at", "to"}, "purge": {"older_than"}}


class Wanted(NamedTuple):
    """The words of the command line, sorted out."""

    roots: tuple[str, ...]
    verb: str
    path: bytes


def trash(ctx: typer.Context, words: Words, choosing: Choosing, reaching: Reaching, output: Output) -> int:
    """List, restore or purge what repairs replaced or deleted.

    list: run (its time), replica, why, size and path of each thing, newest first; of PATH and what is below it.
    restore: puts PATH back; what is there now takes its place in the trash. purge: deletes for good.
    """
    wanted = sorted_out(words)
    _check(ctx, wanted, choosing)
    common = Request(replicas(ctx, wanted.roots).locations, link=link(reaching))
    return play(output, lambda monitor: _run(wanted, choosing, common, monitor))


def sorted_out(words: list[str]) -> Wanted:
    """Tell roots, verb and path apart; raises `UsageError`."""
    roots, verb, operands = split(words, _ALLOWED)
    if len(operands) > 1 or (verb == "purge" and operands):
        raise UsageError(f"trash {verb}: too many words: {' '.join(operands)}")
    if verb == "restore" and not operands:
        raise UsageError("trash restore needs a path")
    path = relative(operands[0]) if operands else b""
    if verb == "restore" and not path:
        raise UsageError("trash restore needs a path below the root")
    return Wanted(roots, verb, path)


def _check(ctx: typer.Context, wanted: Wanted, choosing: Choosing) -> None:
    refuse(ctx, f"trash {wanted.verb}", (name for name in choosing._fields if name not in _ALLOWED[wanted.verb]))
    if wanted.verb == "purge" and choosing.older_than is None:
        raise UsageError("trash purge needs --older-than", hint="such as --older-than 30d; 0s means everything")
    if choosing.run is not None and choosing.at is not None:
        raise UsageError("trash restore: --run and --at exclude each other")


def _run(wanted: Wanted, choosing: Choosing, common: Request, monitor: Monitor) -> Iterator[Event]:
    from aefsync.sync.trash import list_trash, purge_trash, restore_trash

    if wanted.verb == "purge":
        return purge_trash(common, duration_s(choosing.older_than or "", "--older-than"), monitor)
    if wanted.verb == "restore":
        since = "" if choosing.at is None else run_at(choosing.at)
        query = TrashQuery(wanted.path, choosing.run or "", since)
        to = None if choosing.to is None else os.fsencode(choosing.to)
        return restore_trash(common, query, to, monitor, at=choosing.at is not None)
    since = "" if choosing.since is None else since_id(time.time() - duration_s(choosing.since, "--since"))
    query = TrashQuery(wanted.path, choosing.run or "", since)
    return listed(list_trash(common, query, monitor), "trash", wanted.roots)


def run_at(text: str) -> str:
    """Below the ids of all runs since a time (which what stood there then outlived), or that of a run."""
    return text if is_run(text) else since_id(moment_s(text, "--at"))
