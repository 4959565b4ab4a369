"""What a run is asked to do: the options of the command line, as values with their defaults."""

from __future__ import annotations

from aefsync.core.identity import Allowed
from aefsync.core.members import Standing
from aefsync.core.metadata import PLAIN, Aspects
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.path import RelPath
from aefsync.core.policy import Policies
from aefsync.core.space import Share
from aefsync.core.writing import Writing
from aefsync.wire.login import Link


class Request(NamedTuple):
    """What `diff` and `repair` share.  `locations` as the user wrote them, A first."""

    locations: tuple[str, ...]
    rules: tuple[str, ...] = ()
    """gitignore lines in order, an include as `!pattern`"""
    one_file_system: bool = False
    checksum: bool = False
    cache_dir: str = ""
    """empty: keep no index for roots without `.aefsync/`"""
    link: Link = Link()
    state_dir: str = ""
    """empty: remember no roots"""
    allowed: Allowed = Allowed()
    aspects: Aspects = PLAIN
    """the metadata that is to count"""
    paths: tuple[RelPath, ...] = ()
    """only these sub-trees; empty: everything"""
    list_filtered: bool = False
    names: tuple[str, ...] = ()
    """what a set calls them, or empty"""
    own: tuple[str, ...] = ()
    """files of ours on this machine, beside those in `cache_dir` and `state_dir`: they are no part of any tree"""
    acquainted: Standing | None = None
    """what A said of itself and its group just before: others need not say that again"""
    hinted: bool = False
    """`paths` are what somebody has heard of: one that is nowhere is no mistake"""


class DiffRequest(NamedTuple):
    common: Request
    quick: bool = False
    brief: bool = False
    chunks: bool = False
    """say how much of a file differs"""


MIRROR, LAST_WRITE, VERSIONS = "repair --mirror", "repair --resolve lww", "repair"
"""What journals call a repair."""


class RepairRequest(NamedTuple):
    common: Request
    dry_run: bool = False
    mirror: bool = False
    create_root: bool = True
    max_delete: str = "50%"
    """N or N%"""
    allow_unrelated_roots: bool = False
    no_delete: bool = False
    lock_wait_s: int = 0
    max_duration_s: int | None = None
    writing: Writing = Writing()
    min_free: Share = Share(100, is_percentage=True)
    policies: Policies | None = None
    """go by version vectors, and settle conflicts so; `None`: the last write wins"""
    preferred: tuple[tuple[str, int], ...] = ()
    """which replicas `prefer:REPLICA` means, by what policies call them"""

    gauged: bool = False
    """say with the summary how things stand (`Gauges`)"""
    away_s: float | None = None
    """how long a replica may have been out of reach without being a cause for an exit code (`None`: not at all)"""

    @property
    def title(self) -> str:
        """What it is called in journals."""
        return MIRROR if self.mirror else LAST_WRITE if self.policies is None else VERSIONS


class WatchRequest(NamedTuple):
    repair: RepairRequest
    settle_s: float = 0.1
    """how long nothing must have happened before a pass"""
    rescan_s: float = 3600.0
    """how often there is a pass over everything, whatever was heard"""
    polls: bool = False
    """listen to nothing: passes over everything only"""
    tick_s: float = 60.0
    """how long nobody need be told that the watch goes on"""


class GossipRequest(NamedTuple):
    repair: RepairRequest
    """of one replica: that which gossips"""
    every_s: float = 0.0
    """how long it rests between two rounds, on average"""
    rounds: int | None = 1
    """`None`: until it is ended"""
    fanout: int = 1
    """sessions in a round"""
    tick_s: float = 60.0
    """how long nobody need be told that it goes on"""
