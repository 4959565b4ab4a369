"""Setting: the metadata that counts, put on a file in staging or on what is in place; the rest stays as it is here.

What does not count is given as a new file of this machine would have it: permission bits as far as the umask lets
them, the time of now.
"""

from __future__ import annotations

import errno
import os

from aefsync.core.entry import Entry, Kind
from aefsync.core.metadata import PERMISSIONS, SPECIAL, USABLE, Aspects
from aefsync.disk.half_set import State
from aefsync.disk.owners import numbers_of
from aefsync.disk.xattrs import place_in, set_attributes


def new_mode(wanted: int, aspects: Aspects) -> int:
    """The mode of something that this run makes."""
    others = wanted & PERMISSIONS & ~aspects.mode_bits
    return wanted & aspects.mode_bits | (others & ~_umask() if others else 0)


def changed_mode(wanted: Entry, mode: int, aspects: Aspects) -> int:
    """The mode of something that has one already (special bits included)."""
    return wanted.mode & aspects.mode_bits | mode & ~aspects.mode_bits


def keep_mode(name: bytes, wanted: Entry, found: Entry, aspects: Aspects, dir_fd: int) -> None:
    """Give a staged file what does not count of the mode of the one whose place it takes, but no special bits."""
    if found.kind is Kind.FILE and PERMISSIONS & ~aspects.mode_bits:
        os.chmod(name, changed_mode(wanted, found.mode & PERMISSIONS, aspects), dir_fd=dir_fd)


def _umask() -> int:
    umask = os.umask(0o077)
    os.umask(umask)
    return umask


def finish_new(fd: int, wanted: Entry, aspects: Aspects) -> None:
    """Set what counts on a file in staging."""
    set_owner(fd, wanted, os.fstat(fd), aspects)
    set_xattrs(fd, wanted, aspects)
    os.fchmod(fd, new_mode(wanted.mode, aspects))
    set_time(fd, wanted, aspects)


def finish_directory(fd: int, wanted: Entry, aspects: Aspects) -> None:
    """Set what counts on a directory that this run makes, and leave it usable for its owner."""
    seen = os.fstat(fd)
    set_owner(fd, wanted, seen, aspects)
    try:
        set_xattrs(fd, wanted, aspects)
    finally:  # an access list brings permissions along
        inherited = seen.st_mode & SPECIAL & ~aspects.mode_bits
        os.fchmod(fd, new_mode(wanted.mode, aspects) | USABLE | inherited)


def set_owner(place: int | str, wanted: Entry, seen: os.stat_result, aspects: Aspects) -> None:
    """Set the owner where it counts; symlinks are followed.  Special bits do not survive it: modes are set after it."""
    numbers = _owner_to_set(wanted, seen, aspects)
    if numbers is not None:
        os.chown(place, *numbers)


def _owner_to_set(wanted: Entry, seen: os.stat_result, aspects: Aspects) -> tuple[int, int] | None:
    owner = wanted.extra.owner if wanted.extra else None
    if not aspects.owner or owner is None:
        return None
    numbers = numbers_of(owner)
    return None if numbers == (seen.st_uid, seen.st_gid) else numbers


def set_xattrs(place: int | bytes, wanted: Entry, aspects: Aspects, *, follow: bool = True) -> None:
    """Set the extended attributes where they count; raises `OSError` also where they did not arrive."""
    if not aspects.xattrs or wanted.extra is None or wanted.extra.xattrs is None:
        return
    if wanted.extra.xattrs and not wanted.extra.attributes:
        raise OSError(errno.E2BIG, "its extended attributes changed since the scan, or are too large")
    set_attributes(place, wanted.extra.attributes, aspects.xattrs, follow=follow)


def meant(wanted: Entry, aspects: Aspects) -> State:
    """The owner and the extended attributes to be set, as far as they count, and are known."""
    owner, extra = wanted.extra.owner if wanted.extra else None, wanted.extra
    is_known = extra is not None and extra.xattrs is not None and (not extra.xattrs or bool(extra.attributes))
    return State(
        numbers_of(owner) if aspects.owner and owner is not None else None,
        extra.attributes if aspects.xattrs and extra is not None and is_known else None,
    )


def set_time(place: int | str, wanted: Entry, aspects: Aspects) -> None:
    """Set the mtime where it counts; symlinks are followed, directories left alone."""
    if aspects.times and wanted.kind is not Kind.DIRECTORY:
        os.utime(place, ns=(wanted.mtime_ns, wanted.mtime_ns))


def finish_link(name: bytes, wanted: Entry, aspects: Aspects, dir_fd: int) -> None:
    """Set what counts on a symlink."""
    numbers = _owner_to_set(wanted, os.stat(name, dir_fd=dir_fd, follow_symlinks=False), aspects)
    if numbers is not None:
        os.chown(name, *numbers, dir_fd=dir_fd, follow_symlinks=False)
    set_xattrs(place_in(dir_fd, name), wanted, aspects, follow=False)
    if aspects.times:
        os.utime(name, ns=(wanted.mtime_ns, wanted.mtime_ns), dir_fd=dir_fd, follow_symlinks=False)
