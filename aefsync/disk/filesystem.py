"""What the file system under a root can be trusted with: stable inodes and ctimes, and its time step."""

from __future__ import annotations

import os

from aefsync.core.named_tuple import NamedTuple
from aefsync.disk import syscalls

_LASTING = {
    0xEF53: "ext4",
    0x9123683E: "btrfs",
    0xF2F52010: "f2fs",
    0x2FC12FC1: "zfs",
    0xCA451A4E: "bcachefs",
}
"""Those whose id is written on the disk; of others it is what they are mounted from, and changes at will (statfs(2))."""
_UNSTABLE = {
    0x4D44: "vfat",
    0x2011BAB0: "exfat",
    0x65735546: "fuse",
    0x01021997: "9p",
    0x6969: "nfs",
    0x517B: "smb",
    0xFF534D42: "cifs",
    0xFE534D42: "smb2",
    0x5346414F: "afs",
    0x00C36400: "ceph",
    0x786F4256: "vboxsf",
}


class FileSystem(NamedTuple):
    """`stable`: inode and ctime stay as they are while a file is untouched, so they count as evidence that it is.
    `step_ns`: two changes closer than this may carry the same time."""

    stable: bool
    step_ns: int


LOCAL = FileSystem(stable=True, step_ns=20_000_000)
"""Kernel timestamps are taken from a clock that ticks each 1–10 ms."""
REMOTE = FileSystem(stable=False, step_ns=2_000_000_000)


def file_system_of(fd: int) -> FileSystem:
    """Judge the file system of an open descriptor by its kind."""
    return REMOTE if syscalls.file_system_magic(fd) in _UNSTABLE else LOCAL


def place_of(fd: int) -> bytes:
    """Where an open directory is, as far as nothing but copying it changes that: the id of its file system, its inode."""
    magic = syscalls.file_system_magic(fd)
    file_system = os.fstatvfs(fd).f_fsid if magic in _LASTING else 0
    inode = 0 if magic in _UNSTABLE else os.fstat(fd).st_ino
    return f"{file_system:x}:{inode:x}".encode()
