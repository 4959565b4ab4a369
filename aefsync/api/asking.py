"""Asking: options, which are keywords, as the requests of the engine."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from aefsync.core.guards import parse_max_delete
from aefsync.core.identity import Allowed
from aefsync.core.metadata import Aspects
from aefsync.core.path import RelPath
from aefsync.core.policy import Policies, parse_globs, parse_policy, parse_rule
from aefsync.core.space import Share
from aefsync.core.writing import Writing
from aefsync.errors import UsageError
from aefsync.sync import places
from aefsync.sync.digest import parse_path
from aefsync.sync.preferring import preferred
from aefsync.sync.request import RepairRequest, Request
from aefsync.wire.login import Link

if TYPE_CHECKING:
    from aefsync.sync.scrub import ScrubRequest

Location = str | os.PathLike[str]
"""A path of this machine, or a text as on the command line: `host:path`, `ssh://...`, `sftp://...`."""
Path = str | bytes | os.PathLike[str]
"""A path below a root, `/` between its components; the root itself is empty, or a dot."""


class Options(TypedDict, total=False):
    """What all runs may be told; manual pages say more under the options of these names."""

    exclude: Sequence[str]
    """gitignore patterns, the last match wins; one with a `!` before it takes in again"""
    paths: Sequence[Path]
    """only these sub-trees"""
    checksum: bool
    """read every file, whatever the index says"""
    one_file_system: bool
    aspects: Aspects
    """the metadata that counts: by default permission bits and times"""
    allowed: Allowed
    """what a guard would stop, allowed this once"""
    link: Link
    """how other hosts are reached"""
    cache_dir: str
    """where indexes are kept (empty: nowhere); by default as for the program"""
    state_dir: str
    """where known roots are remembered (empty: nowhere); by default as for the program"""


class RepairOptions(Options, total=False):
    """What repairs may be told beside that."""

    dry_run: bool
    """change nothing, only say what would be done"""
    resolve: Literal["versions", "lww"]
    conflicts: str
    """`keep-both` (the default), `newest`, `skip`, `prefer:LOCATION`, `merge:CMD`"""
    rules: Sequence[tuple[str, str]]
    """globs, and what becomes of conflicts on paths like these; the last one that fits wins"""
    mirror: bool
    """the first location is the truth; all others become like it"""
    no_delete: bool
    """delete nothing, with `mirror` neither what the first one does not have; the next run without it does"""
    max_delete: str
    """`N` or `N%`; by default 50 %, and at least 10"""
    create_root: bool
    """whether a root that is missing is made (it is)"""
    allow_unrelated_roots: bool
    lock_wait_s: int
    """how long to wait for another run on one of the roots; by default not at all"""
    max_duration_s: int
    writing: Writing
    """durability, and what becomes of the trash"""
    min_free: Share
    """what of each file system has to stay free; by default 1 %"""


def request(locations: Sequence[Location], options: Mapping[str, Any]) -> Request:
    """What all runs have in common, from `Options`; raises `UsageError`."""
    own = {name: value for name, value in options.items() if name not in ("exclude", "paths")}
    usual = {"cache_dir": places.cache_dir(os.environ), "state_dir": places.state_dir(os.environ)}
    chosen = tuple(parse_path(os.fsencode(path)) for path in options.get("paths", ()))
    return Request(
        tuple(os.fspath(location) for location in locations),
        rules=tuple(options.get("exclude", ())),
        paths=() if b"" in chosen else tuple(map(RelPath, chosen)),
        **(usual | own),
    )


def repair_request(locations: Sequence[Location], options: Mapping[str, Any]) -> RepairRequest:
    """A repair, from `RepairOptions`; raises `UsageError`."""
    own = {name: value for name, value in options.items() if name in RepairRequest._fields}
    common = request(locations, {name: options[name] for name in options if name in Options.__annotations__})
    wanted = RepairRequest(common, **own)
    try:
        parse_max_delete(wanted.max_delete)
    except ValueError as error:
        raise UsageError(f"max_delete: {error}") from None
    policies = _policies(options)
    if policies is None:
        return wanted
    known = ", ".join(common.locations)
    return wanted._replace(policies=policies, preferred=preferred(policies, (common.locations,), known))


def _policies(options: Mapping[str, Any]) -> Policies | None:
    """How conflicts are settled; `None` where versions do not count."""
    resolve, is_mirror = options.get("resolve", "versions"), options.get("mirror", False)
    if resolve not in ("versions", "lww"):
        raise UsageError(f"resolve: {resolve!r} is neither 'versions' nor 'lww'")
    if resolve == "lww" or is_mirror:
        if is_mirror and options.keys() & {"resolve", "conflicts", "rules"}:
            raise UsageError("mirror leaves nothing to resolve: the first replica is the truth")
        return None
    try:
        rules = tuple(parse_rule(glob, policy) for glob, policy in options.get("rules", ()))
        return Policies(parse_policy(options.get("conflicts", "keep-both")), rules)
    except ValueError as error:
        raise UsageError(f"conflicts: {error}") from None


def scrub_request(
    locations: Sequence[Location],
    options: Mapping[str, Any],
    peers: Sequence[Location],
    accept: Sequence[str],
    suspects: Sequence[str],
) -> ScrubRequest:
    """Replicas to be scrubbed; raises `UsageError`."""
    from aefsync.sync.scrub import ScrubRequest

    try:
        accepted, mended = parse_globs(accept), parse_globs(suspects)
    except ValueError as error:
        raise UsageError(str(error)) from None
    asked = tuple(os.fspath(peer) for peer in peers)
    return ScrubRequest(request(locations, options), asked, accepted=accepted, mended=mended)


def check(locations: Sequence[Location], options: Mapping[str, Any], known: type, at_least: int) -> None:
    """Raise `TypeError` for an option that is not `known`, `UsageError` where there are too few locations."""
    unknown = options.keys() - known.__annotations__.keys()
    if unknown:
        raise TypeError(f"there is no option {min(unknown)!r}")
    if len(locations) < at_least:
        raise UsageError(f"at least {at_least} replicas are needed")
