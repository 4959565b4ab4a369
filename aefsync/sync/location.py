"""Locations: what the user writes for a replica."""

from __future__ import annotations

import os
import re
from typing import NamedTuple

from aefsync.errors import UsageError

_REMOTE = re.compile(r"(ssh|sftp)://|(?:[^/:@\s]+@)?(?:\[[0-9A-Fa-f:.]+\]|[^/:\s]+):")


class Location(NamedTuple):
    """A root on this machine; `text` is what the user wrote, for messages."""

    text: str
    path: bytes


def parse(text: str) -> Location:
    """Understand a location; raises `UsageError`."""
    if not text:
        raise UsageError("a location is empty")
    if "\0" in text:
        raise UsageError("a location with a NUL byte")
    if text.startswith("@"):
        raise UsageError(f"{text}: sets of replicas are not supported yet; a directory of that name is ./{text}")
    if _REMOTE.match(text):
        raise UsageError(f"{text}: replicas over SSH are not supported yet; a local name with a colon is ./{text}")
    return Location(text, os.fsencode(text))
