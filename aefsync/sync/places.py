"""Where aefsync keeps what is not in a replica."""

from __future__ import annotations

import os
from collections.abc import Mapping


def cache_dir(environ: Mapping[str, str]) -> str:
    """Where indexes are kept by default; empty where there is no home (then none is kept)."""
    return _place(environ, "XDG_CACHE_HOME", ".cache")


def state_dir(environ: Mapping[str, str]) -> str:
    """Where known roots are remembered by default; empty where there is no home (then none are)."""
    return _place(environ, "XDG_STATE_HOME", os.path.join(".local", "state"))


def config_file(environ: Mapping[str, str]) -> str:
    """Where the configuration is by default; empty where there is no home (then there is none)."""
    place = _place(environ, "XDG_CONFIG_HOME", ".config")
    return os.path.join(place, "config.toml") if place else ""


def _place(environ: Mapping[str, str], variable: str, below_home: str) -> str:
    base = environ.get(variable, "")
    if os.path.isabs(base):
        return os.path.join(base, "aefsync")
    home = environ.get("HOME", "")
    return os.path.join(home, below_home, "aefsync") if os.path.isabs(home) else ""
