"""`aefsync deploy`: put an agent on a host."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from aefsync import __version__
from aefsync.cli.escape import escape_text
from aefsync.cli.options import Output
from aefsync.cli.reaching import Reaching, link
from aefsync.cli.records import tell
from aefsync.errors import AefsyncError, UsageError
from aefsync.sync.location import parse

Host = Annotated[str, typer.Argument(metavar="[USER@]HOST", hidden=True)]


def deploy(*, host: Host, output: Output, reaching: Reaching) -> int:
    """Put an agent on a host, in the cache directory of the login.

    Copies this program and the packages that fit the Python there (3.11 or newer); needs no root and touches nothing
    else. Agents of other versions are removed.
    """
    location = parse(host if ":" in host else f"{host}:")
    if location.login is None:
        raise UsageError(f"{host}: deploy needs a host", hint="aefsync deploy [user@]host")
    from aefsync.sync.connecting import deploy_to

    try:
        place = deploy_to(location.login, link(reaching), _heard)
    except AefsyncError as error:
        if location.login.host not in error.message:
            error.put_before(str(location.login))
        raise
    if output.json:
        tell("deploy", [host], [{"event": "deployed", "version": __version__, "place": place}])
    elif not output.quiet:
        sys.stdout.write(f"aefsync {__version__} is on {escape_text(str(location.login))}: {escape_text(place)}\n")
    return 0


def _heard(line: str) -> None:
    sys.stderr.write(f"| {escape_text(line)}\n")
