"""Metadata: what of it counts in a session, and so is compared, shown, and set on receivers.

By default these count: permission bits (0o777), and the mtimes of files and symlinks, to the nanosecond.  The command
line asks for more or less, and what a root cannot store is left out on all of them.

Digests need one canonical value for each mtime, so "equal within a window" cannot be seen in them: it is no
equivalence (0, 0.9 and 1.8 s within 1 s).  They are taken of the window's slot that the mtime lies in.  Two mtimes of
one slot are within the window, so nothing that differs is overlooked; two that are within it and in neighbouring slots
make digests differ, are fetched, and found to be the same there.  Only then may digests, and roots, differ where
replicas agree (`is_approximate`).

    window 10 s     mtimes 3 s | 4 s     one slot            equal digests       the same
                    mtimes 9 s | 11 s    two slots           looked at again     the same
                    mtimes 3 s | 14 s    two slots           looked at again     different

Owners have names, and are the same where these are; a name that one machine lacks leaves the numbers to compare.

Files that are several names of one have the first of these names in key order, their **leader**, in common; so two
replicas link the same names together where every name has the same leader on both.

    A: a = c, b     leaders a:a  b:-  c:a          B: a, b = c     leaders a:-  b:b  c:b          all three differ
"""

from __future__ import annotations

import enum

from aefsync.core.named_tuple import NamedTuple

PERMISSIONS = 0o777
SPECIAL = 0o7000
"""set-user-id, set-group-id, sticky"""
USABLE = 0o300
"""What a directory must have for its owner to put things into it."""
OLDEST_NS, NEWEST_NS = -(1 << 63), (1 << 63) - 1
"""What fits a packed stat: the years 1678 to 2262."""


Attributes = tuple[tuple[bytes, bytes], ...]
"""Extended attributes, names and values, by name."""


class Namespaces(enum.IntEnum):
    """Which extended attributes count; each holds those before it."""

    NONE = 0
    USER = 1
    """what any owner may set"""
    ALL = 2
    """ACLs and what only root may set as well"""


class Owner(NamedTuple):
    """Whose something is.  The names are empty where this machine has none for the numbers, or numbers are to count."""

    uid: int
    gid: int
    user: bytes = b""
    group: bytes = b""

    @property
    def shown_user(self) -> bytes:
        return self.user or b"%d" % self.uid

    @property
    def shown_group(self) -> bytes:
        return self.group or b"%d" % self.gid

    @property
    def canonical(self) -> bytes:
        """What stands for it in digests."""
        user, group = self.user or b"#%d" % self.uid, self.group or b"#%d" % self.gid
        return user + b"\0" + group + b"\0"

    def is_same(self, other: Owner) -> bool:
        """Whether names agree, or the numbers where one of them has no name."""
        users = self.user == other.user if self.user and other.user else self.uid == other.uid
        groups = self.group == other.group if self.group and other.group else self.gid == other.gid
        return users and groups


class Extra(NamedTuple):
    """What only counts where it is asked for; `None` where it is not, or could not be read.

    `xattrs` is a digest of extended attributes (empty: there are none); `attributes` are these, where the replica was
    asked for them.  `leader` is the path of the first name of a file that has several in the tree; empty: it has not.
    """

    owner: Owner | None = None
    xattrs: bytes | None = None
    attributes: Attributes = ()
    leader: bytes | None = None

    @property
    def weight(self) -> int:
        """Bytes of what it has of any length."""
        return len(self.leader or b"") + sum(len(name) + len(value) for name, value in self.attributes)

    @property
    def canonical(self) -> bytes:
        """What stands for it in digests."""
        leader = b"" if self.leader is None else self.leader + b"\0"
        xattrs = b"?" if self.xattrs is None else self.xattrs
        return leader + (self.owner.canonical if self.owner else b"?") + xattrs

    def is_same(self, other: Extra) -> bool:
        if self.xattrs != other.xattrs or self.leader != other.leader:
            return False
        if self.owner is None or other.owner is None:
            return self.owner is other.owner
        return self.owner.is_same(other.owner)


class Aspects(NamedTuple):
    """What counts.

    `mode_bits` are the bits of a mode that do; mtimes are compared in steps of `step_ns`, those before `oldest_ns` and
    after `newest_ns` as if they were these, and are the same when no more than `window_ns` lie between them.  With
    `owner`, `xattrs` or `links` (which names are one file) an entry has an `Extra`; `numeric_ids` leaves names out of
    it.  Without `symlinks`, paths where one stands are left alone.  `folding` (`stores.Folding`) tells which names are
    one name on some replica.
    """

    mode_bits: int = PERMISSIONS
    times: bool = True
    step_ns: int = 1
    oldest_ns: int = OLDEST_NS
    newest_ns: int = NEWEST_NS
    window_ns: int = 0
    owner: bool = False
    numeric_ids: bool = False
    xattrs: Namespaces = Namespaces.NONE
    links: bool = False
    symlinks: bool = True
    folding: int = 0

    @property
    def is_plain(self) -> bool:
        """Whether digests are those of what counts by default, which are kept."""
        return self[:10] == PLAIN[:10]

    @property
    def has_exact_times(self) -> bool:
        return self[1:6] == PLAIN[1:6]

    @property
    def has_extras(self) -> bool:
        """Whether something counts that a packed stat does not hold."""
        return self.owner or self.xattrs > Namespaces.NONE or self.links

    @property
    def alone(self) -> Aspects:
        """The same without regard to other paths."""
        return self._replace(links=False) if self.links else self

    @property
    def is_approximate(self) -> bool:
        """Whether replicas may agree though their digests differ."""
        by_name = self.owner and not self.numeric_ids
        return by_name or (self.times and self.window_ns > 0) or not self.symlinks

    def stored_time(self, mtime_ns: int) -> int:
        """The mtime as every replica can store it."""
        near = min(max(mtime_ns, self.oldest_ns), self.newest_ns)
        return max(near - near % self.step_ns, OLDEST_NS)

    def slot(self, mtime_ns: int) -> int:
        """What stands for an mtime in digests: the begin of its slot, 0 where mtimes do not count."""
        if not self.times:
            return 0
        stored = self.stored_time(mtime_ns)
        return max(stored - stored % self.window_ns, OLDEST_NS) if self.window_ns else stored

    def same_times(self, mtimes_ns: list[int]) -> bool:
        """Whether these mtimes count as one."""
        if not self.times or min(mtimes_ns) == max(mtimes_ns):
            return True
        stored = [self.stored_time(each) for each in mtimes_ns]
        return max(stored) - min(stored) <= self.window_ns


PLAIN = Aspects()
