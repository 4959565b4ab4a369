"""The `.aefsync` of a root elsewhere: what is kept there beside the tree, as `disk/home` has it."""

from __future__ import annotations

import contextlib
import errno
import os
import stat

from aefsync.core.files import (
    Create,
    Files,
    List,
    Lstat,
    Mkdir,
    Op,
    Read,
    Remove,
    Rename,
    Replace,
    Rmdir,
    SetStat,
    Statfs,
    Task,
    Volume,
    ask,
    raised,
    told,
)
from aefsync.core.path import RESERVED
from aefsync.core.problem import reason_of
from aefsync.disk.far.lease import Lease
from aefsync.disk.far.root import FarRoot
from aefsync.disk.home import ID, TMP, TRASH, identity_in
from aefsync.disk.opening import JUST_BEGUN
from aefsync.errors import LockedError, RootError

READ_ONLY = os.strerror(errno.EROFS).lower()
FULL = os.strerror(errno.ENOSPC).lower()
_LARGEST_ID = 64
_OWNER = 0o700


class FarHome(FarRoot):
    """The directory itself; `lease` is the lock on the root."""

    def __init__(self, files: Files, path: bytes) -> None:
        super().__init__(files, path)
        self.lease = Lease(self)
        # What is on another file system below the root cannot be renamed into the trash, and stays.
        self.annexes: dict[bytes, FarHome] = {}

    @property
    def identity(self) -> str:
        """What the root is known by; empty where `id` is missing or damaged."""
        (got,) = ask(self.files, Read(self.at(ID), 0, _LARGEST_ID))
        return "" if isinstance(got, OSError) else identity_in(got.data)

    def identify(self, identity: str) -> None:
        """Have the root known by `identity` from now on; whoever looks finds the old one or the new one."""
        self.put(ID, identity.encode() + b"\n")

    def put(self, path: bytes, data: bytes) -> None:
        """Have a file of ours hold these bytes, and never half of them."""
        fresh = self.at(path + b"." + os.urandom(4).hex().encode())
        told(self.files, Create(fresh, data))
        if self.files.abilities.replace:
            told(self.files, Replace(fresh, self.at(path)))
        else:
            _, renamed = ask(self.files, Remove(self.at(path)), Rename(fresh, self.at(path)))
            raised(renamed)

    def contents(self, path: bytes) -> bytes:
        """All bytes of a file of ours."""
        size = self.lstat(path).st_size
        return b"".join(self._blocks(path, size))

    def unlink(self, path: bytes) -> None:
        told(self.files, Remove(self.at(path)))

    def make_directories(self, path: bytes) -> Task[None]:
        """Create a directory and those above it; what is there already stays."""
        ends = [end for end, byte in enumerate(path) if byte == ord("/")]
        places = [self.at(path[:end]) for end in (*ends, len(path))]
        outcomes = yield [op for place in places for op in (Mkdir(place, _OWNER), Lstat(place))]
        for made, seen in zip(outcomes[0::2], outcomes[1::2], strict=True):
            if isinstance(made, OSError) and (isinstance(seen, OSError) or not stat.S_ISDIR(seen.st_mode)):
                raise made

    def remove_tree(self, path: bytes, *, alone: bool = False) -> None:
        """Remove whatever is at a path and all below it; there are no annexes."""
        directories, files = [path], list[bytes]()
        for directory in directories:
            seen = self.lstat(directory) if directory == path else None
            if seen is not None and not stat.S_ISDIR(seen.st_mode):
                return self.unlink(path)
            if seen is not None and seen.st_mode & _OWNER != _OWNER:
                ask(self.files, SetStat(self.at(directory), mode=_OWNER))
            for name, inside in told(self.files, List(self.at(directory))):
                below = directory + b"/" + name
                if stat.S_ISDIR(inside.st_mode):
                    directories.append(below)
                    if inside.st_mode & _OWNER != _OWNER:
                        ask(self.files, SetStat(self.at(below), mode=_OWNER))
                else:
                    files.append(below)
        removals: list[Op] = [Remove(self.at(each)) for each in files]
        removals += (Rmdir(self.at(each)) for each in reversed(directories))
        for outcome in ask(self.files, *removals):
            raised(outcome)
        return None

    def measure(self, path: bytes) -> int:
        """The bytes of all that is below a path."""
        size, pending = 0, [path]
        while pending:
            found = ask(self.files, *(List(self.at(each)) for each in pending))
            listed = [
                (each, *row)
                for each, rows in zip(pending, found, strict=True)
                if isinstance(rows, tuple)
                for row in rows
            ]
            size += sum(seen.st_size for _, _, seen in listed if stat.S_ISREG(seen.st_mode))
            pending = [above + b"/" + name for above, name, seen in listed if stat.S_ISDIR(seen.st_mode)]
        return size

    @property
    def volume_bytes(self) -> int:
        """The size of the file system; 0 where it is not told."""
        (volume,) = ask(self.files, Statfs(self.path)) if self.files.abilities.volumes else (None,)
        return volume.total_bytes if isinstance(volume, Volume) else 0

    def has_remains(self) -> bool:
        """Whether anything is in staging: before a run has put something there, what was left by one that was cut off."""
        try:
            return bool(self.names(TMP))
        except OSError:
            return False

    def clear_tmp(self) -> None:
        """Remove the staging of this run, and of any that was interrupted: only with the lock held."""
        with contextlib.suppress(OSError):
            for name in self.names(TMP):
                with contextlib.suppress(OSError):
                    self.remove_tree(TMP + b"/" + name)


def find_home(root: FarRoot) -> FarHome | None:
    """The root's `.aefsync`, where there is one; raises `RootError`."""
    try:
        seen = root.lstat(RESERVED)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RootError(f".aefsync cannot be looked at: {reason_of(error)}") from None
    if not stat.S_ISDIR(seen.st_mode):
        raise RootError(".aefsync cannot be opened: not a directory")
    return FarHome(root.files, root.at(RESERVED))


def make_home(root: FarRoot, run: str, identity: str) -> FarHome:
    """Make the root's `.aefsync`, and take the lease on it before it gets its id; raises `RootError`, and
    `LockedError` where one appeared since the root was looked at."""
    home = FarHome(root.files, root.at(RESERVED))
    try:
        (made,) = ask(home.files, Mkdir(home.path, _OWNER))
        if isinstance(made, OSError):
            told(home.files, Lstat(home.path))
            raise LockedError(JUST_BEGUN)
        list(home.files.carry_out([home.make_directories(TMP), home.make_directories(TRASH)]))
        home.lease.take(run)
        ask(home.files, Create(home.at(b".gitignore"), b"*\n"))
        home.identify(identity)
    except OSError as error:
        raise RootError(f"cannot be written: {why(home, error)}") from None
    return home


def why(root: FarRoot, error: OSError) -> str:
    """The reason for an error, which a server tells of only a few."""
    if root.files.abilities.volumes:
        (volume,) = ask(root.files, Statfs(root.path))
        if isinstance(volume, Volume) and volume.read_only:
            return READ_ONLY
        if isinstance(volume, Volume) and not volume.free_bytes:
            return FULL
    return reason_of(error)
