"""What a run has to say, as values: the functions of this floor yield them, the renderers of `cli` show them."""

from __future__ import annotations

import contextlib
import enum
from collections.abc import Generator, Iterator
from typing import cast

from aefsync.core.compare import Difference
from aefsync.core.entry import Entry, Kind
from aefsync.core.finding import Finding
from aefsync.core.growth import Growth
from aefsync.core.metadata import PLAIN, Aspects
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.past import RunRecord, TrashItem
from aefsync.core.path import RelPath
from aefsync.core.plan import NEW
from aefsync.core.problem import Problem
from aefsync.core.step import Altered
from aefsync.core.view import View
from aefsync.sync.standing import Enrolled, Stood


class State(enum.StrEnum):
    """In what the replicas differ on a path, as users see it."""

    ONLY_A = "only_a"
    ONLY_B = "only_b"
    MISSING = "missing"
    CONTENT = "content"
    METADATA = "metadata"
    KIND = "kind"


class Started(NamedTuple):
    """The first event of every run."""

    command: str
    locations: tuple[str, ...]
    names: tuple[str, ...] = ()


class Notice(NamedTuple):
    """One line worth knowing, on stderr."""

    text: str
    warning: bool = False


RECOVERED = Notice("all is well again")
"""Trouble that a command which goes on and on told of is over."""


class Begun(NamedTuple):
    """The replicas in which a run was the first to leave anything: what can be undone begins with it."""

    replicas: tuple[int, ...]


class Differs(NamedTuple):
    """A difference found.  `same_stat`: contents differ under the same size and mtime (one copy may be damaged).

    `parts` are the runs of B's file, as (offset, length), that A's holds no chunk of; `None` where nobody looked.
    """

    difference: Difference
    state: State
    same_stat: bool
    view: View = View.FULL
    aspects: Aspects = PLAIN
    parts: tuple[tuple[int, int], ...] | None = None

    @property
    def path(self) -> RelPath:
        return self.difference.path


class Acted(NamedTuple):
    """One action as users see it, over all replicas it goes to; with `-n`, one that would be done.

    `action` is a word of CLI.md; `source` the replica it comes from; `old` the former path of a move; `size` the
    file's size in bytes; `leader` the path that a hard link is another name of; `altered` what became of a version that was
    there, on the first of these replicas.
    """

    action: str
    path: RelPath
    source: int | None
    to: tuple[int, ...]
    size: int
    reason: str
    old: RelPath | None = None
    is_directory: bool = False
    leader: RelPath | None = None
    altered: Altered | None = None


class Grew(NamedTuple):
    """Many actions at once: all that replica `source` alone had has come to all of `to`."""

    growth: Growth
    source: int
    to: tuple[int, ...]
    reason: str

    def acted(self) -> Iterator[Acted]:
        """The same one by one."""
        return (made(entry, self.source, self.to, self.reason) for entry in self.growth.entries())


def made(entry: Entry, source: int, to: tuple[int, ...], reason: str) -> Acted:
    """That something new was put in place."""
    size = entry.size if entry.kind is Kind.FILE else 0
    return Acted(NEW[entry.kind].value, entry.path, source, to, size, reason, None, entry.kind is Kind.DIRECTORY)


class LeftUndone(NamedTuple):
    """An action that a replica does not let be done: it is read-only."""

    action: str
    path: RelPath
    to: tuple[int, ...]


class Conflicted(NamedTuple):
    """A conflict settled by keeping both (`kept_as`), or left standing (`winner` and `kept_as` are `None`)."""

    path: RelPath
    policy: str
    winner: int | None
    kept_as: RelPath | None
    reason: str


class Troubled(NamedTuple):
    """Trouble with one path on one replica."""

    replica: int
    problem: Problem


class Filtered(NamedTuple):
    """A path that filters leave out of one replica, and everything below it (`--list-filtered`)."""

    replica: int
    path: bytes
    is_directory: bool


