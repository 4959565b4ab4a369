"""Hints: what a replica says between two passes of a watch.  They only tell where to look; what changed a scan decides."""

from __future__ import annotations

from aefsync.core.named_tuple import NamedTuple

MOST_HINTS = 1024
"""Sub-trees that are told apart; of more, a look at everything is as good."""
ROOT = b""
"""The sub-tree that is everything."""


class Wait(NamedTuple):
    """How to wait.  With `listen` changes are listened for from now on; without, nobody does."""

    limit_ms: int = 0
    listen: bool = True


class Hints(NamedTuple):
    """Sub-trees by their paths, the root's being empty.

    In those `changed` something may have changed since the last `hello`, or since they were told last.  Of those `deaf`
    nothing is heard, so that they have to be polled; `reason` says why, and what helps.
    """

    changed: tuple[bytes, ...] = ()
    deaf: tuple[bytes, ...] = ()
    reason: str = ""


def bounded(paths: list[bytes]) -> tuple[bytes, ...]:
    """The sub-trees, each once; everything, where there are too many of them."""
    different = tuple(dict.fromkeys(paths))
    return (ROOT,) if ROOT in different or len(different) > MOST_HINTS else different


EVERYTHING = Hints((ROOT,))
