"""The options that commands share, declared once, with the environment variable that each is also read from."""

from __future__ import annotations

import os
from typing import Annotated, Any

import typer

from aefsync.cli import environment, filters
from aefsync.cli.chosen import Chosen
from aefsync.cli.command import configured, option_order
from aefsync.cli.config import filter_values
from aefsync.cli.units import duration_ns, in_seconds
from aefsync.core.identity import Allowed
from aefsync.core.metadata import PERMISSIONS, PLAIN, Aspects
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.path import PathError, RelPath
from aefsync.errors import UsageError
from aefsync.sync import places
from aefsync.sync.request import Request
from aefsync.wire.login import Link


def option(*names: str, says: str, metavar: str | None = None, environment_too: bool = True, **more: Any) -> Any:
    """A typer option, read from `AEFSYNC_<OPTION>` as well."""
    long = next(name for name in names if name.startswith("--")).split("/")[0]
    envvar = environment.variable(long) if environment_too else None
    return typer.Option(
        *names, help=says, metavar=metavar, envvar=envvar, show_envvar=False, show_default=False, **more
    )


CacheDir = Annotated[str | None, option("--cache-dir", says="Where indexes are kept ('': nowhere).", metavar="DIR")]
StateDir = Annotated[
    str | None, option("--state-dir", says="Where roots and locations are remembered ('': nowhere).", metavar="DIR")
]
Locations = Annotated[list[str], typer.Argument(metavar="A B [C...]", hidden=True)]


class Output(NamedTuple):
    """What is shown, and how."""

    json: Annotated[bool, option("--json", says="JSON Lines, on stdout; the last line is the summary.")] = False
    verbose: Annotated[int, option("-v", "--verbose", says="Say more.", count=True)] = 0
    quiet: Annotated[bool, option("-q", "--quiet", says="Say only what went wrong.")] = False
    progress: Annotated[
        bool | None, option("--progress/--no-progress", says="Show progress on stderr (on for a terminal).")
    ] = None
    color: Annotated[str, option("--color", says="Colours: auto is for terminals.", metavar="auto|always|never")] = (
        "auto"
    )
    stats: Annotated[bool, option("--stats", says="End with the figures of the run, on stderr.")] = False
    config: Annotated[str | None, option("--config", says="The configuration file ('': none).", metavar="FILE")] = None


class Comparing(NamedTuple):
    """What is compared."""

    exclude: Annotated[
        list[str] | None, option("--exclude", says="Leave out paths like this (gitignore syntax).", metavar="PAT")
    ] = None
    include: Annotated[
        list[str] | None, option("--include", says="Take them in again; the last match wins.", metavar="PAT")
    ] = None
    exclude_from: Annotated[
        list[str] | None, option("--exclude-from", says="Patterns from a file, one a line.", metavar="FILE")
    ] = None
    path: Annotated[
        list[str] | None,
        option("--path", says="Only this sub-tree (may be repeated).", metavar="SUB", environment_too=False),
    ] = None
    list_filtered: Annotated[bool, option("--list-filtered", says="List what the filters leave out.")] = False
    checksum: Annotated[bool, option("-c", "--checksum", says="Read every file, whatever the index says.")] = False
    one_file_system: Annotated[
        bool, option("-x", "--one-file-system", says="Do not cross into other file systems.")
    ] = False
    no_perms: Annotated[bool, option("--no-perms", says="Permission bits do not count, and are not set.")] = False
    no_times: Annotated[bool, option("--no-times", says="Times do not count, and are not set.")] = False
    modify_window: Annotated[
        str, option("--modify-window", says="Times this close count as equal.", metavar="DURATION")
    ] = "0s"
    cache_dir: CacheDir = None
    state_dir: StateDir = None


class Allowing(NamedTuple):
    """What a guard would stop, allowed this once."""

    allow_new_root: Annotated[
        bool,
        option("--allow-new-root", says="Take a root for what it is: missing, or another one.", environment_too=False),
    ] = False
    allow_empty_root: Annotated[
        bool,
        option("--allow-empty-root", says="Take a root that became empty for what it is.", environment_too=False),
    ] = False


def cache_place(given: str | None) -> str:
    """Where indexes are kept; empty: nowhere."""
    return places.cache_dir(os.environ) if given is None else given


def state_place(given: str | None) -> str:
    """Where known roots are remembered; empty: nowhere."""
    return places.state_dir(os.environ) if given is None else given


def request(
    locations: Chosen, comparing: Comparing, link: Link, ctx: typer.Context, allowing: Allowing | None = None
) -> Request:
    """The part of a request that all comparing commands share."""
    given = {name: getattr(comparing, name) or [] for name in filters.FILTERS}
    return Request(
        locations.locations,
        rules=(*filters.lines(filter_values(*configured(ctx))), *filters.rules(option_order(ctx), given)),
        one_file_system=comparing.one_file_system,
        checksum=comparing.checksum,
        paths=_sub_trees(comparing.path or []),
        list_filtered=comparing.list_filtered,
        cache_dir=cache_place(comparing.cache_dir),
        link=link,
        state_dir=state_place(comparing.state_dir),
        allowed=Allowed(*(allowing or ())),
        names=locations.names,
        aspects=_aspects(comparing),
    )


def _aspects(comparing: Comparing) -> Aspects:
    """The metadata that is to count."""
    window_ns = duration_ns(in_seconds(comparing.modify_window), "--modify-window")
    mode_bits = 0 if comparing.no_perms else PERMISSIONS
    return PLAIN._replace(mode_bits=mode_bits, times=not comparing.no_times, window_ns=window_ns)


def relative(text: str) -> bytes:
    """A path below a root as a user types it (`./docs/`), as bytes; the root itself is empty."""
    path = os.path.normpath(os.fsencode(text)) if text else b"."
    if path == b".":
        return b""
    try:
        return RelPath(path)
    except PathError as error:
        raise UsageError(f"{text}: {error}", hint="paths are relative to the root") from error


def _sub_trees(texts: list[str]) -> tuple[RelPath, ...]:
    """The sub-trees that `--path` chooses; none where one of them is everything."""
    if "" in texts:
        raise UsageError("--path: an empty path")
    paths = [relative(text) for text in texts]
    return () if b"" in paths else tuple(map(RelPath, paths))