class Examined(NamedTuple):
    """One thing that `doctor` found."""

    finding: Finding


class Digested(NamedTuple):
    """The digest (16 bytes) of a sub-tree; the root's path is empty, `depth` counts from what was asked for."""

    path: bytes
    digest: bytes
    entries: int
    depth: int
    is_directory: bool


class CopyKept(NamedTuple):
    """One conflict copy: the path that it is a copy of, whether nothing is there, and whose version it is (empty: nobody
    knows)."""

    replica: int
    entry: Entry
    original: RelPath
    is_alone: bool
    by: str


class Trashed(NamedTuple):
    """One thing in a replica's trash."""

    replica: int
    item: TrashItem


class Ran(NamedTuple):
    """One run as a replica remembers it."""

    replica: int
    record: RunRecord


class Gauges(NamedTuple):
    """How things stand after a run, for whoever keeps figures: bytes in the trash of all replicas, and when each active
    member (by its name, or the beginning of its id) last had a session that came to its end, in seconds since 1970.

    `copies` are conflict copies, `left_standing` conflicts and suspects that are; `sees_all`: there are no other copies, as
    the run looked at everything.
    """

    trash_bytes: int
    last_seen_s: tuple[tuple[str, int], ...] = ()
    copies: int = 0
    left_standing: int = 0
    sees_all: bool = True


class Summary(NamedTuple):
    """The last event of every run.

    `roots` are public root digests (empty where not all was read), `suspects` paths left standing because equal stat
    hides different bytes, `causes` words for each reason why `exit_code` is not 0.  `keeps_trash` says whether what was
    replaced or deleted is still in the trash.  `sent_bytes` and `received_bytes` are those of the protocol to and from
    other hosts.  Of a scrub: `rot` is known to be damaged and stays so, `verified_files` and `verified_bytes` were read
    anew, and `oldest_verified_s` is when what was verified longest ago was, in seconds since 1970 (0: never).
    """

    exit_code: int
    causes: tuple[str, ...] = ()
    run: str = ""
    dry_run: bool = False
    equal: bool = False
    roots: tuple[bytes, ...] = ()
    entries: tuple[int | None, ...] = ()
    differences: int = 0
    conflicts: int = 0
    suspects: int = 0
    problems: int = 0
    copied_files: int = 0
    replaced_files: int = 0
    deleted: int = 0
    moved: int = 0
    metadata: int = 0
    skipped: int = 0
    sent_bytes: int = 0
    received_bytes: int = 0
    literal_bytes: int = 0
    reused_bytes: int = 0
    round_trips: int = 0
    rot: int = 0
    verified_files: int = 0
    verified_bytes: int = 0
    oldest_verified_s: int = 0
    verified: bool = True
    keeps_trash: bool = True
    elapsed_s: float = 0.0
    caveats: tuple[tuple[int, str], ...] = ()
    """what those replicas that were changed do not promise, though it is usual, by their numbers"""
    absent: tuple[int, ...] = ()
    """replicas that could not be reached: the others are done"""
    append_only: tuple[int, ...] = ()
    """replicas that keep what gives way, whatever was asked for; from here no run can be taken back there"""
    gauges: Gauges | None = None
    """`None`: nobody asked for them"""
    undone: frozenset[bytes] = frozenset()
    """paths of actions that were not carried out; of many, so many that it is known that there are"""


Single = (
    Started
    | Notice
    | Differs
    | Acted
    | LeftUndone
    | Begun
    | Conflicted
    | Troubled
    | Filtered
    | Examined
    | Digested
    | CopyKept
    | Stood
    | Enrolled
    | Trashed
    | Ran
    | Summary
)
"""An event of which programs are told by itself."""
Event = Single | Grew


def closing(events: Iterator[Event]) -> contextlib.AbstractContextManager[Iterator[Event]]:
    """The events of a run, which is over when they are left, however that happens."""
    return contextlib.closing(cast("Generator[Event]", events))
