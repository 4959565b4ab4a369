"""`aefsync scrub`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated

import typer

from aefsync.cli.chosen import replicas
from aefsync.cli.command import configured
from aefsync.cli.keeping import Keeping, plain_request
from aefsync.cli.metrics import metered, readied
from aefsync.cli.options import Output, option
from aefsync.cli.playing import play
from aefsync.cli.reaching import Reaching, link
from aefsync.cli.reporting import Reporting, open_log, own_files
from aefsync.cli.units import duration_s
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.policy import Globs, edits_of, parse_globs
from aefsync.core.ports import Monitor
from aefsync.errors import UsageError
from aefsync.sync.events import Event

Roots = Annotated[list[str], typer.Argument(metavar="ROOT...", hidden=True)]


class Scrubbing(NamedTuple):
    """What is read, and what becomes of what is found."""

    dry_run: Annotated[bool, option("-n", "--dry-run", says="Only say what is damaged.")] = False
    peer: Annotated[
        list[str] | None, option("--peer", says="Repair from here (may be repeated).", metavar="LOCATION")
    ] = None
    suspects: Annotated[bool, option("--suspects", says="Repair all suspects, too.", environment_too=False)] = False
    suspect: Annotated[
        list[str] | None,
        option("--suspect", says="Repair this suspect, too.", metavar="PATH|GLOB", environment_too=False),
    ] = None
    accept: Annotated[
        list[str] | None,
        option("--accept", says="Take this one for an edit.", metavar="PATH|GLOB", environment_too=False),
    ] = None
    time_limit: Annotated[
        str | None, option("--time-limit", says="Begin no file after this; the next run goes on.", metavar="DURATION")
    ] = None
    read_percent: Annotated[
        str, option("--read-percent", says="Read this share of the bytes only (default: 100).", metavar="N")
    ] = "100"


def scrub(
    ctx: typer.Context,
    roots: Roots,
    scrubbing: Scrubbing,
    keeping: Keeping,
    reaching: Reaching,
    reporting: Reporting,
    output: Output,
) -> int:
    """Find and repair files that changed though nobody wrote them.

    Reads everything, what was verified longest ago first; --bwlimit holds for that, too. What is rot is repaired from
    --peer, from the other ROOTs and from members whose copy is as it was recorded. Suspects (the ctime has changed, and
    nothing else) are listed: repair them with --suspects, or take them for edits with --accept.
    """
    from aefsync.sync.scrub import ScrubRequest
    from aefsync.sync.scrub import scrub as engine

    with readied(ctx, reporting.metrics_file, roots):
        own = configured(ctx).chosen
        reached = link(reaching)
        common = plain_request(ctx, replicas(ctx, roots), keeping, reached)._replace(own=own_files(reporting))
        limit = scrubbing.time_limit
        wanted = ScrubRequest(
            common,
            peers=replicas(ctx, scrubbing.peer or []).locations,
            dry_run=scrubbing.dry_run,
            mended=_globs("--suspect", ["**"] if scrubbing.suspects else scrubbing.suspect or []),
            accepted=_globs("--accept", scrubbing.accept or []),
            edits=edits_of(own.rules if own else ()),
            time_limit_s=None if limit is None else duration_s(limit, "--time-limit"),
            read_percent=_percent(scrubbing.read_percent),
            bytes_per_s=reached.bytes_per_s or 0,
        )
        log = open_log(reporting.log_file)

    def begin(monitor: Monitor) -> Iterator[Event]:
        return metered(engine(wanted, monitor, ctx.obj), reporting.metrics_file, common.locations)

    return play(output, begin, itemize=True, log=log)


def _globs(name: str, texts: Sequence[str]) -> Globs:
    try:
        return parse_globs(texts)
    except ValueError as error:
        raise UsageError(f"{name}: {error}") from None


def _percent(text: str) -> int:
    number = text.removesuffix("%")
    if not (number.isascii() and number.isdigit() and 0 < int(number[:4]) <= 100):
        raise UsageError(f"--read-percent: {text!r} is no share; it is a number from 1 to 100")
    return int(number)
