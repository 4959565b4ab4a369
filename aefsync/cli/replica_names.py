"""How replicas are called: A, B, C … in the order given."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from aefsync.core.labels import label


def labels(replicas: Iterable[int]) -> str:
    """The labels of several replicas, run together: `BC`."""
    return "".join(label(replica) for replica in replicas)


def spoken(words: Sequence[str]) -> str:
    """`A`, `A and B`, `A, B and C`."""
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)


def history_starts(replicas: Sequence[int]) -> str:
    """What is said where a run was the first to leave anything."""
    return f"history starts: .aefsync/ created on {', '.join(map(label, replicas))}"
