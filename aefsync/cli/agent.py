"""`aefsync agent`: the far side of a session; stdout carries protocol only."""

from __future__ import annotations

import os
from typing import Annotated

from aefsync.cli.options import option

Root = Annotated[str | None, option("--root", says="Serve this directory and what is beneath, only.", metavar="DIR")]
ReadOnly = Annotated[bool, option("--read-only", says="Let nothing be changed.")]
AppendOnly = Annotated[
    bool, option("--append-only", says="Whatever is replaced or deleted goes to the trash, and stays there.")
]


def agent(*, root: Root = None, read_only: ReadOnly = False, append_only: AppendOnly = False) -> int:
    """Serve a replica over stdin and stdout.

    This is the far side of a session: stdout carries protocol only. In authorized_keys: command="aefsync agent --root /srv/p",restrict
    """
    from aefsync.sync.agent import Pin, serve_stdio

    serve_stdio(Pin(None if root is None else os.fsencode(root), read_only, append_only))
    return 0
