"""`aefsync members`: a root first, then `list`, `add`, `leave` or `forget`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer

from aefsync.cli.chosen import one_replica
from aefsync.cli.keeping import Keeping, plain_request
from aefsync.cli.options import Output, option
from aefsync.cli.playing import play
from aefsync.cli.reaching import Reaching, link
from aefsync.core.membership import check_name
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.ports import Monitor
from aefsync.errors import UsageError
from aefsync.sync.events import Event
from aefsync.sync.request import Request

Words = Annotated[
    list[str], typer.Argument(metavar="ROOT [list | add NAME LOCATION | leave | forget NAME]", hidden=True)
]
NoLocation = Annotated[bool, option("--no-location", says="add: NAME is not reached from here.")]
_OPERANDS = {"list": (), "add": ("NAME", "LOCATION"), "leave": (), "forget": ("NAME",)}


class Wanted(NamedTuple):
    """The words of the command line, sorted out."""

    verb: str = "list"
    name: str = ""
    location: str = ""


def members(
    ctx: typer.Context,
    words: Words,
    *,
    no_location: NoLocation = False,
    keeping: Keeping,
    reaching: Reaching,
    output: Output,
) -> int:
    """Show and say who takes part.

    list: name, state, last success, id and location of each member. add: has the replica at LOCATION take part. leave:
    nobody waits for this replica any more. forget: the same, of a member that will not come back.
    """
    root, *rest = words
    wanted = sorted_out(rest, has_location=not no_location)
    common = plain_request(ctx, one_replica(ctx, root), keeping, link(reaching))
    return play(output, lambda monitor: _run(wanted, common, monitor))


def sorted_out(words: list[str], *, has_location: bool = True) -> Wanted:
    """Tell verb and operands apart; raises `UsageError`."""
    verb, *operands = words or ["list"]
    if verb not in _OPERANDS:
        raise UsageError(f"members: {verb!r} is none of {', '.join(_OPERANDS)}", hint="aefsync members --help")
    expected = _OPERANDS[verb] if has_location else _OPERANDS[verb][:1]
    if not has_location and verb != "add":
        raise UsageError(f"members {verb}: --no-location has no meaning here")
    if len(operands) != len(expected):
        raise UsageError(f"members {verb}: it is aefsync members ROOT {' '.join((verb, *expected))}")
    if verb == "add" and has_location:
        try:
            check_name(operands[0])
        except ValueError as error:
            raise UsageError(f"members add: {error}") from None
    return Wanted(verb, *operands)


def _run(wanted: Wanted, common: Request, monitor: Monitor) -> Iterator[Event]:
    from aefsync.sync.members import add_member, forget, leave, list_members

    match wanted.verb:
        case "add":
            return add_member(common, wanted.name, wanted.location or None, monitor)
        case "leave":
            return leave(common, monitor)
        case "forget":
            return forget(common, wanted.name, monitor)
    return list_members(common, monitor)
