"""Labels: how replicas are called by their place among those given."""

from __future__ import annotations


def label(replica: int) -> str:
    """A … Z, then AA, AB …"""
    tail = chr(ord("A") + replica % 26)
    return tail if replica < 26 else label(replica // 26 - 1) + tail
