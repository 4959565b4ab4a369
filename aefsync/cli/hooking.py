"""The options for hooks: commands that are run after a run."""

from __future__ import annotations

from typing import Annotated

from aefsync.cli.options import option
from aefsync.core.named_tuple import NamedTuple
from aefsync.sync.hooks import Hooks, hook


class Hooking(NamedTuple):
    """What is run after a run that has something to tell: paths NUL-separated on stdin."""

    on_change: Annotated[
        str | None, option("--on-change", says="Run this with the changed paths on its stdin.", metavar="CMD")
    ] = None
    on_conflict: Annotated[
        str | None, option("--on-conflict", says="Run this with the paths in conflict.", metavar="CMD")
    ] = None
    on_error: Annotated[str | None, option("--on-error", says="Run this with the paths in trouble.", metavar="CMD")] = (
        None
    )


def hooks_of(hooking: Hooking) -> Hooks:
    """The same as a value of the engine; raises `UsageError`."""
    return Hooks(*(hook(f"--{name.replace('_', '-')}", text) for name, text in hooking._asdict().items()))
