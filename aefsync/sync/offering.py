"""What a host without an agent can be offered: the same root by SFTP, and how much of it would be read over the network.

It is found out by a listing that ends soon, and asks nobody for a password: a form without a figure is an answer, too.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable
from urllib.parse import quote

from aefsync.core.files import Files, List, Resolve, ask, told
from aefsync.core.path import RESERVED
from aefsync.core.space import size_text
from aefsync.errors import AefsyncError
from aefsync.sync.location import Location
from aefsync.wire.login import Link, Login

LONGEST_S = 3.0
MOST = 20_000
"""Entries that are looked at."""


def sftp_form(location: Location, login: Login, link: Link) -> str:
    """A line that names the location by SFTP and says what that would cost."""
    return f"{_url(location, login)}   needs none, and reads {_amount(location, login, link)} over the network"


def _url(location: Location, login: Login) -> str:
    host = f"[{login.host}]" if ":" in login.host else login.host
    user = f"{login.user}@" if login.user else ""
    port = f":{login.port}" if login.port else ""
    path = quote(os.fsdecode(location.path).encode("utf-8", "surrogateescape"), safe="/")
    place = path if path.startswith("/") else "/~/" if path == "." else f"/~/{path}"
    return f"sftp://{user}{host}{port}{place}"


def _amount(location: Location, login: Login, link: Link) -> str:
    from aefsync.sync.agentless import connect

    unknown = "whatever is not known yet"
    try:
        files = connect(login, link._replace(connect_timeout_s=min(link.connect_timeout_s, LONGEST_S)), ask=None)
    except AefsyncError:
        return unknown
    try:
        count, size, is_whole = measure(files, told(files, Resolve(location.path)))
    except (AefsyncError, OSError):
        return unknown
    finally:
        files.close()
    return f"{'' if is_whole else 'more than '}{size_text(size)} in {count} files at first" if count else unknown


def measure(files: Files, root: bytes, clock: Callable[[], float] = time.monotonic) -> tuple[int, int, bool]:
    """How many files there are below a root, their bytes, and whether that is all."""
    end, count, size, seen = clock() + LONGEST_S, 0, 0, 0
    pending = [root]
    while pending:
        some, pending = pending[:64], pending[64:]
        for place, listed in zip(some, ask(files, *map(List, some)), strict=True):
            for name, found in listed if isinstance(listed, tuple) else ():
                seen += 1
                if stat.S_ISREG(found.st_mode):
                    count, size = count + 1, size + found.st_size
                elif stat.S_ISDIR(found.st_mode) and name != RESERVED:
                    pending.append(place.rstrip(b"/") + b"/" + name)
        if pending and (seen > MOST or clock() > end):
            return count, size, False
    return count, size, True
