"""What a plan is made of (`plan`): passes, places in them, transfers that they wait for, and steps for people."""

from __future__ import annotations

import enum

from aefsync.core.action import StageFile
from aefsync.core.entry import Entry
from aefsync.core.metadata import Aspects
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.path import RelPath


class Pass(enum.IntEnum):
    """The passes, in their order."""

    MOVE = 0
    DELETE = 1
    PUT = 2
    CLOSE = 3

    @property
    def backwards(self) -> bool:
        """Whether it goes from the last window to the first."""
        return self in (Pass.DELETE, Pass.CLOSE)


class Place(NamedTuple):
    """Which action of a replica: its number within the pass, from 0."""

    step: Pass
    number: int


class Transfer(NamedTuple):
    """A file whose bytes have to reach the staging of `receiver`; replica `origin` has them.

    `replaces` says that the receiver has another version of it, which may hold parts of the new one.
    """

    origin: int
    receiver: int
    file: StageFile
    replaces: bool = False


class Altered(NamedTuple):
    """A version and what becomes of it, or takes its place; `aspects` say what of the metadata counts."""

    found: Entry
    wanted: Entry
    aspects: Aspects


class Step(NamedTuple):
    """What happens to one path, for people.

    `action` is a word of CLI.md, `places` tells for each receiver which of its actions it is (so that what was not done
    need not be claimed; never one of CLOSE), `old` is the clashing path that a conflict copy had before, `leader` the path
    that a hard link is another name of, `altered` what becomes of the first receiver's version, where it has one.
    """

    action: str
    path: RelPath
    origin: int | None
    receivers: tuple[int, ...]
    places: tuple[Place, ...]
    size: int
    reason: str
    old: RelPath | None = None
    is_directory: bool = False
    leader: RelPath | None = None
    altered: Altered | None = None
