"""Where aefsync keeps what is not in a replica."""

from __future__ import annotations

import os
from collections.abc import Mapping


def cache_dir(environ: Mapping[str, str]) -> str:
    """Where indexes are kept by default; empty where there is no home (then none is kept)."""
    base = environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(base):
        return os.path.join(base, "aefsync")
    home = environ.get("HOME", "")
    return os.path.join(home, ".cache", "aefsync") if os.path.isabs(home) else ""
