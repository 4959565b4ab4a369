"""Locations: what the user writes for a replica.

PATH                            here; ./a:b and /x/a:b are local names with a colon
[user@]host:path                relative to the login's home unless absolute; [::1]:path for IPv6
ssh://[user@]host[:port]/path   absolute; ssh://host/~/path relative to the home
sftp://[user@]host[:port]/path  the same, over SFTP: no agent is asked for
"""

from __future__ import annotations

import os
import re
from urllib.parse import unquote_to_bytes

from aefsync.core.named_tuple import NamedTuple
from aefsync.errors import UsageError
from aefsync.wire.login import Login

_SCHEME = r"(ssh|sftp)://"
_SHORT = r"(?s)((?:[^/:\s]+@)?)(\[[^\]/\s]*\]|[^/:\[\]@\s]+):(.*)"
_AUTHORITY = r"((?:[^/:\s]+@)?)(\[[^\]/\s]*\]|[^/:\[\]@\s]+)(?::([0-9]+))?"
_REFUSED = r"""[\x00-\x20\x7f-\xa0'"`$\\;&<>|(){}*?!~#]"""
"""What no name of a host or user holds, and some shell on the way could act on."""


class Location(NamedTuple):
    """A root: on this machine, or where `login` leads; `text` is what the user wrote, for messages."""

    text: str
    path: bytes
    login: Login | None = None
    agentless: bool = False
    """over SFTP, whatever there may be on that host beside it"""

    @property
    def is_served_here(self) -> bool:
        """Whether the process that serves it runs on this machine."""
        return self.login is None or self.agentless


def parse(text: str) -> Location:
    """Understand a location; raises `UsageError`."""
    if not text:
        raise UsageError("a location is empty")
    if "\0" in text:
        raise UsageError("a location with a NUL byte")
    if text.startswith("@"):
        raise UsageError(
            f"{text}: a set of replicas stands on the command line only; a directory of that name is ./{text}"
        )
    if ":" not in text:
        return Location(text, os.fsencode(text))
    scheme = re.match(_SCHEME, text)
    if scheme:
        return _parse_url(text, scheme[1], text[scheme.end() :])
    short = re.fullmatch(_SHORT, text)
    if short:
        return Location(text, _home_path(text, os.fsencode(short[3])), _login(text, short[1], short[2], None))
    return Location(text, os.fsencode(text))


def _parse_url(text: str, scheme: str, rest: str) -> Location:
    authority, slash, path = rest.partition("/")
    parts = re.fullmatch(_AUTHORITY, authority)
    if not parts:
        raise UsageError(f"{text}: no host can be made out", hint=f"{scheme}://[user@]host[:port]/path")
    login = _login(text, parts[1], parts[2], parts[3])
    name = unquote_to_bytes(os.fsencode(path))
    if b"\0" in name:
        raise UsageError("a location with a NUL byte")
    at_home = not slash or name.startswith(b"~")
    return Location(text, _home_path(text, name) if at_home else b"/" + name, login, agentless=scheme == "sftp")


def _home_path(text: str, path: bytes) -> bytes:
    """A path relative to the login's home (`.` for the home itself), or an absolute one."""
    if path == b"~" or path.startswith(b"~/"):
        path = path[2:].lstrip(b"/")
    elif path.startswith(b"~"):
        raise UsageError(f"{text}: the home of another user is not looked up; write its path")
    return path or b"."


def _login(text: str, user: str, host: str, port: str | None) -> Login:
    host = host.removeprefix("[").removesuffix("]")
    name = user.removesuffix("@")
    for what, word in (("host", host), ("user", name)):
        if word.startswith("-") or re.search(_REFUSED, word) or (what == "host" and not word):
            raise UsageError(f"{text}: {word!r} is no name of a {what}")
    if port is not None and not 0 < int(port) < 1 << 16:
        raise UsageError(f"{text}: {port} is no port")
    return Login(host, name or None, None if port is None else int(port))
