"""Rot: bytes that changed though nobody is known to have written them, and how a scrub asks for it.

What is said of a file whose digest, read anew, is not the recorded one:

    size, mtime    inode      ctime      verdict
    changed        any        any        an edit
    same           changed    any        an edit: somebody replaced the file
    same           same       changed    suspect: a tool that puts the mtime back, or damage
    same           same       same       rot, if the record was taken when nothing had been written for a minute, and
                                         nobody has the file open for writing; else suspect
    unreadable                           rot

A store through a shared mapping changes bytes under an unchanged stat until the system next writes the page back, so
a digest that was taken soon after a write proves nothing of what was stored later.  Where inode and ctime are not
stable (0) the verdict is never rot.

Of a file of which no record survives, those decide who hold a file of the same size and mtime: where there are three or
more, and most have one content, any other one is rot.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from aefsync.core.entry import UNKNOWN, Entry
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.path import RelPath
from aefsync.core.problem import ROT, SUSPECT, Problem
from aefsync.core.verdict import VOTES, is_majority

SETTLED_NS = 60 * 10**9
"""Written so long before its digest was taken, a file is what that digest says while its stat is the same."""
PORTION_FILES, PORTION_BYTES = 4096, 64 << 20
"""What one call reads at most, unless a single file is larger."""


class Verdict(enum.StrEnum):
    """What is said of a file that is not as it was recorded."""

    EDIT = "edit"
    SUSPECT = "suspect"
    ROT = "rot"


REASONS = {Verdict.ROT: ROT, Verdict.SUSPECT: SUSPECT}
"""What a replica says of a file that it knows to be so."""


class Circumstances(NamedTuple):
    """`is_settled`: the record was taken when nothing had been written for `SETTLED_NS`; `is_open`: somebody has the file
    open for writing now."""

    is_settled: bool
    is_open: bool = False


def judge(recorded: Entry, found: Entry, circumstances: Circumstances) -> Verdict:
    """The verdict on a file whose content is not the recorded one (`UNKNOWN`: it could not be read)."""
    if (recorded.size, recorded.mtime_ns) != (found.size, found.mtime_ns):
        return Verdict.EDIT
    if recorded.inode != found.inode:
        return Verdict.EDIT
    if not found.inode:
        return Verdict.SUSPECT
    if found.content == UNKNOWN:
        return Verdict.ROT
    is_proof = found.ctime_ns == recorded.ctime_ns and circumstances.is_settled and not circumstances.is_open
    return Verdict.ROT if is_proof else Verdict.SUSPECT


def elected(own: Entry, others: Sequence[Entry | None]) -> bytes | None:
    """The content that most have of those who hold a file of this size and mtime, of which there is no record.

    `UNKNOWN` where they disagree and no content is that of most; `None` where they are too few.
    """
    alike = [each for each in others if each is not None and each.is_read and _is_alike(own, each)]
    if len(alike) + 1 < VOTES:
        return None
    ((content, votes),) = Counter(each.content for each in (own, *alike)).most_common(1)
    return content if is_majority(votes, len(alike) + 1) else UNKNOWN


def _is_alike(one: Entry, other: Entry) -> bool:
    return (one.kind, one.size, one.mtime_ns) == (other.kind, other.size, other.mtime_ns)


def is_settled(entry: Entry, taken_ns: int) -> bool:
    """Whether a digest that was taken at that time, or later, holds while the stat is the same."""
    return max(entry.mtime_ns, entry.ctime_ns) + SETTLED_NS < taken_ns


class Scrub(NamedTuple):
    """Which portion of the files to read anew, after a scan.

    `begins` takes stock: it begins with the files that were verified longest ago.  At most `files` and `size` bytes are
    read, but always one file; no more than `bytes_per_s` (0: as fast as it goes).  `budget` is what the whole run may
    read, for whoever watches (0: everything).
    """

    begins: bool = False
    files: int = PORTION_FILES
    size: int = PORTION_BYTES
    bytes_per_s: int = 0
    budget: int = 0
    accepted: tuple[RelPath, ...] = ()
    """files to be taken for what they are, from now on: as edits"""
    tells_fresh: bool = False
    """tell of the files of which there was no record: they are recorded with the next call"""
    doubted: tuple[RelPath, ...] = ()
    """of those told of by the last call, the ones that are rot: they get no record"""
    suspected: tuple[RelPath, ...] = ()
    """files that somebody found to be other than they should be, to be read anew now: each scan tells of those that are"""


class Damage(NamedTuple):
    """A file that is rot, or suspect: `recorded` is the entry as it should be, with the stat that is found now (unread:
    nobody knows, but others have outvoted it); `content` is the digest of what is there (empty: it cannot be read)."""

    recorded: Entry
    content: bytes
    verdict: Verdict


class Scrubbed(NamedTuple):
    """What a portion came to, and how the replica stands.

    `files` and `size` were read now, `left_files` and `left_size` are still to be; `rot` and `suspects` are known of the
    replica, and `oldest_s` is when what was verified longest ago was (seconds since 1970; 0: never).
    """

    files: int
    size: int
    damaged: tuple[Damage, ...]
    problems: tuple[Problem, ...]
    left_files: int
    left_size: int
    rot: int
    suspects: int
    oldest_s: int
    fresh: tuple[Entry, ...] = ()
    """files of which there was no record, as they are"""


class Scrubs(Protocol):
    """The part of `core.ports.Replica` that finds rot."""

    def scrub(self, request: Scrub) -> Scrubbed:
        """After a scan, read a portion of the files anew, and judge them by what is recorded of them.

        Where a session may write, a pass that was interrupted goes on where it was.
        """
