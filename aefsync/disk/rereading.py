"""Rereading: the bytes of a file as they are on the disk, and whether somebody may be writing them."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import stat
from collections.abc import Callable, Iterator

from aefsync.core.entry import UNKNOWN
from aefsync.core.growth import SMALL
from aefsync.disk.hashing import READ_FLAGS, Seen, hash_blocks, unchanged

_LEASE = getattr(fcntl, "F_SETLEASE", -1)
_SIGNAL = getattr(fcntl, "F_SETSIG", 10)
_FDINFO_ACCESS = os.O_WRONLY | os.O_RDWR


class Moved(Exception):
    """The file is no longer what the scan saw: nothing can be said of it."""


Opened = int | OSError | Moved
"""The descriptor of a file that is to be reread, or why there is none."""


def open_anew(directory: int, name: bytes, ahead: int) -> Opened:
    """Open a file to be reread: nothing of it is cached, and so many bytes are on their way from the disk."""
    try:
        fd = os.open(name, READ_FLAGS, dir_fd=directory)
    except FileNotFoundError:
        return Moved()
    except OSError as error:
        return error
    forget_cached(fd)
    with contextlib.suppress(AttributeError, OSError):
        os.posix_fadvise(fd, 0, ahead, os.POSIX_FADV_WILLNEED)
    return fd


def reread(opened: Opened, seen: Seen, digest: Callable[[bytes], bytes], passed: Callable[[int], None]) -> bytes:
    """The content digest of a file, read from the disk and not from the page cache; its descriptor is closed.

    `digest` takes that of a small file's bytes; `passed` hears of the bytes as they come.  Raises `Moved` and `OSError`.
    """
    if isinstance(opened, Exception):
        raise opened
    fd = opened
    try:
        if seen.size <= SMALL:
            data = os.read(fd, seen.size + 1)
            passed(len(data))
            found = digest(data) if len(data) == seen.size else UNKNOWN
        else:
            found = hash_blocks(fd, passed)
            forget_cached(fd)
        if found == UNKNOWN or not unchanged(fd, seen):
            raise Moved
        return found
    finally:
        os.close(fd)


def forget_cached(fd: int) -> None:
    """Have the system read a file from the disk the next time (what was not written yet stays cached)."""
    with contextlib.suppress(AttributeError, OSError):
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)


def is_open_for_writing(directory: int, name: bytes) -> bool:
    """Whether somebody has a file open for writing, or mapped; as far as the system tells us."""
    with contextlib.suppress(OSError):
        fd = os.open(name, READ_FLAGS, dir_fd=directory)
        try:
            told = _is_leased_out(fd)
            return any(_writers(os.fstat(fd))) if told is None else told
        finally:
            os.close(fd)
    return False


def _is_leased_out(fd: int) -> bool | None:
    """What the system answers to whoever wants to be told of writers, which it grants only where there are none; `None`:
    it may not be asked (fcntl(2))."""
    try:
        # The default signal would end the process, were somebody to open the file in this very moment.
        fcntl.fcntl(fd, _SIGNAL, signal.SIGURG)
        fcntl.fcntl(fd, _LEASE, fcntl.F_RDLCK)
    except BlockingIOError:
        return True
    except (OSError, AttributeError):
        return None
    fcntl.fcntl(fd, _LEASE, fcntl.F_UNLCK)
    return False


def _writers(seen: os.stat_result) -> Iterator[bool]:
    """Of each descriptor of a file that is to be seen, whether it is open for writing (proc(5))."""
    with contextlib.suppress(OSError):
        for process in filter(str.isdigit, os.listdir("/proc")):
            place = f"/proc/{process}"
            with contextlib.suppress(OSError):
                for fd in os.listdir(f"{place}/fd"):
                    with contextlib.suppress(OSError, ValueError):
                        found = os.stat(f"{place}/fd/{fd}")
                        if stat.S_ISREG(found.st_mode) and os.path.samestat(found, seen):
                            yield bool(_flags(f"{place}/fdinfo/{fd}") & _FDINFO_ACCESS)


def _flags(path: str) -> int:
    with open(path, encoding="ascii") as file:
        return next(int(line.split()[1], 8) for line in file if line.startswith("flags:"))
