"""How replicas are called: A, B, C … in the order given."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def label(replica: int) -> str:
    """A … Z, then AA, AB …"""
    tail = chr(ord("A") + replica % 26)
    return tail if replica < 26 else label(replica // 26 - 1) + tail


def labels(replicas: Iterable[int]) -> str:
    """The labels of several replicas, run together: `BC`."""
    return "".join(label(replica) for replica in replicas)


def spoken(words: Sequence[str]) -> str:
    """`A`, `A and B`, `A, B and C`."""
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)


def history_starts(replicas: Sequence[int]) -> str:
    """What is said where a run was the first to leave anything."""
    return f"history starts: .aefsync/ created on {', '.join(map(label, replicas))}"
