"""Renames that never replace anything, with fall-backs that put nobody's bytes at risk.

Into the tree: a hard link where the file system knows no `RENAME_NOREPLACE`, so that nothing that appears meanwhile is
overwritten.  Out of the tree: always one rename, so that what leaves is what stood there at that instant.
"""

from __future__ import annotations

import errno
import os

from aefsync.disk import syscalls

NO_FLAGS = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)
"""How a file system says that it does not know a flag of `renameat2`."""
_NO_LINKS = (*NO_FLAGS, errno.EPERM, errno.EMLINK)


def rename_new(old_fd: int, old: bytes, new_fd: int, new: bytes) -> None:
    """Rename what is ours (staged, or in the trash) to where nothing is; raises `FileExistsError`."""
    if _rename_noreplace(old_fd, old, new_fd, new):
        return
    try:
        os.link(old, new, src_dir_fd=old_fd, dst_dir_fd=new_fd, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        _check_free(new_fd, new)
        os.rename(old, new, src_dir_fd=old_fd, dst_dir_fd=new_fd)
    else:
        os.unlink(old, dir_fd=old_fd)


def rename_out(old_fd: int, old: bytes, slot_fd: int, slot: bytes) -> None:
    """Rename something, of the tree or ours, to a place of our own where nothing is; raises `FileExistsError`."""
    if not _rename_noreplace(old_fd, old, slot_fd, slot):
        _check_free(slot_fd, slot)
        os.rename(old, slot, src_dir_fd=old_fd, dst_dir_fd=slot_fd)


def _rename_noreplace(old_fd: int, old: bytes, new_fd: int, new: bytes) -> bool:
    """Whether it could be done at all here."""
    try:
        syscalls.renameat2(old_fd, old, new_fd, new, syscalls.RENAME_NOREPLACE)
    except FileExistsError:
        raise FileExistsError(errno.EEXIST, "exists already") from None
    except OSError as error:
        if error.errno not in NO_FLAGS:
            raise
        return False
    return True


def _check_free(fd: int, name: bytes) -> None:
    try:
        os.stat(name, dir_fd=fd, follow_symlinks=False)
    except FileNotFoundError:
        return
    raise FileExistsError(errno.EEXIST, "exists already")
