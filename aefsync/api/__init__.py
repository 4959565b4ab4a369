"""What Python programs get from `import aefsync`: the engine behind few functions, and the values that they give and take.

asking     options, by keyword, as requests to the engine
running    diff, repair, scrub, watch
opened     one replica, opened to be read
result     what a run came to
"""

from aefsync.api.asking import Options, RepairOptions
from aefsync.api.opened import OpenReplica, open_replica
from aefsync.api.result import Result
from aefsync.api.running import Watch, diff, repair, scrub, watch
from aefsync.core.entry import Entry, Kind
from aefsync.core.identity import Allowed
from aefsync.core.metadata import Aspects, Namespaces
from aefsync.core.path import RelPath
from aefsync.core.ports import Monitor, Phase
from aefsync.core.problem import Problem
from aefsync.core.space import Share
from aefsync.core.writing import Durability, Writing
from aefsync.errors import (
    AefsyncError,
    GuardError,
    IncompatibleError,
    LockedError,
    ProtocolError,
    RootError,
    UnreachableError,
    UsageError,
)
from aefsync.sync.events import Acted, Conflicted, Differs, LeftUndone, Notice, State, Summary, Troubled
from aefsync.wire.login import Link, Transport

__all__ = [
    "Acted",
    "AefsyncError",
    "Allowed",
    "Aspects",
    "Conflicted",
    "Differs",
    "Durability",
    "Entry",
    "GuardError",
    "IncompatibleError",
    "Kind",
    "LeftUndone",
    "Link",
    "LockedError",
    "Monitor",
    "Namespaces",
    "Notice",
    "OpenReplica",
    "Options",
    "Phase",
    "Problem",
    "ProtocolError",
    "RelPath",
    "RepairOptions",
    "Result",
    "RootError",
    "Share",
    "State",
    "Summary",
    "Transport",
    "Troubled",
    "UnreachableError",
    "UsageError",
    "Watch",
    "Writing",
    "diff",
    "open_replica",
    "repair",
    "scrub",
    "watch",
]
