"""The entry: what one path in a replica is, as far as replicas must agree on it, and the stat it was seen with."""

from __future__ import annotations

import enum
import stat
from collections.abc import Iterable
from typing import TYPE_CHECKING

from aefsync.core.metadata import PLAIN, Aspects, Extra
from aefsync.core.named_tuple import NamedTuple
from aefsync.core.path import RelPath

if TYPE_CHECKING:
    from aefsync.core.version import Version

UNKNOWN = bytes(32)
"""The content digest of a file whose bytes were not read; no file has this digest."""


class Kind(enum.IntEnum):
    FILE = 1
    DIRECTORY = 2
    SYMLINK = 3

    __hash__ = int.__hash__  # that of an enumeration is no call of C, and tables are looked into for every entry

    @property
    def label(self) -> str:
        return self.name.lower()


# A member of an enumeration costs ten times as much as a global to look up, and this one is looked up for every entry.
_DIRECTORY = Kind.DIRECTORY
_KINDS = {stat.S_IFREG: Kind.FILE, stat.S_IFDIR: Kind.DIRECTORY, stat.S_IFLNK: Kind.SYMLINK}
KIND_BITS = 0o170000
"""The bits of a mode that tell the kind: what `stat.S_IFMT` leaves, which is a call for each."""
FORMATS = {kind: bits for bits, kind in _KINDS.items()}
"""The bits of a mode for each kind."""


def kind_of(st_mode: int) -> Kind | None:
    """The kind an `st_mode` stands for; `None` for devices, FIFOs and sockets, which are never replicated."""
    return _KINDS.get(st_mode & KIND_BITS)


class Entry(NamedTuple):
    """One path of a snapshot.

    `mode` holds the permission bits (0o777, with special bits where they count; 0 for symlinks), `content` the BLAKE3
    digest of a file's bytes or of a symlink's target (`UNKNOWN` where it was not read; zeros for directories), `target`
    the symlink's target where the replica was asked for it, `extra` what else counts in the session, `version` what is
    known of its past, in sessions that ask for it.  `ctime_ns` and `inode` are 0 where the file system does not keep
    them stable; they serve the check before overwriting and are no part of what replicas must agree on.
    """

    path: RelPath
    kind: Kind
    mode: int
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    content: bytes
    target: bytes = b""
    extra: Extra | None = None
    version: Version | None = None

    @property
    def is_read(self) -> bool:
        """Whether the content is known (always so for directories)."""
        return self.kind is _DIRECTORY or self.content != UNKNOWN

    @property
    def weight(self) -> int:
        """Bytes of what it has of any length, by which messages are cut."""
        return len(self.path) + len(self.target) + (self.extra.weight if self.extra is not None else 0)

    @property
    def stat_key(self) -> tuple[int, int, int, int, int]:
        """What must be unchanged on disk before this entry is overwritten."""
        if self.kind is _DIRECTORY:
            return (self.kind, 0, 0, 0, self.inode)
        return (self.kind, self.size, self.mtime_ns, self.ctime_ns, self.inode)

    def having(self, content: bytes) -> Entry:
        """The same with a content digest."""
        return Entry(*self[:7], content, *self[8:])

    def same_content(self, other: Entry) -> bool:
        """Whether both are of one kind and known to hold the same bytes (or target)."""
        return self.kind is other.kind and self.is_read and self.content == other.content

    def same_metadata(self, other: Entry, aspects: Aspects = PLAIN) -> bool:
        """Whether the metadata that counts is the same (the mtimes of directories never do)."""
        if (self.mode ^ other.mode) & aspects.mode_bits or not self._same_extra(other, aspects):
            return False
        if self.kind is _DIRECTORY or self.mtime_ns == other.mtime_ns:
            return True
        return aspects.same_times([self.mtime_ns, other.mtime_ns])

    def _same_extra(self, other: Entry, aspects: Aspects) -> bool:
        if not aspects.has_extras or self.extra is None or other.extra is None:
            return not aspects.has_extras or self.extra is other.extra
        own = self.extra if aspects.links else self.extra._replace(leader=other.extra.leader)
        return own.is_same(other.extra)

    @property
    def leader(self) -> bytes:
        """The path of the first name of the file that this is one of several names of; empty: it is its only one."""
        return (self.extra and self.extra.leader) or b""

    @property
    def is_uprooted(self) -> bool:
        """Whether its leader was moved, and is not the path of it any more."""
        return self.leader.startswith(b"\0")

    @property
    def uprooted(self) -> Entry:
        """The same when its leader was moved: who has the same one is all that is left of it."""
        extra = self.extra and self.extra._replace(leader=b"\0" + self.leader)
        return self if self.is_uprooted else self._replace(extra=extra)


def has_kind(entries: Iterable[Entry | None], kind: Kind) -> bool:
    """Whether one of the versions of a path is of that kind."""
    return any(entry is not None and entry.kind is kind for entry in entries)
