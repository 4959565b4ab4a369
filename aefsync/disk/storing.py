"""Storing: what a root can, told by its kind, and by trying inside our own `.aefsync` where a run may write.

What was found so stands in `.aefsync/stores`, for those who may only read; where there is no `.aefsync` yet, there is one
for as long as it takes.  Nothing is tried where the kind is known to store everything.  (ext4 in its old form keeps whole
seconds: so does the ctime of the root then, which nobody can set.)
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator

from aefsync.core.metadata import NEWEST_NS, OLDEST_NS, PERMISSIONS, SPECIAL, Namespaces
from aefsync.core.path import RESERVED
from aefsync.core.stores import SECOND_NS, Folding, Stores
from aefsync.disk import syscalls
from aefsync.disk.home import TMP, Home
from aefsync.disk.probing import probe
from aefsync.disk.xattrs import namespaces_of

_DAY_NS = 86_400 * SECOND_NS
# FAT counts from 1980 to 2107 in local time, whatever that is.
_FAT = Stores(
    mode_bits=0,
    step_ns=2 * SECOND_NS,
    oldest_ns=315_532_800 * SECOND_NS + _DAY_NS,
    newest_ns=4_354_819_200 * SECOND_NS - _DAY_NS,
    owners=False,
    symlinks=False,
    folding=Folding.CASE,
    xattrs=Namespaces.NONE,
    links=False,
)
_KINDS = {
    0x4D44: _FAT,
    0x2011BAB0: _FAT._replace(step_ns=SECOND_NS // 100),
    0x482B: Stores(step_ns=SECOND_NS, folding=Folding.CASE | Folding.FORMS),
}
_COMPLETE = frozenset(
    {
        0xEF53,
        0x58465342,
        0x9123683E,
        0x01021994,
        0x794C7630,
        0x2FC12FC1,
        0xF2F52010,
    }  # ext4 xfs btrfs tmpfs overlay zfs f2fs
)
"""Store everything."""
_OLD_EXT = Stores(step_ns=SECOND_NS, newest_ns=((1 << 31) - 1) * SECOND_NS)
_GET_FLAGS, _CASEFOLD = 0x80086601, 0x40000000
_STORES, _LONGEST = b"stores", 256
_YEAR_1901_NS, _YEAR_2200_NS = -(1 << 31) * SECOND_NS, 7_258_118_400 * SECOND_NS
"""A range that holds both of these is as good as any."""


def stores_of(fd: int, home: Home | None, *, tries: bool) -> Stores:
    """What the root open at `fd` (-1: not there yet) can store; `tries`: the run may write there."""
    if fd < 0:
        return Stores()
    try:
        kind = syscalls.file_system_magic(fd)
        judged = _KINDS.get(kind, Stores())
        if kind in _COMPLETE and not os.fstat(fd).st_ctime_ns % SECOND_NS:
            judged = _OLD_EXT
        folding, xattrs = judged.folding | _folding_of(fd), min(judged.xattrs, namespaces_of(fd))
        judged = judged._replace(folding=folding, xattrs=xattrs)
    except OSError:
        return Stores()
    if kind not in _COMPLETE:
        return _tried(fd, home, judged) if tries else _remembered(home) or judged
    return judged._replace(owners=judged.owners and os.geteuid() == 0) if tries and home is not None else judged


def _tried(fd: int, home: Home | None, judged: Stores) -> Stores:
    """What trying finds; as it is judged by its kind where nothing can be tried."""
    with contextlib.suppress(OSError), _passing_home(fd) if home is None else _scratch(home) as scratch:
        found = _try(scratch, judged)
        if home is not None and found != (_remembered(home) or judged):
            home.put(_STORES, b" ".join(b"%d" % value for value in found))
        return found
    return judged


def _remembered(home: Home | None) -> Stores | None:
    """What a run that could try found."""
    with contextlib.suppress(OSError, ValueError):
        if home is not None:
            with os.fdopen(home.open_file(_STORES), "rb") as file:
                numbers = [int(word) for word in file.read(_LONGEST).split()]
            bits, step, oldest, newest, owners, symlinks, folding, xattrs, links = numbers
            kept = Namespaces(xattrs)
            if 0 < step <= _DAY_NS and oldest < newest:
                allowed = bits & (PERMISSIONS | SPECIAL)
                return Stores(
                    allowed, step, oldest, newest, bool(owners), bool(symlinks), Folding(folding & 3), kept, bool(links)
                )
    return None


def _folding_of(fd: int) -> Folding:
    """What the flags of a directory say of it (ext4, f2fs)."""
    with contextlib.suppress(OSError):
        if int.from_bytes(fcntl.ioctl(fd, _GET_FLAGS, bytes(8)), "little") & _CASEFOLD:
            return Folding.CASE | Folding.FORMS
    return Folding.NONE


@contextlib.contextmanager
def _passing_home(fd: int) -> Iterator[int]:
    """The same where there is no home, nor one afterwards; of what another run makes there meanwhile nothing is touched."""
    name = RESERVED + b"/probe-" + os.urandom(4).hex().encode()
    with contextlib.ExitStack() as after:
        for path in (RESERVED, name):
            os.mkdir(path, 0o700, dir_fd=fd)
            after.callback(os.rmdir, path, dir_fd=fd)
        scratch = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=fd)
        after.callback(os.close, scratch)
        yield scratch
        os.unlink("file", dir_fd=scratch)


@contextlib.contextmanager
def _scratch(home: Home) -> Iterator[int]:
    """A directory of our own, gone afterwards."""
    path = TMP + b"/probe-" + os.urandom(4).hex().encode()
    home.make_directories(path)
    with home.directory(path) as scratch:
        yield scratch
        for name in os.listdir(scratch):
            os.unlink(name, dir_fd=scratch)
    with home.directory(TMP) as above:
        os.rmdir(path.rpartition(b"/")[2], dir_fd=above)


def _try(scratch: int, judged: Stores) -> Stores:
    found = probe(scratch)
    file = os.open("file", os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600, dir_fd=scratch)
    try:
        return Stores(
            mode_bits=0 if "permission bits" in found.cannot else PERMISSIONS | SPECIAL,
            step_ns=found.time_step_ns,
            oldest_ns=max(judged.oldest_ns, _furthest(file, _YEAR_1901_NS, OLDEST_NS)),
            newest_ns=min(judged.newest_ns, _furthest(file, _YEAR_2200_NS, NEWEST_NS)),
            owners=_owners(file),
            xattrs=judged.xattrs if "extended attributes" not in found.cannot else Namespaces.NONE,
            links="hard links" not in found.cannot,
            symlinks="symbolic links" not in found.cannot,
            folding=Folding(Folding.CASE * found.folds_case | Folding.FORMS * found.folds_forms),
        )
    finally:
        os.close(file)


def _furthest(file: int, asked_ns: int, unlimited_ns: int) -> int:
    """How far times reach in one direction."""
    with contextlib.suppress(OSError, OverflowError):
        os.utime(file, ns=(asked_ns, asked_ns))
        kept = os.fstat(file).st_mtime_ns
        return unlimited_ns if kept == asked_ns else kept
    return 0 if asked_ns < 0 else (1 << 31) * SECOND_NS


def _owners(file: int) -> bool:
    """Whether files can be given away: nobody but root may."""
    with contextlib.suppress(OSError):
        os.fchown(file, 1, 1)
        return os.fstat(file).st_uid == 1
    return False
