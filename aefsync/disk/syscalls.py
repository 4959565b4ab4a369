"""System calls that Python does not offer, through ctypes; each raises `OSError`, with ENOSYS where there is none."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import sys
from functools import cache
from typing import Any

RENAME_NOREPLACE = 1
RENAME_EXCHANGE = 2

STATX_FLAGS = 0x100 | 0x800
"""AT_SYMLINK_NOFOLLOW and AT_NO_AUTOMOUNT: as lstat does."""
STATX_MASK = 0x01 | 0x02 | 0x40 | 0x80 | 0x100 | 0x200
"""Type, mode, mtime, ctime, inode number and size."""

_SYS_OPENAT2 = 437
_RESOLVE_NO_SYMLINKS = 0x04
_RESOLVE_BENEATH = 0x08
_SYNC_FILE_RANGE_WRITE = 2
_RENAMEAT2 = ("renameat2", ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)
_PATIENCE = 64
"""Attempts at a walk that is raced; a lease on the file (Samba) gives the same error, and that may last."""
_LINUX = sys.platform == "linux"


class _OpenHow(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


@cache
def _libc() -> Any:
    return ctypes.CDLL(None, use_errno=True)


@cache
def _function(name: str, *argtypes: Any, alone: bool = False) -> Any:
    """One of the C library; `alone`: no other thread runs while it does."""
    try:
        function = getattr(ctypes.PyDLL(None) if alone else _libc(), name)
    except AttributeError:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS)) from None
    function.argtypes = argtypes or None
    return function


def _check(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def openat2_beneath(dir_fd: int, path: bytes, flags: int, mode: int = 0) -> int:
    """Open `path` below `dir_fd`, refusing any symlink and any way out of it (Linux 5.6)."""
    if not _LINUX:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    how = _OpenHow(flags | os.O_CLOEXEC, mode, _RESOLVE_BENEATH | _RESOLVE_NO_SYMLINKS)
    for _ in range(_PATIENCE):
        result = _libc().syscall(_SYS_OPENAT2, dir_fd, path, ctypes.byref(how), ctypes.sizeof(how))
        # EAGAIN: a rename elsewhere raced the walk, and the kernel could not tell whether it stayed below.
        if result >= 0 or ctypes.get_errno() not in (errno.EAGAIN, errno.EINTR):
            break
    return _check(result)


def renameat2(old_fd: int, old: bytes, new_fd: int, new: bytes, flags: int) -> None:
    """Rename with `RENAME_NOREPLACE` or `RENAME_EXCHANGE`; EINVAL where the file system does not know the flag."""
    _check(_function(*_RENAMEAT2)(old_fd, old, new_fd, new, flags))


def statx() -> Any:
    """The C function itself, for loops in C: a descriptor, a name, flags, a mask and where to write; not 0 where it failed.

    Nothing converts or checks what it is given, nor lets another thread run meanwhile: each would take a third as long as
    the call.
    """
    return _function("statx", alone=True)


def syncfs(fd: int) -> None:
    """Make everything written to the file system of `fd` durable; without the call, everything on the machine."""
    try:
        call = _function("syncfs", ctypes.c_int)
    except OSError:
        os.sync()
        return
    _check(call(fd))


def begin_writing(fd: int, offset: int, length: int) -> None:
    """Have the disk begin to write a range of a file, and do not wait for it; nothing becomes durable by that."""
    types = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)
    _check(_function("sync_file_range", *types)(fd, offset, length, _SYNC_FILE_RANGE_WRITE))


def file_system_magic(fd: int) -> int:
    """The `f_type` of Linux's statfs; 0 elsewhere."""
    if not _LINUX:
        return 0
    buffer = (ctypes.c_long * 32)()
    _check(_function("fstatfs", ctypes.c_int, ctypes.c_void_p)(fd, ctypes.byref(buffer)))
    return int(buffer[0]) & 0xFFFFFFFF


def trim_memory() -> None:
    """Give memory that was freed back to the system, which glibc does not always do by itself."""
    with contextlib.suppress(OSError):
        _function("malloc_trim", ctypes.c_size_t)(0)
