"""Actions: what a plan asks one replica to do, with what it expects to find there."""

from __future__ import annotations

import enum

from aefsync.core.along import Along
from aefsync.core.entry import Entry
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.path import RelPath
from aefsync.core.problem import Problem
from aefsync.core.version import Version


class Act(enum.StrEnum):
    """The kinds of action, named as users see them."""

    CREATE = "create"
    """put a staged file where nothing is"""
    COPY = "copy"
    """put a staged file in the place of what is there"""
    LINK = "link"
    """make a symlink, also in the place of a file or symlink"""
    JOIN = "join"
    """make `path` another name of the file at `source`, also in the place of a file or symlink"""
    MKDIR = "mkdir"
    METADATA = "metadata"
    """set permission bits and mtime, content untouched"""
    MOVE = "move"
    """rename `source` to `path` within the replica, where nothing is, or change places with what is `displaced`"""
    DELETE = "delete"
    """move to the trash; a directory only when it is empty"""
    RECORD = "version"
    """nothing but remember the version: of what is there already, or of its having been deleted; never pending, as nothing
    on the disk would tell after a crash whether the other replicas had done their part"""

    __hash__ = str.__hash__  # that of an enumeration is no call of C, and tables are looked into for every action


ROTTEN, RETURNED = "rot", "returned"
QUARANTINED = (ROTTEN, RETURNED)
"""Why something is in quarantine: it was damaged, or a replica that was away for long had it alone.  Nothing ages there."""


class Action(NamedTuple):
    """One step on one replica.

    `wanted` is the entry that stands at `path` afterwards (`None` after a delete), `found` the entry that the snapshot
    had there (for a move: at `source`), `displaced` what it had at the `path` of a move, with the version that it is to
    have at `source`: where the disk no longer shows them, nothing is done and a problem reported.
    """

    act: Act
    path: RelPath
    wanted: Entry | None
    found: Entry | None
    source: RelPath | None = None
    displaced: Entry | None = None
    tombstone: Version | None = None
    """in sessions with versions, that of a DELETE, of a RECORD without `wanted`, or of the `source` of a MOVE where nothing
    is to be from then on; other actions have theirs in `wanted`, and so has what takes the place of something that is
    deleted without one"""
    aside: str = ""
    """why what is `found` goes to quarantine (`QUARANTINED`; empty: it goes to the trash); what takes the place of rot
    has the version that is remembered of the path"""
    along: Along | None = None
    """in sessions with versions, what comes along with a directory that is moved"""

    @property
    def version(self) -> Version | None:
        """The version that the path has afterwards."""
        return self.tombstone if self.wanted is None else self.wanted.version


class StageFile(NamedTuple):
    """A file to bring to a replica's staging: the entry as another replica has it, and the path it is meant for.

    `held` is a file of the receiver with the same content, from which it is copied; only the receiver knows of one.
    """

    source: Entry
    path: RelPath
    held: Entry | None = None


class Staged(NamedTuple):
    """What staging came to: content digests in the order asked (empty where it failed), and the problems, by path of
    the source."""

    contents: tuple[bytes, ...]
    problems: tuple[Problem, ...]
    literal_bytes: int
    """content that had to travel"""
    reused_bytes: int = 0
    """content that the receiver held"""
    own_problems: tuple[Problem, ...] = ()
    """trouble that is the receiver's own (a full disk), by the path that was meant; once for all that it stopped"""

    @property
    def reason(self) -> str:
        """Why something could not be staged, where it was just one file."""
        return next((problem.reason for problem in (*self.problems, *self.own_problems)), "was not staged")

    def with_rest(self, rest: Staged) -> Staged:
        """This, and what staging came to for those of its files that have no content here."""
        others = iter(rest.contents)
        contents = tuple(content or next(others) for content in self.contents)
        literal, reused = self.literal_bytes + rest.literal_bytes, self.reused_bytes + rest.reused_bytes
        problems, own = (*self.problems, *rest.problems), (*self.own_problems, *rest.own_problems)
        return Staged(contents, problems, literal, reused, own)


class KeptCopy(NamedTuple):
    """A local edit that raced the run: what was at `path` is now at `kept_as`."""

    path: RelPath
    kept_as: RelPath


class Applied(NamedTuple):
    """Outcome of a batch of actions: `done` holds, in order, whether each was carried out; `spared` are the paths of
    those that were not for the sake of what filters leave out, which is nobody's problem: of directories that stay for
    it, and of what it is in the way of."""

    done: tuple[bool, ...]
    problems: tuple[Problem, ...]
    kept: tuple[KeptCopy, ...]
    spared: tuple[RelPath, ...] = ()
