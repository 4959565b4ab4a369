"""How replicas stand, and who their members are: what `status` and `members` say, as values (`events`)."""

from __future__ import annotations

from aefsync.core.members import Member
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.unsettled import StandingPath


class Stood(NamedTuple):
    """How one replica stands, as its sidecar and home tell it.

    `identity` is what it is known by (empty: by nothing yet), `remembers` whether it has a history; `last_s` when its
    last session came to its end, in seconds since 1970 (0: none did); `conflicts` are conflict copies, `left_standing`
    the paths that sessions left standing, `last_run` the last one that left something (empty: none); `rot` and
    `suspects` are files that are known to be damaged, or may be, and `oldest_verified_s` is when what was verified
    longest ago was (0: not all has been); `quarantined` are entries in quarantine, where nothing ages.
    """

    replica: int
    identity: str
    name: str
    remembers: bool
    last_s: int
    conflicts: int
    trash_bytes: int
    last_run: str
    unreadable: str = ""
    """why what it remembers cannot be read"""
    age_s: int | None = None
    """how long ago the last session that came to its end was"""
    rot: int = 0
    suspects: int = 0
    oldest_verified_s: int = 0
    left_standing: int = 0
    stands: tuple[StandingPath, ...] = ()
    """the first of the paths that sessions left standing"""
    quarantined: int = 0


class Enrolled(NamedTuple):
    """A member as one replica knows it; `location` is where it is reached from here (empty: not known), `is_behind`
    whether others have seen what it has not."""

    replica: int
    member: Member
    location: str
    is_self: bool
    is_behind: bool
